/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/supervise.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "launch/child.h"
#include "launch/children.h"
#include "launch/signals.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/*
 * Why a process more: what a child started can hide from any other (a session of its own, a name of its own), but not
 * from the kernel, which gives orphans to the nearest subreaper above them. So there are two above all children: when
 * the supervisor is killed its orphans come to the guard, and when the guard is killed the supervisor sees its pipe
 * end.
 */

static void hand_on(pid_t supervisor, const siginfo_t *info)
{
	const struct forwarded *row = signals_row(info->si_signo);

	if (row && (!row->from_terminal || info->si_code != SI_KERNEL))
		(void)kill(supervisor, row->number);
}

/* Reap what came to us (as PID 1 that may be anybody's), and stop when the supervisor did. True: it has ended. */
static bool look(pid_t supervisor, int *ret_status)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != supervisor)
			continue;
		if (!WIFSTOPPED(status)) {
			*ret_status = status;
			return true;
		}
		/* It stopped as it was told, and its children. Any other stop is its own, or the whole group's. */
		if (WSTOPSIG(status) == SIGTSTP) {
			signals_stop_self(SIGTSTP);
			(void)kill(supervisor, SIGCONT); /* whoever let us go on may have named us alone */
		}
	}
	return false;
}

static void watch_over(pid_t supervisor, const struct signals *signals, int *ret_status)
{
	siginfo_t info;

	for (;;) {
		const int number = sigwaitinfo(&signals->taken, &info);

		if (number == SIGCHLD) {
			if (look(supervisor, ret_status))
				return;
		} else if (number > 0) {
			hand_on(supervisor, &info);
		}
	}
}

int launch_guard(int *ret_guard_fd, int *ret_status, struct err *err)
{
	cleanup_close int read_fd = -1;
	cleanup_close int write_fd = -1;
	struct signals signals;
	int fds[2];
	pid_t supervisor;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot make a pipe");
	write_fd = child_fd_above_stdio(fds[1]);
	read_fd = child_fd_above_stdio(fds[0]);
	if (write_fd < 0 || read_fd < 0)
		return err_errno(err, write_fd < 0 ? write_fd : read_fd, "cannot make a pipe");
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1); /* refused before Linux 3.4 only */
	signals_block(&signals);
	supervisor = fork();
	if (supervisor < 0) {
		const int code = -errno;

		signals_restore(&signals);
		return err_errno(err, code, "cannot fork");
	}
	if (!supervisor) {
		signals_restore(&signals);
		*ret_guard_fd = read_fd;
		read_fd = -1;
		return 0;
	}
	watch_over(supervisor, &signals, ret_status);
	if (WIFSIGNALED(*ret_status))
		(void)children_kill_all();
	return 1;
}

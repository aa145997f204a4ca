/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/child.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/prctl.h>

/* What follows the granted mask when a step failed. */
struct failure {
	enum child_stage stage;
	int error;
};

static void write_all(int fd, const void *data, size_t length)
{
	const char *p = data;
	ssize_t n;

	while (length) {
		n = write(fd, p, length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		length -= (size_t)n;
	}
}

static size_t read_all(int fd, void *data, size_t length)
{
	size_t done = 0;
	ssize_t n;

	while (done < length) {
		n = read(fd, (char *)data + done, length - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/* The supervisor's end is the children's, however it comes. Lost only by a set-user-id program. */
static int tie_to_parent(pid_t parent)
{
	pid_t now;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	/* It may have died before the call. 0 is a parent outside our PID namespace: nothing can be compared then. */
	now = getppid();
	if (now != parent && now != 0)
		_exit(127);
	return 0;
}

static int set_streams(const struct child_common *common, const struct child_spec *spec)
{
	if (!spec->keeps_stdin && dup2(common->null_fd, STDIN_FILENO) < 0)
		return -errno;
	if (spec->output_fds[0] >= 0 && dup2(spec->output_fds[0], STDOUT_FILENO) < 0)
		return -errno;
	return spec->output_fds[1] >= 0 && dup2(spec->output_fds[1], STDERR_FILENO) < 0 ? -errno : 0;
}

/* The child's whole life before its program. Async-signal-safe calls only. */
static _Noreturn void become(const struct child_common *common, const struct child_spec *spec, pid_t parent, int fd)
{
	struct bind_result result;
	struct failure failure = { .stage = CHILD_TIE };

	failure.error = tie_to_parent(parent);
	bind_carry_out(spec->bind, &result);
	write_all(fd, &result, offsetof(struct bind_result, granted) + result.granted_bytes);
	if (!failure.error) {
		failure.stage = CHILD_STREAMS;
		failure.error = set_streams(common, spec);
	}
	if (!failure.error) {
		(void)sigaction(SIGCHLD, &common->sigchld, NULL);
		(void)sigprocmask(SIG_SETMASK, &common->mask, NULL);
		failure.stage = CHILD_EXEC;
		failure.error =
			exec_carry_out(common->exec, result.affinity_unmet ? spec->unpinned : spec->environment);
	}
	write_all(fd, &failure, sizeof(failure));
	_exit(127);
}

int child_fd_above_stdio(int fd)
{
	int moved, code;

	if (fd < 0)
		return -errno;
	if (fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	code = -errno;
	(void)close(fd);
	return moved < 0 ? code : moved;
}

int child_start(const struct child_common *common, const struct child_spec *spec, pid_t *ret_pid, int *ret_report_fd,
		struct err *err)
{
	cleanup_close int read_fd = -1;
	cleanup_close int write_fd = -1;
	const pid_t parent = getpid();
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot make a pipe");
	read_fd = fds[0];
	write_fd = child_fd_above_stdio(fds[1]);
	if (write_fd < 0)
		return err_errno(err, write_fd, "cannot make a pipe");
	pid = fork();
	if (pid < 0)
		return err_errno(err, -errno, "cannot fork");
	if (!pid)
		become(common, spec, parent, write_fd);
	*ret_pid = pid;
	*ret_report_fd = read_fd;
	read_fd = -1;
	return 0;
}

void child_read_report(int report_fd, struct child_report *ret_report)
{
	struct bind_result *bind = &ret_report->bind;
	const size_t head = offsetof(struct bind_result, granted);
	struct failure failure;

	ret_report->stage = CHILD_RUNS;
	ret_report->error = 0;
	if (read_all(report_fd, bind, head) < head || bind->granted_bytes > sizeof(bind->granted) ||
	    read_all(report_fd, bind->granted, bind->granted_bytes) < bind->granted_bytes) {
		*bind = (struct bind_result){ .memory_node = -1 };
		return;
	}
	if (read_all(report_fd, &failure, sizeof(failure)) == sizeof(failure)) {
		ret_report->stage = failure.stage;
		ret_report->error = failure.error;
	}
}

int child_explain(const struct child_report *report, const struct launch_program *program, struct err *err)
{
	switch (report->stage) {
	case CHILD_TIE:
		return err_errno(err, report->error, "cannot tie it to fettle's life: prctl");
	case CHILD_STREAMS:
		return err_errno(err, report->error, "cannot give it its standard streams: dup2");
	default:
		return exec_explain(program, report->error, err);
	}
}

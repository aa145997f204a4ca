/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/piped.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "launch/child.h"
#include "launch/exec.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

enum { IDLE_MS = 200, BLOCK_BYTES = 64 << 10 };

/* Handed on; the first two only where the kernel did not send them to the terminal's whole group. */
static const int forwarded[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };
enum { FROM_TERMINAL = 2, TO_END = 4 };

struct piped {
	const struct piped_taker *taker;
	pid_t pid;
	bool ended;
	int status;
	int output_fd, signal_fd;
	int told;
	enum piped_state state;
	sigset_t mask; /* as it was */
	struct sigaction pipe, child;
};

static int block_signals(struct piped *piped)
{
	const struct sigaction ignored = { .sa_handler = SIG_IGN }, by_default = { .sa_handler = SIG_DFL };
	struct sigaction now;
	sigset_t taken;

	(void)sigemptyset(&taken);
	(void)sigaddset(&taken, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++) {
		/* One we were started to ignore (nohup) stays ignored. */
		if (sigaction(forwarded[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			(void)sigaddset(&taken, forwarded[i]);
	}
	(void)sigprocmask(SIG_BLOCK, &taken, &piped->mask);
	(void)sigaction(SIGPIPE, &ignored, &piped->pipe);
	(void)sigaction(SIGCHLD, &by_default, &piped->child);
	piped->signal_fd = signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK);
	return piped->signal_fd < 0 ? -errno : 0;
}

static void piped_clear(struct piped *piped)
{
	if (piped->output_fd >= 0)
		(void)close(piped->output_fd);
	if (piped->signal_fd >= 0)
		(void)close(piped->signal_fd);
	(void)sigaction(SIGPIPE, &piped->pipe, NULL);
	(void)sigaction(SIGCHLD, &piped->child, NULL);
	(void)sigprocmask(SIG_SETMASK, &piped->mask, NULL);
}

/* With nothing of ours. */
static int leave_alone(int output_fd)
{
	const int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(output_fd, STDERR_FILENO) < 0 ? -errno : 0;
}

/* The child's life before its program. Async-signal-safe calls only. */
static _Noreturn void become(const struct piped *piped, const struct exec_orders *exec, char *const *environment,
			     pid_t parent, int output_fd, int report_fd)
{
	int code = prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(output_fd, STDOUT_FILENO) < 0 ? -errno : 0;

	if (code == 0 && piped->taker->alone)
		code = leave_alone(output_fd);
	/* We may have died before the call. 0 is a parent outside our PID namespace. */
	if (getppid() != parent && getppid() != 0)
		_exit(127);
	(void)sigaction(SIGPIPE, &piped->pipe, NULL);
	(void)sigaction(SIGCHLD, &piped->child, NULL);
	(void)sigprocmask(SIG_SETMASK, &piped->mask, NULL);
	if (!code)
		code = exec_carry_out(exec, environment);
	if (write(report_fd, &code, sizeof(code)) < 0)
		_exit(126); /* nobody is there to hear it */
	_exit(127);
}

/* Start it. Returns 0, or -errno of what failed, the program's execve() included. */
static int start(struct piped *piped, const struct launch_program *program, char *const *environment, struct err *err)
{
	cleanup_exec struct exec_orders exec = { .program = NULL };
	cleanup_close int output_fd = -1;
	cleanup_close int heard_fd = -1;
	cleanup_close int report_fd = -1;
	const pid_t parent = getpid();
	int output[2], report[2], code;
	int r = exec_prepare(program, &exec, err);

	if (r < 0)
		return r;
	if (pipe2(output, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot make a pipe");
	piped->output_fd = child_fd_above_stdio(output[0]);
	output_fd = child_fd_above_stdio(output[1]);
	if (pipe2(report, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot make a pipe");
	heard_fd = report[0];
	report_fd = child_fd_above_stdio(report[1]);
	if (piped->output_fd < 0 || output_fd < 0 || report_fd < 0)
		return err_set(err, -EMFILE, "cannot make a pipe: too many files are open");
	piped->pid = fork();
	if (piped->pid < 0)
		return err_errno(err, -errno, "cannot fork");
	if (!piped->pid)
		become(piped, &exec, environment, parent, output_fd, report_fd);
	(void)close(report_fd);
	report_fd = -1;
	if (read(heard_fd, &code, sizeof(code)) != sizeof(code))
		return 0; /* closed by its execve() */
	(void)waitpid(piped->pid, NULL, 0);
	return exec_explain(program, code, err);
}

static void close_output(struct piped *piped)
{
	if (piped->output_fd >= 0)
		(void)close(piped->output_fd);
	piped->output_fd = -1;
}

static void take_output(struct piped *piped)
{
	char block[BLOCK_BYTES];
	const ssize_t n = read(piped->output_fd, block, sizeof(block));

	if (n < 0 && errno == EINTR)
		return;
	if (n > 0)
		piped->state = piped->taker->output(block, (size_t)n, piped->taker->context);
	else
		(void)piped->taker->idle(piped->taker->context);
	if (n <= 0 || piped->state == PIPED_GONE)
		close_output(piped);
}

static void take_signal(struct piped *piped)
{
	struct signalfd_siginfo info;

	if (read(piped->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD) {
		piped->ended |= waitpid(piped->pid, &piped->status, WNOHANG) == piped->pid;
		return;
	}
	for (size_t i = 0; i < TO_END; i++)
		piped->told = info.ssi_signo == (uint32_t)forwarded[i] ? forwarded[i] : piped->told;
	/* It is gone, and what it left behind holds the pipe: we were told to stop waiting for that. */
	if (piped->ended)
		close_output(piped);
	for (size_t i = 0; !piped->ended && i < ARRAY_SIZE(forwarded); i++) {
		if (info.ssi_signo == (uint32_t)forwarded[i] && (i >= FROM_TERMINAL || info.ssi_code != SI_KERNEL))
			(void)kill(piped->pid, forwarded[i]);
	}
}

/* Until the program has ended and its output too. */
static void follow(struct piped *piped)
{
	while (!piped->ended || piped->output_fd >= 0) {
		struct pollfd fds[2] = { { .fd = piped->signal_fd, .events = POLLIN },
					 { .fd = piped->output_fd, .events = POLLIN } };
		const int n = poll(fds, 2, piped->state == PIPED_HELD ? IDLE_MS : -1);

		if (n == 0)
			piped->state = piped->taker->idle(piped->taker->context);
		if (n == 0 && piped->state == PIPED_GONE)
			close_output(piped);
		if (n > 0 && fds[0].revents)
			take_signal(piped);
		if (n > 0 && fds[1].revents && piped->output_fd >= 0)
			take_output(piped);
	}
}

int launch_piped(const struct launch_program *program, char *const *environment, const struct piped_taker *taker,
		 struct piped_end *ret_end, struct err *err)
{
	cleanup_(piped_clear) struct piped piped = { .taker = taker, .output_fd = -1, .signal_fd = -1 };
	int r = block_signals(&piped);

	if (r < 0)
		return err_errno(err, r, "cannot watch for signals");
	r = start(&piped, program, environment, err);
	if (r < 0)
		return r;
	follow(&piped);
	*ret_end = (struct piped_end){
		.exit_code = WIFEXITED(piped.status) ? WEXITSTATUS(piped.status) : -1,
		.signal = WIFSIGNALED(piped.status) ? WTERMSIG(piped.status) : 0,
		.told = piped.told,
	};
	return 0;
}

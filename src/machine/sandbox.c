/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/sandbox.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/sanitized.h"
#include "base/text.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { ANSWER_MAX_BYTES = 64 << 20 };
#define CHILD_ADDRESS_BYTES (1ULL << 30)

/* A crash must end the child, not enter a handler of the program we are a library of and run on as its double. */
static void die_of_signals(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS, SIGXCPU, SIGALRM, SIGXFSZ };
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		(void)signal(deadly[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void limit_child(void)
{
	const struct rlimit cpu = { SANDBOX_CPU_SECONDS, SANDBOX_CPU_SECONDS + 1 }, nothing = { 0, 0 };
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
	}
	(void)setrlimit(RLIMIT_CPU, &cpu);
	(void)setrlimit(RLIMIT_CORE, &nothing);
	(void)setrlimit(RLIMIT_FSIZE, &nothing);
	/* Opening a FIFO may wait for ever, at no cost of CPU time. */
	(void)alarm(SANDBOX_WALL_SECONDS);
	if (!SANITIZED) {
		const struct rlimit memory = { CHILD_ADDRESS_BYTES, CHILD_ADDRESS_BYTES };

		(void)setrlimit(RLIMIT_AS, &memory);
	}
}

static bool send(int pipe_fd, const void *data, size_t length)
{
	const char *bytes = data;

	while (length) {
		const ssize_t n = write(pipe_fd, bytes, length);

		if (n <= 0)
			return false;
		bytes += n;
		length -= (size_t)n;
	}
	return true;
}

/* The child sends its error down the pipe, then its answer; a crash sends nothing. */
static void __attribute__((noreturn)) child_main(sandbox_work *work, const void *context, int pipe_fd)
{
	struct text answer = TEXT_INIT;
	struct err err = { 0 };
	int r;

	die_of_signals();
	limit_child();
	r = work(context, &answer, &err);
	if (r == 0 && answer.failed)
		r = err_nomem(&err);
	err.code = r < 0 ? r : 0;
	_exit(send(pipe_fd, &err, sizeof(err)) && (r < 0 || send(pipe_fd, answer.data, answer.length)) ? 0 : 1);
}

/* Read what the child has to say: the error first, whole or not at all, then up to the limit. */
static void hear_child(int pipe_fd, struct text *heard)
{
	char chunk[65536];

	while (heard->length <= sizeof(struct err) + ANSWER_MAX_BYTES) {
		const ssize_t n = read(pipe_fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		text_add_bytes(heard, chunk, (size_t)n);
	}
}

/* ECHILD where our parent left SIGCHLD ignored: the pipe has told what matters. */
static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 0;
	}
	return status;
}

static int judge(const struct text *heard, int status, struct text *ret_answer, struct err *err)
{
	const struct err *said = (const void *)heard->data;

	if (heard->failed)
		return err_nomem(err);
	if (heard->length >= sizeof(*said) && said->code < 0) {
		*err = *said;
		return said->code;
	}
	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGALRM))
		return -ETIME;
	if (heard->length < sizeof(*said) || WIFSIGNALED(status) || WEXITSTATUS(status))
		return -ECHILD;
	if (heard->length > sizeof(*said) + ANSWER_MAX_BYTES)
		return err_set(err, -EFBIG, "more than %d MiB", ANSWER_MAX_BYTES >> 20);
	text_add_bytes(ret_answer, heard->data + sizeof(*said), heard->length - sizeof(*said));
	return ret_answer->failed ? err_nomem(err) : 0;
}

int sandbox_run(sandbox_work *work, const void *context, struct text *ret_answer, struct err *err)
{
	cleanup_text struct text heard = TEXT_INIT;
	cleanup_close int read_end = -1;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot start a child process: pipe");
	read_end = fds[0];
	pid = fork();
	if (pid == 0)
		child_main(work, context, fds[1]);
	(void)close(fds[1]);
	if (pid < 0)
		return err_errno(err, -errno, "cannot start a child process: fork");
	hear_child(read_end, &heard);
	/* Should it still be talking. */
	(void)close(read_end);
	read_end = -1;
	return judge(&heard, wait_for(pid), ret_answer, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "target/malloc_probe.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { SAID_MAX_BYTES = 4096 };

/* What came of it. */
struct outcome {
	struct text out, complaint; /* standard output and error, at most SAID_MAX_BYTES of each */
	bool late;
	int status; /* as waitpid() gives it; -1: somebody else took it */
};

static void outcome_clear(struct outcome *outcome)
{
	text_clear(&outcome->out);
	text_clear(&outcome->complaint);
}
#define cleanup_outcome cleanup_(outcome_clear)

/* The words and the variables of the child, made before the fork. */
struct start {
	const char *argv[3];
	char *environment[3];
};

static void start_clear(struct start *start)
{
	free(start->environment[0]);
	free(start->environment[1]);
}
#define cleanup_start cleanup_(start_clear)

static int start_init(const struct malloc_probe *probe, struct start *start)
{
	size_t count = 0;

	if (probe->loader)
		start->argv[count++] = probe->loader;
	start->argv[count] = probe->helper;
	if (asprintf(&start->environment[0], "LD_PRELOAD=%s", probe->library) < 0) {
		start->environment[0] = NULL;
		return -ENOMEM;
	}
	if (probe->library_path && asprintf(&start->environment[1], "LD_LIBRARY_PATH=%s", probe->library_path) < 0) {
		start->environment[1] = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* The child's life before the helper. Async-signal-safe calls only. */
static _Noreturn void become(const struct start *start, pid_t parent, int out, int complaint)
{
	static const int usual[] = { SIGPIPE, SIGCHLD, SIGINT, SIGTERM, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	const struct rlimit cpu = { MALLOC_PROBE_SECONDS, MALLOC_PROBE_SECONDS + 1 }, nothing = { 0, 0 };
	const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	sigset_t none;

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		(void)signal(usual[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* A group of its own: what it starts can be ended with it. */
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent && getppid() != 0)
		_exit(127);
	(void)setrlimit(RLIMIT_CORE, &nothing);
	(void)setrlimit(RLIMIT_CPU, &cpu);
	if (null >= 0)
		(void)dup2(null, STDIN_FILENO);
	if (dup2(out, STDOUT_FILENO) < 0 || dup2(complaint, STDERR_FILENO) < 0)
		_exit(127);
	(void)execve(start->argv[0], (char *const *)start->argv, start->environment);
	_exit(127);
}

static int milliseconds_until(const struct timespec *end)
{
	struct timespec now;
	long long left;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	left = (long long)(end->tv_sec - now.tv_sec) * 1000 + (end->tv_nsec - now.tv_nsec) / 1000000;
	return left > 0 ? (int)left : 0;
}

/* False: the stream has ended. */
static bool hear_one(int fd, struct text *said)
{
	char chunk[1024];
	const ssize_t n = read(fd, chunk, sizeof(chunk));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (said->length < SAID_MAX_BYTES)
		text_add_bytes(said, chunk, (size_t)n);
	return n > 0;
}

/* Listen until both streams end, or the time. */
static void hear(int out, int complaint, struct outcome *outcome)
{
	struct pollfd fds[] = { { .fd = out, .events = POLLIN }, { .fd = complaint, .events = POLLIN } };
	struct text *const said[] = { &outcome->out, &outcome->complaint };
	struct timespec end;

	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += MALLOC_PROBE_SECONDS;
	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		const int n = poll(fds, ARRAY_SIZE(fds), milliseconds_until(&end));

		if (n < 0 && errno != EINTR)
			return;
		if (n == 0) {
			outcome->late = true;
			return;
		}
		for (size_t i = 0; n > 0 && i < ARRAY_SIZE(fds); i++) {
			if (fds[i].revents && !hear_one(fds[i].fd, said[i]))
				fds[i].fd = -1;
		}
	}
}

static int run(const struct start *start, struct outcome *outcome, struct err *err)
{
	cleanup_close int out = -1, complaint = -1;
	const pid_t self = getpid();
	int outs[2], complaints[2];
	pid_t pid;

	if (pipe2(outs, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot start a child process: pipe");
	out = outs[0];
	if (pipe2(complaints, O_CLOEXEC) < 0) {
		int r = -errno;

		(void)close(outs[1]);
		return err_errno(err, r, "cannot start a child process: pipe");
	}
	complaint = complaints[0];
	pid = fork();
	if (pid == 0)
		become(start, self, outs[1], complaints[1]);
	(void)close(outs[1]);
	(void)close(complaints[1]);
	if (pid < 0)
		return err_errno(err, -errno, "cannot start a child process: fork");
	hear(out, complaint, outcome);
	if (outcome->late && kill(-pid, SIGKILL) < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &outcome->status, 0) < 0) {
		if (errno != EINTR) {
			outcome->status = -1; /* our parent left SIGCHLD ignored: what was said must do */
			break;
		}
	}
	return 0;
}

/* Does it say that just this library answers malloc? */
static bool is_in_charge(const struct outcome *outcome, const char *library)
{
	static const char begin[] = "malloc ";
	const char *said = outcome->out.data;
	const size_t length = strlen(library);

	return said && strncmp(said, begin, strlen(begin)) == 0 &&
	       strncmp(said + strlen(begin), library, length) == 0 && said[strlen(begin) + length] == '\n';
}

/* The first line of what it complained of: other people's text, which must not speak to a terminal. */
static bool add_complaint(const struct outcome *outcome, struct text *why)
{
	const char *said = outcome->complaint.data;
	const size_t length = said ? strcspn(said, "\n") : 0;

	for (size_t i = 0; i < length; i++)
		text_add(why, "%c", (unsigned char)said[i] < ' ' || said[i] == 0x7f ? '?' : said[i]);
	return length != 0;
}

static void say_why(const struct outcome *outcome, struct text *why)
{
	const int signal_number = outcome->status != -1 && WIFSIGNALED(outcome->status) ? WTERMSIG(outcome->status) : 0;

	if (outcome->late || signal_number == SIGXCPU)
		text_add(why, "a program with it did nothing for %d s", MALLOC_PROBE_SECONDS);
	else if (add_complaint(outcome, why))
		return;
	else if (signal_number)
		text_add(why, "a program with it died of signal %d (%s)", signal_number, strsignal(signal_number));
	else if (outcome->out.length)
		text_add(why, "malloc is answered by another library all the same");
	else
		text_add(why, "a program with it ended with exit code %d",
			 outcome->status == -1 ? -1 : WEXITSTATUS(outcome->status));
}

int malloc_probe(const struct malloc_probe *probe, char **ret_why_not, struct err *err)
{
	cleanup_start struct start start = { .argv = { NULL } };
	cleanup_outcome struct outcome outcome = { .late = false };
	cleanup_text struct text why = TEXT_INIT;
	int r;

	if (start_init(probe, &start) < 0)
		return err_nomem(err);
	r = run(&start, &outcome, err);
	if (r < 0)
		return r;
	*ret_why_not = NULL;
	if (outcome.out.failed || outcome.complaint.failed)
		return err_nomem(err);
	if (!outcome.late && (outcome.status == -1 || outcome.status == 0) && is_in_charge(&outcome, probe->library))
		return 0;
	say_why(&outcome, &why);
	*ret_why_not = text_take(&why);
	return *ret_why_not ? 0 : err_nomem(err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping a thread by ptrace(2): PTRACE_SEIZE sends no signal and leaves a stopped process stopped, PTRACE_INTERRUPT
 * stops one thread alone. Whatever ends this process, the kernel detaches it and the thread goes on.
 */
#include "observe/floats.h"

#include "observe/proc.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

/* A thread that runs stops at the next tick at the latest; one that waits for its disk may not, for a long time. */
enum { THREAD_MS = 200, ALL_MS = 2000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

static uint64_t now_ns(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

#if defined(__x86_64__)

/* FXSAVE's area, with which the extended one begins (Intel SDM volume 1, 13.4.1): MXCSR stands at byte 24. */
static int read_flags(pid_t tid, struct observed_float *answer)
{
	unsigned char area[512];
	struct iovec vector = { area, sizeof(area) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &vector) < 0) {
		vector.iov_len = sizeof(area);
		if (ptrace(PTRACE_GETREGSET, tid, NT_PRFPREG, &vector) < 0)
			return -errno;
	}
	if (vector.iov_len < 28)
		return -ENOTSUP;
	memcpy(&answer->control, area + 24, sizeof(answer->control));
	answer->status = answer->control;
	return 0;
}

#elif defined(__aarch64__)

/* struct user_fpsimd_state: 32 registers of 16 bytes, FPSR, FPCR. */
static int read_flags(pid_t tid, struct observed_float *answer)
{
	uint32_t words[32 * 4 + 4];
	struct iovec vector = { words, sizeof(words) };

	if (ptrace(PTRACE_GETREGSET, tid, NT_PRFPREG, &vector) < 0)
		return -errno;
	if (vector.iov_len < (32 * 4 + 2) * sizeof(words[0]))
		return -ENOTSUP;
	answer->status = words[32 * 4];
	answer->control = words[32 * 4 + 1];
	return 0;
}

#else

static int read_flags(pid_t tid, struct observed_float *answer)
{
	(void)tid;
	(void)answer;
	return -ENOTSUP;
}

#endif

/* All signals are blocked: SIGCHLD, which the stop sends us, waits until it is asked for. */
static int wait_for_stop(pid_t tid, uint64_t until_ns, int *ret_status)
{
	sigset_t child;

	(void)sigemptyset(&child);
	(void)sigaddset(&child, SIGCHLD);
	for (;;) {
		const pid_t got = waitpid(tid, ret_status, __WALL | WNOHANG);
		const uint64_t now = now_ns();
		struct timespec left;

		if (got < 0)
			return -errno;
		if (got == tid)
			return WIFSTOPPED(*ret_status) ? 0 : -ESRCH;
		if (now >= until_ns)
			return -ETIMEDOUT;
		left = (struct timespec){ (time_t)((until_ns - now) / NS_PER_S), (long)((until_ns - now) % NS_PER_S) };
		(void)sigtimedwait(&child, NULL, &left);
	}
}

/* "RUN WAIT TIMES": how long the thread has waited for a CPU; 0 where the kernel does not count it. */
static uint64_t waited_ns(const struct observe_request *request, const struct float_question *question)
{
	char path[PROC_PATH], name[64], text[128];
	const char *at = text;
	uint64_t run, wait;

	(void)snprintf(name, sizeof(name), "task/%d/schedstat", (int)question->tid);
	proc_path(path, question->pid, name);
	return proc_read_short(request->root, path, text, sizeof(text)) == 0 && proc_take(&at, 10, &run) &&
			       proc_take(&at, 10, &wait)
		       ? wait
		       : 0;
}

/*
 * A thread that has no CPU when it is told to stop must get one first, and has not stopped yet: that it would have
 * waited for anyway. But what it had waited before comes into the count with it: the time we saw it held is the least.
 */
static uint64_t held(uint64_t begun_ns, uint64_t seen_ns, uint64_t end_ns, uint64_t waited)
{
	const uint64_t whole = end_ns - begun_ns, least = end_ns - seen_ns;

	return waited < whole - least ? whole - waited : least;
}

/* One that does not stop in time cannot be let go of now: our own end does it. */
static int ask(const struct observe_request *request, struct float_question *question)
{
	struct observed_float *const answer = &question->answer;
	const pid_t tid = question->tid;
	const uint64_t waited = waited_ns(request, question), begun_ns = now_ns();
	uint64_t seen_ns, end_ns;
	int status = 0, signal_number, r;

	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0 || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0)
		return -errno;
	r = wait_for_stop(tid, begun_ns + (uint64_t)THREAD_MS * NS_PER_MS, &status);
	if (r < 0)
		return r;
	seen_ns = now_ns();
	r = read_flags(tid, answer);
	/* It may have stopped for a signal that came just now, and that it must get. */
	signal_number = (status >> 16) == PTRACE_EVENT_STOP ? 0 : WSTOPSIG(status);
	if (ptrace(PTRACE_DETACH, tid, NULL, (void *)(intptr_t)signal_number) < 0)
		return -errno;
	end_ns = now_ns();
	answer->stopped_ns = held(begun_ns, seen_ns, end_ns, waited_ns(request, question) - waited);
	return r;
}

void stops_make(const struct observe_request *request, struct float_question *questions, size_t count)
{
	const uint64_t until_ns = now_ns() + (uint64_t)ALL_MS * NS_PER_MS;
	sigset_t all, before;

	/* Ignored, it would not be sent. */
	(void)signal(SIGCHLD, SIG_DFL);
	/* A thread is held until we run again: on a busy machine, where we may, come first. */
	(void)sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 });
	(void)sigfillset(&all);
	for (size_t i = 0; i < count && now_ns() < until_ns; i++) {
		struct observed_float *answer = &questions[i].answer;

		/* Who wants to end us does so between two threads. */
		(void)sigprocmask(SIG_SETMASK, &all, &before);
		answer->code = stop_would_end_call(request, questions[i].pid, questions[i].tid)
				       ? -EINTR
				       : ask(request, &questions[i]);
		answer->known = answer->code == 0;
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * observe-time THREADS REPETITIONS: CPU time of looking at a process of so many threads, of which one for each CPU
 * computes, ten times a second. One line a repetition: nanoseconds of a look; behind them one line of the first look
 * and one of what is read once at the end.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/sysroot.h"
#include "observe/observe.h"

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *wait_forever(void *unused)
{
	(void)unused;
	for (;;)
		(void)pause();
	return NULL;
}

static void *compute(void *unused)
{
	volatile uint64_t sum = 0;

	(void)unused;
	for (;;)
		sum = sum + 1;
	return NULL;
}

/* The process to look at; it ends with us. */
static pid_t start(unsigned threads)
{
	const pid_t child = fork();
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (child != 0)
		return child;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 1; i < threads; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, i < (unsigned)cpus ? compute : wait_forever, NULL) != 0)
			_exit(1);
	}
	(void)compute(NULL);
	_exit(1);
}

static int measure(const struct observe_request *request, unsigned repetitions, struct err *err)
{
	const struct timespec pause = { 0, 100000000 };
	cleanup_observation struct observation *observation = NULL;
	int64_t begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID), first_ns;
	int r = observe_start(request, (uint64_t)clock_ns(CLOCK_MONOTONIC), &observation, err);

	first_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin;
	for (unsigned i = 0; r == 0 && i < repetitions; i++) {
		(void)nanosleep(&pause, NULL);
		begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		r = observe_look(request, (uint64_t)clock_ns(CLOCK_MONOTONIC), observation, err);
		(void)printf("%lld\n", (long long)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin));
	}
	begin = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	if (r == 0)
		r = observe_finish(request, observation, err);
	(void)printf("first %lld\nend %lld\n", (long long)first_ns,
		     (long long)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - begin));
	return r;
}

int main(int argc, char **argv)
{
	const struct timespec pause = { 1, 0 };
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	unsigned threads, repetitions;
	struct err err = { 0 };
	pid_t child;
	int r;

	if (argc != 3 || parse_unsigned(argv[1], &threads) < 0 || parse_unsigned(argv[2], &repetitions) < 0) {
		(void)fputs("usage: observe-time THREADS REPETITIONS\n", stderr);
		return 2;
	}
	child = start(threads);
	(void)nanosleep(&pause, NULL); /* until all its threads are there */
	r = child < 0 ? -1 : sysroot_open(&root, "/", &err);
	if (r == 0) {
		const struct observe_request request = { .root = &root,
							 .pids = &child,
							 .count = 1,
							 .observer = getpid(),
							 .ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK),
							 .neighbours = true };

		r = measure(&request, repetitions, &err);
	}
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	if (r < 0)
		(void)fprintf(stderr, "observe-time: %s\n", err.text);
	return r < 0 || fflush(stdout) != 0;
}

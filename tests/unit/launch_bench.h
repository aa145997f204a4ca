/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One supervisor at work in a forked process, so that it can be signalled and killed, with
 * what it found in memory shared with the test. The test process must be a subreaper.
 */
#pragma once

#include "base/err.h"
#include "launch/supervise.h"
#include "launch_help.h"

enum { INSTANCES = 4 };

/* What the supervisor found, in memory it shares with the test. */
struct outcome {
	int result;
	int first_failed;
	struct launch_outcome went;
	struct launch_end ends[INSTANCES]; /* bitmaps of the grants are gone; see `granted` */
	char granted[INSTANCES][32];
	char text[sizeof(((struct err *)0)->text)];
	bool mask_restored;
	unsigned restarts;     /* events of LAUNCH_RESTARTS */
	unsigned looks;        /* calls of launch_watch.look */
	unsigned told_started; /* children with a pid when launch_watch was told; 0: never told */
};

/* One test's supervisor. */
struct bench {
	char dir[32]; /* DIR of the children, and where they run */
	struct outcome *outcome;
	pid_t supervisor;
	const char *path; /* what to run, with argv; NULL: /bin/sh -c script */
	char *const *argv;
	const char *script;
	size_t count;
	struct plan_instance instances[INSTANCES];
	const char *extra[INSTANCES]; /* one more variable; may be NULL */
	struct launch_orders orders;
	const char *unpinned; /* the variable in its place where the CPUs are not granted; NULL: no such environment */
	int (*before)(void);  /* done in the supervisor first; may be NULL */
	unsigned look_ms;     /* look as often; 0: never */
	unsigned stop_look;   /* at this look stop all; 0: at none */
};

void bench_init(struct bench *bench, const char *script, size_t count);

/* Asserts that nothing is left: no running process, no zombie. */
void bench_clear(struct bench *bench);

/* Start the supervisor; or, where a process was forked by other means, be it. */
void bench_start(struct bench *bench);
_Noreturn void bench_supervisor(const struct bench *bench);

/* Wait until it was told that all children run: from then on each one's end is watched. */
void bench_await_told(const struct bench *bench);

/* Wait for it. Asserts that it came back, left no child and put its signal mask right. */
void bench_finish(const struct bench *bench);

/* Wait for a file the children make; its text. */
void bench_read(const struct bench *bench, const char *name, char *ret_text, size_t size);
pid_t bench_read_pid(const struct bench *bench, const char *name);

/* Make an empty file the children wait for. */
void bench_make(const struct bench *bench, const char *name);

void assert_state(pid_t pid, char wanted); /* as in /proc/PID/stat; waits for it */
void assert_end(const struct bench *bench, size_t i, int exit_code, int signal, int stopped);

long now_ms(void);

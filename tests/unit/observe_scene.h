/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes written down as /proc has them, below a prepared root, for tests of observe and of what is made of it.
 */
#pragma once

#include "base/sysroot.h"
#include "observe/observe.h"

struct scene_thread {
	int tid;
	const char *name;
	char state;          /* 0: S */
	unsigned long ticks; /* of 10 ms */
	unsigned long child_ticks;
	unsigned long started; /* 0: 1000 */
	unsigned cpu;
	const char *allowed;                /* NULL: "0-3" */
	unsigned long long run_ns, wait_ns; /* both 0: no schedstat */
	unsigned long voluntary, involuntary, migrations;
};

/* A process by its main thread (tid is the pid). */
void scene_process(const char *dir, int parent, const struct scene_thread *thread);

/* One more thread of it. */
void scene_thread(const char *dir, int pid, const struct scene_thread *thread);

/* A file of the process: "/proc/PID/name". `length` 0: a text. */
void scene_file(const char *dir, int pid, const char *name, const char *bytes, size_t length);

/* /proc/stat with the same busy, idle and steal ticks for CPUs 0 .. count - 1. */
void scene_cpus(const char *dir, unsigned count, unsigned long busy, unsigned long idle, unsigned long steal);

/* Open the prepared root and ask for these processes; scene_close() when done. */
void scene_open(const char *dir, const int *pids, size_t count, struct sysroot *root, struct observe_request *request);

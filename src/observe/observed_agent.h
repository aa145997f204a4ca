/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agents of one instance wrote down of its processes, ended ones too (base/agent_record.h has what each word
 * means). Numbers of processes and threads are those of their own PID namespace.
 */
#pragma once

#include "base/agent_record.h"
#include "base/words.h"

#include <hwloc/bitmap.h>
#include <stdbool.h>
#include <sys/types.h>

/* A set that is not known is NULL, and so is a text. All are owned. */
struct observed_agent_thread {
	pid_t tid;
	bool of_runtime;                  /* an OpenMP runtime started it */
	bool ended;                       /* and seen to end */
	unsigned float_first, float_last; /* enum agent_float; 0: not known */
	hwloc_bitmap_t first_os, last_os;
};

struct observed_agent_runtime {
	char *path;
	unsigned threads; /* that it started */
};

struct observed_agent_process {
	pid_t pid, parent;
	uint64_t begun_ns;      /* CLOCK_BOOTTIME */
	bool forked;            /* a copy of its parent; false: a program of its own */
	int parent_idx;         /* among the processes; -1: its parent is none of them */
	enum agent_state state; /* AGENT_RUNS, AGENT_BECAME or AGENT_ENDED */
	unsigned flags, trouble;
	unsigned preloads; /* bits by position in the plan's preloads: those that were there when it began */

	char *malloc_owner, *gomp_owner, *kmpc_owner;
	struct observed_agent_runtime runtimes[AGENT_RUNTIMES];
	size_t runtime_count;
	bool runtimes_left_out;

	hwloc_bitmap_t first_os, given_os, last_os, chosen_os;
	char *chooser;
	unsigned choices, bindings;

	struct words changed_before, changed; /* names of variables */

	unsigned float_first, float_last;
	unsigned threads_started, threads_ended, threads_unseen, threads_left, not_flushing, met_denormals;
	struct observed_agent_thread *threads; /* those that have a row */
	size_t thread_count;

	unsigned team_last; /* omp_get_max_threads() at its end; 0: not known */

	int policy_first, policy_last; /* MPOL_*; AGENT_NO_POLICY: not known */
};

struct observed_agent {
	struct observed_agent_process *processes; /* in the order they began */
	size_t process_count;
	unsigned processes_lost, threads_lost; /* for which there was no row */
	int map_error;                         /* -errno with which a process could not map the file; 0: none */
	unsigned variables, variables_left_out;
};

void observed_agent_free(struct observed_agent *agent);

/*
 * The process of this number that began last; with 0, the one that everybody means: the program that began first, or,
 * of those that it became or started, the one with the most threads. NULL: there is none.
 */
const struct observed_agent_process *observed_agent_find(const struct observed_agent *agent, pid_t pid);

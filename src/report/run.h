/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a run went: what each instance used, all together, and the report of it, fettle.report/1. Pure.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct observed_agent;
struct observed_gap;
struct report;

struct run_instance {
	unsigned index;
	pid_t pid;     /* 0: never started */
	int exit_code; /* -1: none */
	int signal;    /* 0: none */
	bool stopped;  /* by fettle */
	unsigned restarts;
	unsigned cpus; /* that were planned for it */
	uint64_t wall_ns, cpu_ns, max_rss_bytes;
	uint64_t throttled_periods, throttled_ns; /* of its control group while it ran */
	bool collected;
	double number;
	const struct observed_agent *agent; /* what its processes wrote down; NULL: nothing */
	bool hooked;                        /* the hook for PyTorch is there */
	json_t *hook;                       /* and what it told (hook_json.h); NULL: not known */
};

struct run {
	const struct run_instance *instances;
	size_t count;
	uint64_t wall_ns;                         /* from the first start to the last end */
	bool throttle_known;                      /* somebody counts */
	uint64_t throttled_periods, throttled_ns; /* of the control group in all that time */
	const char *throttle_path;                /* which file says so */
	const char *collect;                      /* the pattern; NULL: nothing was collected */
	bool timed_out;
	int exit_code;               /* of the run */
	const struct report *judged; /* with the plan's indices (gather.h); NULL: nobody looked */
	const struct observed_gap *gaps;
	size_t gap_count;
};

/* All together. Of the numbers only those that were collected count. */
struct run_sum {
	unsigned cpus, restarts;
	uint64_t cpu_ns, max_rss_bytes; /* the largest processes of each added up: they need not have been so at once */
	size_t numbers;
	double sum, mean, least, most;
};

void run_sum(const struct run *run, struct run_sum *ret_sum);

/* What part of its CPUs' time was used: 1 is all of it, of several threads a CPU more; negative: no time passed. */
double run_share(uint64_t cpu_ns, unsigned cpus, uint64_t wall_ns);

/*
 * What the counters of the control group alone prove, if nobody has found it of an instance: that the quota held the
 * run back. Added to `report`. Returns 0 or -ENOMEM.
 */
int run_add_throttled(const struct run *run, struct report *report, struct err *err);

/* The report. Takes over `plan` (fettle.plan/1), whatever comes. NULL when memory ran out. */
json_t *run_to_json(const struct run *run, json_t *plan);

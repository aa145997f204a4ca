/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of a run while it goes on, and told when it is over: the table on stderr and the report.
 */
#pragma once

#include "cli/output.h"
#include "machine/throttle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct launch_end;
struct launch_event;
struct launch_outcome;
struct options;
struct run_hooks;
struct run_watch;
struct start;

struct run_result {
	bool table;                /* is to be shown */
	struct output_file report; /* begun; without a path: none is wanted, or it goes to a device */
	struct throttle throttle;
	struct throttle_counts begin, *starts, *ends; /* of all, and of each child */
	uint64_t begin_ns;
	size_t count;
	const struct run_hooks *hooks; /* set by the caller before it tells */
};

/* Begin: find what is counted, and a place for the report. Returns 0 or -errno with one line. */
int run_result_begin(const struct options *options, size_t count, struct run_result *ret_result, struct err *err);
void run_result_clear(struct run_result *result);

/* A child starts for the first time, or ends. */
void run_result_note(struct run_result *result, const struct launch_event *event);

/*
 * It is over: show the table and what --verify and --require have to say, write the report. `watch` is finished;
 * `*exit_code`, that of the program, becomes EXIT_DIFFERS where it was 0 and something required is not so. Returns 0 or
 * -errno with one line.
 */
int run_result_tell(struct run_result *result, const struct options *options, const struct start *start,
		    const struct launch_end *ends, const struct launch_outcome *outcome, struct run_watch *watch,
		    int *exit_code, struct err *err);

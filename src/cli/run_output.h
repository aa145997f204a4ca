/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the instances' output goes: what the options and our own streams make of it.
 */
#pragma once

#include "launch/output.h"

struct launch_child;
struct options;

struct run_output {
	struct launch_output output;
	int *log_fds; /* owned, as is what they refer to; NULL: no logs */
	size_t log_count;
	regex_t collect;
	bool collects;
	bool terminal_is_ours; /* stderr is a terminal, and no instance writes to it but through us */
};

/* What of the options contradicts itself or cannot be understood: -EINVAL and one line. */
int run_output_check(const struct options *options, struct err *err);

/* Decide, open the logs and compile the pattern. Returns 0 or -errno with one line; free with run_output_clear(). */
int run_output_open(const struct options *options, const struct launch_child *children, size_t count,
		    struct run_output *ret_output, struct err *err);
void run_output_clear(struct run_output *output);

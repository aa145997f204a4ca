/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `fettle run` where there is something to wait for: what the options of supervision mean, what is said while the
 * instances run, and the exit code that tells how they ended.
 */
#pragma once

#include "launch/output.h"

struct err;
struct invocation;
struct launch_orders;
struct options;
struct start;

/*
 * Takes something out of the instances' output and tells of it. All is called in the process that supervises them,
 * which need not be the one that asked for it.
 */
struct run_tap {
	/* `count` are to be started. Returns 0, or -errno: nothing is then. */
	int (*begin)(size_t count, void *context, struct err *err);
	struct launch_tap launch;
	/* All is over, with this exit code; returns that of fettle. */
	int (*tell)(int exit_code, void *context);
	void *context;
};

/* Is a supervisor needed for even one instance? */
bool supervise_is_asked(const struct invocation *invocation);

/* What the options say. Returns 0, or -EINVAL with one line. */
int supervise_orders(const struct options *options, struct launch_orders *ret_orders, struct err *err);

/* Start all, wait for all; the exit code. */
int supervise(const struct invocation *invocation, const struct start *start);

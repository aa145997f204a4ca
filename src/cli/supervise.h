/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `fettle run` where there is something to wait for: what the options of supervision mean, what is said while the
 * instances run, and the exit code that tells how they ended.
 */
#pragma once

#include <stdbool.h>

struct err;
struct invocation;
struct launch_orders;
struct options;
struct start;

/* Is a supervisor needed for even one instance? */
bool supervise_is_asked(const struct options *options);

/* What the options say. Returns 0, or -EINVAL with one line. */
int supervise_orders(const struct options *options, struct launch_orders *ret_orders, struct err *err);

/* Start all, wait for all; the exit code. */
int supervise(const struct invocation *invocation, const struct start *start);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Becoming the program: prepared before a fork, carried out after it.
 */
#pragma once

#include "launch/launch.h"

struct exec_orders {
	const struct launch_program *program; /* borrowed */
	char **shell_argv;                    /* for a script without "#!"; strings borrowed */
};

/* Returns 0 or -ENOMEM. */
int exec_prepare(const struct launch_program *program, struct exec_orders *ret_orders, struct err *err);
void exec_orders_clear(struct exec_orders *orders);
#define cleanup_exec cleanup_(exec_orders_clear)

/* Returns only on failure: -errno. Async-signal-safe. */
int exec_carry_out(const struct exec_orders *orders, char *const *environment);

/* Put a failure of exec_carry_out() into words; returns the code to hand on. */
int exec_explain(const struct launch_program *program, int code, struct err *err);

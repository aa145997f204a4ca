/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instance's binding, in two steps: what allocates is done first, so that carrying it out is
 * system calls alone and may follow a fork.
 */
#pragma once

#include "base/cpulist.h"
#include "launch/launch.h"

#include <limits.h>
#include <stdbool.h>

enum {
	BIND_WORD_BITS = sizeof(unsigned long) * CHAR_BIT,
	BIND_MASK_WORDS = CPULIST_MAX / BIND_WORD_BITS,
};

/* Masks as the kernel takes them, as long as their highest number needs. */
struct bind_orders {
	unsigned long *cpus; /* NULL: the affinity is not touched */
	size_t cpu_words;
	unsigned long *nodes;
	size_t node_words;
	enum memory_policy memory;
};

/* What the kernel answered. No pointers: it goes through a pipe. `granted` comes last, for only its used part does. */
struct bind_result {
	int affinity_error;
	bool affinity_unmet;
	int memory_error;
	int memory_node;      /* the one node preferred of several; -1: the policy is as asked */
	size_t granted_bytes; /* 0: could not be read */
	unsigned long granted[BIND_MASK_WORDS];
};

/* Returns 0 or -ENOMEM. */
int bind_prepare(const struct plan_instance *instance, struct bind_orders *ret_orders, struct err *err);
void bind_orders_clear(struct bind_orders *orders);
#define cleanup_orders cleanup_(bind_orders_clear)

/* Bind the calling thread. Async-signal-safe. */
void bind_carry_out(const struct bind_orders *orders, struct bind_result *ret_result);

/* The outcome as launch.h tells it. Returns 0 or -ENOMEM. */
int bind_grant(const struct plan_instance *instance, const struct bind_result *result, struct launch_grant *ret_grant,
	       struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling thread's memory policy, by system call: libnuma would be one more library to load
 * and ends the process where we want to step down.
 */
#pragma once

#include "plan/workload.h"

#include <stddef.h>

/*
 * Set `policy` over the nodes in `nodes` (`words` words, bit n is node n). MEMORY_NONE and MEMORY_AUTO do
 * nothing at all: an inherited policy stays. `*ret_node` is -1, or the one node that is preferred where the kernel
 * (before Linux 5.15) cannot prefer several. Returns 0 or -errno of the kernel's refusal. Async-signal-safe.
 */
int mempolicy_set(enum memory_policy policy, const unsigned long *nodes, size_t words, int *ret_node);

/* Back to the kernel's default. Returns 0 or -errno. Async-signal-safe. */
int mempolicy_reset(void);

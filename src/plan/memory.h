/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an instance's pages belong, and by which policy.
 */
#pragma once

#include "plan/pool.h"

struct slot;

/* Fill nodes_os and memory_policy of `instance` from the cores in `slot`. Returns 0 or -ENOMEM; notes go to `plan`. */
int memory_place(const struct pool *pool, const struct slot *slot, enum memory_policy asked,
		 struct plan_instance *instance, struct plan *plan, struct err *err);

/* How many home nodes the slot's cores have (CPUs in no node count as one more). */
unsigned memory_homes(const struct pool *pool, const struct slot *slot);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Slurm tells a task: how many there are on its node, whether it bound them, and each one's CPUs. These are the
 * functions of its row in managers.c.
 */
#pragma once

#include "plan/managers.h"

/*
 * Tasks on this task's node, or 0 where that is not said; `*ret_name`: the variable that says so or should. Fills
 * claim->count and claim->weak. Returns 0; -EINVAL: a variable is not understood.
 */
int slurm_count(const struct workload *workload, struct manager_claim *claim, const char **ret_name, struct err *err);

enum manager_bound slurm_bound(const struct workload *workload);

/* managers_sharers() of its ranks. */
int slurm_sharers(const struct workload *workload, const struct manager_claim *claim, hwloc_const_bitmap_t mask_os,
		  struct manager_sharers *ret_sharers);

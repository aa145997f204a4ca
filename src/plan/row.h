/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sharing out in a row: the cores stand by number and each instance is a run of them, as ipexrun and run_cpu have it,
 * so that their scripts get the cores they always got. Where that arrangement breaks what a plan promises (fewer
 * instances than asked, unequal ones, one that straddles nodes although a node could hold it) the runs are cut inside
 * the nodes instead.
 *
 * A wish that cannot be met whole is met as far as can be, with a warning: what another launcher ran, runs.
 */
#pragma once

#include "plan/place.h"

/*
 * Settle number, size and place of the instances for request->row, writing why into plan->reasons. Fills
 * `ret_shape`, `*ret_slots` with their places (shape.instances of them, for slots_free()). -EINVAL when not even
 * that many instances are possible; -ENOMEM.
 */
int row_make(const struct pool *pool, const struct workload *workload, struct plan *plan, struct shape *ret_shape,
	     struct slot **ret_slots, struct err *err);

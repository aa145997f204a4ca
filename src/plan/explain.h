/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a finished plan says of itself: how threads are bound and where memory goes, and what will hurt.
 */
#pragma once

#include "plan/pool.h"

struct slot;
struct workload;

/* Append reasons and warnings to `plan`, whose instances are filled from `slots`. Returns 0 or -ENOMEM. */
int plan_explain(const struct pool *pool, const struct slot *slots, const struct workload *workload, struct plan *plan);

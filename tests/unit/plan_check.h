/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds a plan against the invariants of the contract, worked out again from
 * the machine alone: nothing of src/plan is used but the structs.
 */
#pragma once

struct machine;
struct plan;
struct request;

/* What the plan breaks, in words; NULL when it holds. `threads_forced`: --threads or the user's OMP_NUM_THREADS. */
const char *plan_check(const struct machine *machine, const struct request *request, const struct plan *plan,
		       int threads_forced);

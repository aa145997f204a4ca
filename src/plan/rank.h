/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --slot: this process is one of several that another program starts on this machine, and takes its share of what they
 * may use: by its local rank, which the manager (Slurm, Open MPI, torchrun ...) tells each in the environment.
 */
#pragma once

#include <hwloc/bitmap.h>

struct err;
struct machine;
struct plan;
struct workload;

/*
 * Turn workload->request.slot, which is given, into instances and instance, so that all ranks make the same plan and
 * each starts its part; where the manager has bound this rank to CPUs of its own, into one instance on these.
 * `cpuset_os`: what all ranks may use (NULL: not known). Fills workload->rank. Returns 0; -EINVAL: no manager,
 * variables that contradict each other or the options, or masks that some ranks share and others do not; -ENOMEM.
 */
int rank_take(const struct machine *machine, hwloc_const_bitmap_t cpuset_os, struct workload *workload,
	      struct err *err);

/*
 * Without --slot: is this one of several ranks that have the same CPUs, and will all make the same plan of them? Fills
 * workload->rank then, for the warning. Where the options name CPUs or an instance, and where the variables are not
 * understood, nothing is said.
 */
void rank_watch(const struct machine *machine, struct workload *workload);

/* Add to the plan's reasons and warnings what was decided on. Returns 0 or -ENOMEM. */
int rank_explain(const struct workload *workload, struct plan *plan);

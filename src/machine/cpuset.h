/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPUs of our cpuset: what the container or the batch system gave to all of us, where affinity is what one process
 * was left of it.
 */
#pragma once

#include <hwloc/bitmap.h>

#include <sys/types.h>

struct err;
struct machine;
struct mounts;
struct sysroot;

/*
 * Into `*ret_pus_os`, for the caller to free: those of machine->pus that are in the cpuset of process `pid` (the one
 * /proc/self means below `root`); all of them where there are no cpusets; NULL: cannot be told. Returns 0 or -ENOMEM.
 */
int cpuset_read(const struct sysroot *root, const struct machine *machine, pid_t pid, hwloc_bitmap_t *ret_pus_os,
		struct err *err);

/* The same for any process, whose /proc/PID/cgroup is `memberships`; NULL: no cpuset says. Returns 0 or -ENOMEM. */
int cpuset_of_process(const struct sysroot *root, const struct mounts *mounts, const char *memberships, pid_t pid,
		      hwloc_bitmap_t *ret_pus_os);

/* The same for us on the live machine; another machine is taken for one cpuset. For who asks only: it reads files. */
int machine_read_cpuset(const struct machine *machine, hwloc_bitmap_t *ret_pus_os, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel lets the calling thread use. Every fact says where it came from;
 * what could not be read is unknown, never an error and never "no limit".
 */
#pragma once

#include <hwloc/bitmap.h>
#include <sys/types.h>

struct err;
struct fact;
struct machine;
struct machine_limits;
struct mounts;
struct sysroot;

/* The calling thread's affinity, however many CPUs the kernel knows. The caller frees it; NULL on failure. */
hwloc_bitmap_t limits_affinity(void);

/*
 * Put the running system's limits in the place of those found so far: `affinity` (NULL: could
 * not be had), Mems_allowed, CPU quota and memory limit. `mounts` NULL: could not be read. Returns 0 or -ENOMEM.
 */
int limits_read(const struct sysroot *root, const struct mounts *mounts, hwloc_const_bitmap_t affinity,
		struct machine *machine, struct err *err);

/*
 * The same for a captured root: what it has of its process's status takes the place of the limits found so
 * far, and what it lacks leaves them. Returns 0 or -ENOMEM.
 */
int limits_read_captured(const struct sysroot *root, struct machine *machine, struct err *err);

/* The thread's affinity as captured by us; the kernel's status file has it too. */
#define LIMITS_AFFINITY_FILE "/fettle/affinity"

/*
 * CPU quota and memory limit: the tightest along the cgroup path of process `pid` (the one
 * /proc/self means below `root`), and whether limits->pus_os are isolated. `mounts` as above. Returns 0 or -ENOMEM.
 */
int cgroup_limits_read(const struct sysroot *root, const struct mounts *mounts, pid_t pid,
		       struct machine_limits *limits, struct err *err);

/*
 * CPU quota and memory limit alone, of any process `pid`, whose /proc/PID/cgroup is `memberships`. Returns 0 or
 * -ENOMEM.
 */
int cgroup_limits_of(const struct sysroot *root, const struct mounts *mounts, const char *memberships, pid_t pid,
		     struct fact *ret_quota_milli, struct fact *ret_memory_bytes);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the scheduler moves threads between the CPUs we may use. On isolated ones it does not: a thread stays where
 * it was started, and a whole team may share one CPU while others are idle.
 */
#pragma once

#include <sys/types.h>

struct machine_limits;
struct mounts;
struct sysroot;

/*
 * Fill limits->isolated: known where some of limits->pus_os are on the kernel's list of isolated CPUs, or where our
 * cgroup belongs to an isolated partition (v2) or to cpusets without load balancing (v1); else absent. `memberships` is
 * the text of /proc/self/cgroup, `pid` its process. Returns 0 or -ENOMEM.
 */
int isolation_read(const struct sysroot *root, const struct mounts *mounts, const char *memberships, pid_t pid,
		   struct machine_limits *limits);

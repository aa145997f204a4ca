/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process's cgroup directory is: /proc/self/cgroup says which cgroup, mountinfo
 * where its hierarchy is mounted, and neither is a path one can simply put after /sys/fs/cgroup.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct mounts;
struct sysroot;

/* The directories that govern one controller: `dir` is the process's own, `dir[0..top_length]` the highest we see. */
struct cgroup_path {
	char *dir; /* owned */
	size_t top_length;
	bool unified; /* cgroup v2 */
};

/*
 * `memberships` is the text of /proc/self/cgroup, `pid` the process it belongs to. Returns 0;
 * -ENOENT: no hierarchy has the controller; -ENXIO: one has, and its directory cannot be found; -ENOMEM.
 */
int cgroup_path_find(const struct sysroot *root, const struct mounts *mounts, const char *memberships,
		     const char *controller, pid_t pid, struct cgroup_path *ret_path);

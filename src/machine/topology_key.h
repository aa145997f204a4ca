/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the topology of the running machine depends on, as text: while it stays the same, so does the
 * topology. Limits (affinity, cpusets, Mems_allowed, quota, memory limit) are no part of it: they are read anew each
 * time.
 */
#pragma once

struct mounts;
struct sysroot;

/*
 * The key: this boot, this program and its hwloc, the kernel, the CPUs online, the nodes online and those with
 * memory, the size of memory. The caller frees it. NULL: the topology is not one to remember, because something the
 * key rests on cannot be read, or is not the kernel's own (/sys elsewhere, or mounts over what hwloc reads).
 */
char *topology_key(const struct sysroot *root, const struct mounts *mounts);

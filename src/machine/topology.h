/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a source to the facts of a machine, through hwloc. The only two files that
 * know hwloc's topology are hwloc_read.c (getting one) and hwloc_fill.c (reading it).
 */
#pragma once

#include <hwloc.h>
#include <stdbool.h>

struct err;
struct machine;
struct source;

/*
 * Fill everything of `machine` that the topology tells; limits become the topology's allowed
 * sets. `extra_pus` (may be NULL): online PUs to add as cores of their own should the topology lack them.
 * A foreign source is tried in a child process first: hwloc 2.9 crashes on some broken files.
 */
int topology_read(const struct source *source, hwloc_const_bitmap_t extra_pus, struct machine *machine,
		  struct err *err);

/* A captured root, as a directory. */
struct topology_root {
	const char *name; /* what messages call it */
	const char *dir;
	bool cpuid; /* it holds the CPUs' cpuid records instead of /sys and /proc */
};

/* Fill `machine` from a captured root, in a child as well: hwloc would take the root for the whole process. */
int topology_read_root(const struct topology_root *root, struct machine *machine, struct err *err);

/* The second half: copy the facts out of a loaded topology. */
int topology_fill(hwloc_topology_t topology, hwloc_const_bitmap_t extra_pus, struct machine *machine, struct err *err);

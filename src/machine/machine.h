/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is there, and what we may use of it. Facts only: nothing here decides.
 *
 * Index kinds: an `_os` number is the kernel's; an `_idx` is a position in an
 * array of this struct. CPU ids are PU OS numbers; core OS numbers repeat
 * between packages and are never used to name a CPU.
 */
#pragma once

#include "base/fact.h"

#include <hwloc/bitmap.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct host;
struct may;

enum machine_source {
	MACHINE_LIVE,
	MACHINE_XML,
	MACHINE_SYNTHETIC,
	MACHINE_ROOT,
	MACHINE_LSCPU,
};

enum { MACHINE_NONE = -1 }; /* an index that points nowhere */

/* One online hardware thread. */
struct machine_pu {
	unsigned os;
	int core_idx;
};

/* One core with online PUs. A PU the source puts in no core is a core of its own. */
struct machine_core {
	int package_idx; /* MACHINE_NONE: the source names no package */
	int node_idx;    /* home node (see machine_node); MACHINE_NONE: belongs to no node */
	int l3_idx;      /* MACHINE_NONE: outside any L3, or caches not known */
	int kind_idx;
	unsigned pu_idx; /* first of its PUs in `pus`; they follow each other, lowest OS number first */
	unsigned pu_count;
};

/*
 * One NUMA node. Several nodes may cover the same CPUs (a core's home is then
 * the smallest of them, with memory rather than without, allowed rather than
 * not, lowest number first); a node may have no CPU or no memory.
 */
struct machine_node {
	unsigned os;
	hwloc_bitmap_t pus_os;    /* all online PUs the kernel counts to this node */
	struct fact memory_bytes; /* unknown: the source gives no sizes at all */
	uint64_t *distances;      /* to each node by index; NULL when not known */
};

struct machine_cache {
	unsigned level;
	struct fact size_bytes;
	hwloc_bitmap_t pus_os;
};

/* A kind of core. Kind 0 is the least powerful. */
struct machine_kind {
	unsigned efficiency; /* hwloc's rank: higher is more powerful */
	bool small;          /* an efficiency core: left out unless asked for */
	hwloc_bitmap_t pus_os;
	struct fact max_mhz;
};

struct machine_package {
	hwloc_bitmap_t pus_os;
};

/* What the container, the administrator and our parent left us. */
struct machine_limits {
	hwloc_bitmap_t pus_os;    /* affinity ∩ cpuset ∩ online */
	hwloc_bitmap_t nodes_os;  /* Mems_allowed ∩ nodes that exist */
	struct fact pus;          /* where pus_os came from (value: how many) */
	struct fact nodes;        /* where nodes_os came from (value: how many) */
	struct fact quota_milli;  /* CPU bandwidth in 1/1000 CPU: the tightest of the cgroup path */
	struct fact memory_bytes; /* memory limit: the tightest of the cgroup path */
	struct fact isolated;     /* known: the scheduler moves no thread between (some of) these CPUs */
};

struct machine {
	enum machine_source source;
	char *source_name;  /* what --machine said; "live" for this machine */
	char *model;        /* CPU model; NULL: unknown */
	char *architecture; /* as uname -m; NULL: unknown */

	struct machine_pu *pus; /* grouped by core, cores in topology order */
	size_t pu_count;
	struct machine_core *cores; /* topology order: package, node, L3, core */
	size_t core_count;
	struct machine_node *nodes; /* by OS number */
	size_t node_count;
	struct machine_package *packages;
	size_t package_count;
	struct machine_cache *caches; /* data and unified, level 1 upward; l3_idx points in here */
	size_t cache_count;
	struct machine_kind *kinds; /* at least one */
	size_t kind_count;
	bool kinds_known;      /* false: the source says nothing about kinds; one is assumed */
	bool siblings_unknown; /* the source does not tell who shares a core: each PU stands as one of its own */
	unsigned told_packages, told_cores, told_threads; /* counts told without their members; 0: see the arrays */

	struct machine_limits limits;

	struct host *host; /* see machine_read_host(); NULL: not asked for, or not told */
	struct may *may;   /* see machine_read_may(); the same */
};

/*
 * Read the machine `spec` names (contract.md: live, FILE.xml, synthetic:TEXT; NULL is live).
 * Live limits are those of the calling thread. Returns 0 and a machine for machine_free(),
 * or -EINVAL / -ENOENT / -EOPNOTSUPP ... with one line that names what is wrong.
 * Not safe while another thread changes the environment.
 */
int machine_read(const char *spec, struct machine **ret_machine, struct err *err);

/*
 * As machine_read(), with the live topology taken from `cache_folder` while nothing it depends on has changed, and
 * left there otherwise (topology_cache.h). Limits are always read afresh. A folder that is missing, not to be trusted
 * or not to be written is no error. NULL: no cache.
 */
int machine_read_cached(const char *spec, const char *cache_folder, struct machine **ret_machine, struct err *err);

void machine_free(struct machine *machine);
static inline void machine_free_(struct machine **machine)
{
	machine_free(*machine);
}
#define cleanup_machine cleanup_(machine_free_)

/* "2 packages x 28 cores x 2 threads, 2 NUMA nodes; you may use 8 cores of node 0, quota 4.0 CPUs".
 * The caller frees it; NULL when memory ran out. */
char *machine_summary(const struct machine *machine);

/* The document `fettle machine --json` prints (fettle.machine/1), host facts as far as they were read. NULL when memory
 * ran out. */
json_t *machine_to_json(const struct machine *machine);

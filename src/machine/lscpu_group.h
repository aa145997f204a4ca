/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which CPUs belong together: what the numbers in lscpu's columns say about packages, nodes,
 * cores and caches, and what they leave open.
 */
#pragma once

#include "machine/lscpu_parse.h"

struct err;
struct machine;

/* CPUs sorted into classes, numbered from 0 in the order of their first CPUs (nodes: of their numbers). */
struct lscpu_grouping {
	int *of; /* of each CPU by index; MACHINE_NONE: in no class */
	size_t count;
};

/* A CPU's row in one table; borrowed. */
struct lscpu_entry {
	const struct lscpu_row *row;
};

struct lscpu_cpus {
	unsigned *os; /* online CPUs, ascending */
	size_t count;
	struct lscpu_entry *entries; /* entries[table * count + cpu] */
	size_t table_count;

	struct lscpu_grouping packages, nodes, cores;
	bool siblings_unknown; /* every CPU is in a class of its own in `cores`, since none is told */
	struct lscpu_grouping caches[LSCPU_CACHE_LEVELS];
	unsigned *node_os; /* of each class in `nodes`, ascending; some have no CPU */
};

/*
 * Group the CPUs of `online`; `lscpu` is borrowed until lscpu_cpus_clear(). Returns 0, -ENOMEM, or -EINVAL
 * where the text contradicts itself.
 */
int lscpu_group(const struct lscpu *lscpu, hwloc_const_bitmap_t online, struct lscpu_cpus *ret_cpus, struct err *err);

/* Make the machine's kinds from the largest frequencies, where the text has them. Returns 0 or -ENOMEM. */
int lscpu_fill_kinds(const struct lscpu_cpus *cpus, struct machine *machine, struct err *err);

void lscpu_cpus_clear(struct lscpu_cpus *cpus);
#define cleanup_lscpu_cpus cleanup_(lscpu_cpus_clear)

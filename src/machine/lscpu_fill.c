/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/lscpu.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "machine/lscpu_group.h"
#include "machine/lscpu_parse.h"
#include "machine/machine.h"
#include "machine/source.h"

#include <string.h>

/* Which CPUs are online: what the summary lists, what the tables say, and all of them must say the same. */

/*
 * A CPU of which a table tells nothing is offline when the table tells something of others. The kernel takes away the
 * topology of a CPU that goes offline, yet lscpu may name a socket or node that its neighbours still list: where
 * `cores` are told, only a core counts.
 */
static bool row_is_silent(const struct lscpu_row *row, bool cores)
{
	if (cores)
		return row->cells[LSCPU_CORE] == LSCPU_EMPTY;
	for (size_t i = 0; i < LSCPU_COLUMNS; i++) {
		if (row->cells[i] != LSCPU_EMPTY)
			return false;
	}
	return true;
}

static bool row_is_online(const struct lscpu *lscpu, const struct lscpu_table *table, const struct lscpu_row *row,
			  bool cores, bool silent_table)
{
	if (table->has[LSCPU_ONLINE] && row->cells[LSCPU_ONLINE] != LSCPU_EMPTY)
		return row->cells[LSCPU_ONLINE] == 1;
	if (lscpu->online)
		return hwloc_bitmap_isset(lscpu->online, row->os);
	return silent_table || !row_is_silent(row, cores);
}

static int table_online(const struct lscpu *lscpu, const struct lscpu_table *table, hwloc_bitmap_t online)
{
	bool silent_table = true, cores = false;

	hwloc_bitmap_zero(online);
	for (size_t i = 0; i < table->count && !cores; i++)
		cores = !row_is_silent(&table->rows[i], true);
	for (size_t i = 0; i < table->count && silent_table; i++)
		silent_table = row_is_silent(&table->rows[i], cores);
	for (size_t i = 0; i < table->count; i++) {
		if (row_is_online(lscpu, table, &table->rows[i], cores, silent_table) &&
		    hwloc_bitmap_set(online, table->rows[i].os) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int differ(hwloc_const_bitmap_t a, hwloc_const_bitmap_t b, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t only = hwloc_bitmap_alloc();

	if (!only || hwloc_bitmap_xor(only, a, b) < 0)
		return err_nomem(err);
	return err_set(err, -EINVAL, "CPU %d is online in one part of the text and not in another",
		       hwloc_bitmap_first(only));
}

static int find_online(const struct lscpu *lscpu, hwloc_bitmap_t online, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t other = hwloc_bitmap_alloc();
	bool found = lscpu->online != NULL;

	if (!other || (found && hwloc_bitmap_copy(online, lscpu->online) < 0))
		return err_nomem(err);
	for (size_t i = 0; i < lscpu->table_count; i++) {
		if (table_online(lscpu, &lscpu->tables[i], other) < 0)
			return err_nomem(err);
		if (found && !hwloc_bitmap_isequal(online, other))
			return differ(online, other, err);
		if (hwloc_bitmap_copy(online, other) < 0)
			return err_nomem(err);
		found = true;
	}
	if (!found) {
		err_set(err, -EINVAL, "no text that lscpu writes");
		return err_hint(err, "save the output of lscpu -e, lscpu -p or lscpu -J -e, with its header");
	}
	return hwloc_bitmap_iszero(online) ? err_set(err, -EINVAL, "no CPU is online") : 0;
}

/* From groups of CPUs to the arrays of the machine. */

static hwloc_bitmap_t *new_sets(size_t count)
{
	hwloc_bitmap_t *sets = calloc(count + 1, sizeof(hwloc_bitmap_t));

	for (size_t i = 0; sets && i < count; i++) {
		sets[i] = hwloc_bitmap_alloc();
		if (sets[i])
			continue;
		while (i-- > 0)
			hwloc_bitmap_free(sets[i]);
		free(sets);
		return NULL;
	}
	return sets;
}

/* The CPUs of each class of a grouping; `ret_sets` has grouping->count of them. The caller frees both. */
static int sets_of(const struct lscpu_cpus *cpus, const struct lscpu_grouping *grouping, hwloc_bitmap_t **ret_sets)
{
	hwloc_bitmap_t *sets = new_sets(grouping->count);
	bool ok = sets != NULL;

	for (size_t i = 0; ok && i < cpus->count; i++) {
		if (grouping->of[i] != MACHINE_NONE)
			ok = hwloc_bitmap_set(sets[grouping->of[i]], cpus->os[i]) == 0;
	}
	if (!ok) {
		for (size_t i = 0; sets && i < grouping->count; i++)
			hwloc_bitmap_free(sets[i]);
		free(sets);
		return -ENOMEM;
	}
	*ret_sets = sets;
	return 0;
}

/*
 * Counts that the summary tells where nothing tells the members. Cores only where they account for every online CPU:
 * lscpu rounds the cores of a socket down, and a CPU that is offline leaves a core with fewer threads.
 */
static void fill_told(const struct lscpu *lscpu, const struct lscpu_cpus *cpus, struct machine *machine)
{
	const uint64_t cores = (uint64_t)lscpu->sockets * lscpu->cores_per_socket;
	const bool one_kind = lscpu->kinds == 1;

	if (one_kind && !cpus->packages.count && lscpu->sockets <= cpus->count)
		machine->told_packages = lscpu->sockets;
	if (!cpus->siblings_unknown)
		return;
	machine->siblings_unknown = true;
	machine->told_threads = lscpu->threads_per_core;
	if (one_kind && cores <= cpus->count && cores * lscpu->threads_per_core == cpus->count)
		machine->told_cores = (unsigned)cores;
}

static int fill_packages(const struct lscpu_cpus *cpus, struct machine *machine)
{
	cleanup_free hwloc_bitmap_t *sets = NULL;

	machine->packages = calloc(cpus->packages.count + 1, sizeof(*machine->packages));
	if (!machine->packages || sets_of(cpus, &cpus->packages, &sets) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < cpus->packages.count; i++)
		machine->packages[machine->package_count++].pus_os = sets[i];
	return 0;
}

static int fill_nodes(const struct lscpu_cpus *cpus, struct machine *machine)
{
	cleanup_free hwloc_bitmap_t *sets = NULL;

	machine->nodes = calloc(cpus->nodes.count + 1, sizeof(*machine->nodes));
	if (!machine->nodes || sets_of(cpus, &cpus->nodes, &sets) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < cpus->nodes.count; i++)
		machine->nodes[machine->node_count++] =
			(struct machine_node){ .os = cpus->node_os[i], .pus_os = sets[i] };
	if (machine->node_count != 1)
		return 0;
	/* A node's distance to itself is 10 by ACPI's definition. */
	machine->nodes[0].distances = calloc(1, sizeof(uint64_t));
	if (!machine->nodes[0].distances)
		return -ENOMEM;
	machine->nodes[0].distances[0] = 10;
	return 0;
}

static int fill_caches(const struct lscpu *lscpu, const struct lscpu_cpus *cpus, struct machine *machine)
{
	size_t room = 1;

	for (size_t level = 0; level < LSCPU_CACHE_LEVELS; level++)
		room += cpus->caches[level].count;
	machine->caches = calloc(room, sizeof(*machine->caches));
	if (!machine->caches)
		return -ENOMEM;
	for (size_t level = 0; level < LSCPU_CACHE_LEVELS; level++) {
		const struct lscpu_grouping *const grouping = &cpus->caches[level];
		const uint64_t bytes = grouping->count == 1 ? lscpu->cache_bytes[level] : 0;
		cleanup_free hwloc_bitmap_t *sets = NULL;

		if (sets_of(cpus, grouping, &sets) < 0)
			return -ENOMEM;
		for (size_t i = 0; i < grouping->count; i++) {
			struct machine_cache *const cache = &machine->caches[machine->cache_count++];

			*cache = (struct machine_cache){ .level = (unsigned)level + 1, .pus_os = sets[i] };
			if (bytes && fact_set(&cache->size_bytes, FACT_KNOWN, bytes, NULL, NULL) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* Cores in topology order, as hwloc has them: by the first CPU of package, node, L3, L2 and core in turn. */
enum { RANKS = 5 };

struct place {
	unsigned first[RANKS];
	size_t cpu_idx;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	for (size_t i = 0; i < RANKS; i++) {
		if (x->first[i] != y->first[i])
			return x->first[i] < y->first[i] ? -1 : 1;
	}
	return x->cpu_idx < y->cpu_idx ? -1 : x->cpu_idx > y->cpu_idx;
}

/*
 * The first CPU of each CPU's class, asked of its core's first CPU (`lead`, by index): whatever the text says,
 * those of a core stay together. A core in no class stands for itself.
 */
static int rank(const struct lscpu_cpus *cpus, const struct lscpu_grouping *grouping, const size_t *lead,
		struct place *places, size_t at)
{
	cleanup_free unsigned *first = calloc(grouping->count + 1, sizeof(*first));

	if (!first)
		return -ENOMEM;
	for (size_t i = cpus->count; i-- > 0;) {
		if (grouping->of[i] != MACHINE_NONE)
			first[grouping->of[i]] = cpus->os[i];
	}
	for (size_t i = 0; i < cpus->count; i++) {
		const int class = grouping->of[lead[i]];
		/* Where there are no classes at all, the next rank decides. */
		const unsigned outside = grouping->count ? cpus->os[lead[i]] : 0;

		places[i].first[at] = class == MACHINE_NONE ? outside : first[class];
	}
	return 0;
}

static int sort_places(const struct lscpu_cpus *cpus, struct place *places)
{
	const struct lscpu_grouping *const ranks[RANKS] = { &cpus->packages, &cpus->nodes, &cpus->caches[2],
							    &cpus->caches[1], &cpus->cores };
	cleanup_free size_t *lead = calloc(cpus->count, sizeof(*lead));
	cleanup_free size_t *lead_of = calloc(cpus->cores.count, sizeof(*lead_of));

	if (!lead || !lead_of)
		return -ENOMEM;
	for (size_t i = cpus->count; i-- > 0;) {
		lead_of[cpus->cores.of[i]] = i;
		places[i].cpu_idx = i;
	}
	for (size_t i = 0; i < cpus->count; i++)
		lead[i] = lead_of[cpus->cores.of[i]];
	for (size_t i = 0; i < RANKS; i++) {
		if (rank(cpus, ranks[i], lead, places, i) < 0)
			return -ENOMEM;
	}
	qsort(places, cpus->count, sizeof(*places), compare_places);
	return 0;
}

static int fill_cores(const struct lscpu_cpus *cpus, struct machine *machine)
{
	const struct lscpu_grouping *const l3 = &cpus->caches[2];
	cleanup_free struct place *places = calloc(cpus->count, sizeof(*places));
	const int l3_first = (int)(cpus->caches[0].count + cpus->caches[1].count);
	int core = MACHINE_NONE;

	machine->pus = calloc(cpus->count, sizeof(*machine->pus));
	machine->cores = calloc(cpus->cores.count, sizeof(*machine->cores));
	if (!places || !machine->pus || !machine->cores || sort_places(cpus, places) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < cpus->count; i++) {
		const size_t cpu = places[i].cpu_idx;

		if (core != cpus->cores.of[cpu])
			machine->cores[machine->core_count++] = (struct machine_core){
				.package_idx = cpus->packages.of[cpu],
				.node_idx = MACHINE_NONE,
				.l3_idx = l3->of[cpu] == MACHINE_NONE ? MACHINE_NONE : l3_first + l3->of[cpu],
				.pu_idx = (unsigned)i,
			};
		core = cpus->cores.of[cpu];
		machine->cores[machine->core_count - 1].pu_count++;
		machine->pus[machine->pu_count++] = (struct machine_pu){ cpus->os[cpu], (int)machine->core_count - 1 };
	}
	return 0;
}

/* Who is allowed what, the text does not know: all that is online may be planned for, as with XML that is silent. */
static int fill_limits(const struct lscpu_cpus *cpus, struct machine *machine)
{
	struct machine_limits *const limits = &machine->limits;

	limits->pus_os = hwloc_bitmap_alloc();
	limits->nodes_os = hwloc_bitmap_alloc();
	if (!limits->pus_os || !limits->nodes_os)
		return -ENOMEM;
	for (size_t i = 0; i < cpus->count; i++) {
		if (hwloc_bitmap_set(limits->pus_os, cpus->os[i]) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < machine->node_count; i++) {
		if (hwloc_bitmap_set(limits->nodes_os, machine->nodes[i].os) < 0)
			return -ENOMEM;
	}
	if (fact_set(&limits->pus, FACT_KNOWN, cpus->count, machine->source_name, NULL) < 0)
		return -ENOMEM;
	return fact_set(&limits->nodes, machine->node_count ? FACT_KNOWN : FACT_UNKNOWN, machine->node_count,
			machine->source_name, NULL);
}

static int fill(struct lscpu *lscpu, const struct lscpu_cpus *cpus, struct machine *machine, struct err *err)
{
	int r;

	if (fill_packages(cpus, machine) < 0 || fill_nodes(cpus, machine) < 0 ||
	    fill_caches(lscpu, cpus, machine) < 0 || fill_cores(cpus, machine) < 0)
		return err_nomem(err);
	r = lscpu_fill_kinds(cpus, machine, err);
	if (r < 0)
		return r;
	fill_told(lscpu, cpus, machine);
	machine->model = TAKE(lscpu->model);
	machine->architecture = TAKE(lscpu->architecture);
	return fill_limits(cpus, machine) < 0 ? err_nomem(err) : 0;
}

int lscpu_read(const struct source *source, struct machine *machine, struct err *err)
{
	cleanup_lscpu struct lscpu lscpu = { .tables = NULL };
	cleanup_lscpu_cpus struct lscpu_cpus cpus = { .os = NULL };
	cleanup_bitmap hwloc_bitmap_t online = hwloc_bitmap_alloc();
	int r = online ? lscpu_parse(source->bytes, source->length, &lscpu, err) : err_nomem(err);

	if (r == 0)
		r = find_online(&lscpu, online, err);
	if (r == 0)
		r = lscpu_group(&lscpu, online, &cpus, err);
	if (r == 0)
		r = fill(&lscpu, &cpus, machine, err);
	return r < 0 && r != -ENOMEM ? err_wrap(err, "cannot read machine '%s'", source->name) : r;
}

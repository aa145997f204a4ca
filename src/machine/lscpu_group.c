/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/lscpu_group.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"

#include <string.h>

/* A CPU on its way into a class: the class it was in, and what tells it from others there. */
struct item {
	int64_t was, value;
	size_t cpu_idx;
};

static int compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->was != y->was)
		return x->was < y->was ? -1 : 1;
	if (x->value != y->value)
		return x->value < y->value ? -1 : 1;
	return x->cpu_idx < y->cpu_idx ? -1 : x->cpu_idx > y->cpu_idx;
}

static int grouping_init(struct lscpu_grouping *grouping, size_t cpu_count)
{
	grouping->of = calloc(cpu_count, sizeof(*grouping->of));
	grouping->count = 1;
	return grouping->of ? 0 : -ENOMEM;
}

/* Split classes: CPUs stay together where `values` are equal too. */
static int split(struct lscpu_grouping *grouping, const int64_t *values, size_t count)
{
	cleanup_free struct item *items = calloc(count, sizeof(*items));
	cleanup_free int *renumbered = NULL;
	size_t classes = 0, next = 0;

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		items[i] = (struct item){ grouping->of[i], values[i], i };
	qsort(items, count, sizeof(*items), compare_items);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && (items[i].was != items[i - 1].was || items[i].value != items[i - 1].value))
			classes++;
		grouping->of[items[i].cpu_idx] = (int)classes;
	}
	/* In the order of their first CPUs. */
	renumbered = malloc((classes + 1) * sizeof(*renumbered));
	if (!renumbered)
		return -ENOMEM;
	for (size_t i = 0; i <= classes; i++)
		renumbered[i] = MACHINE_NONE;
	for (size_t i = 0; i < count; i++) {
		int *const number = &renumbered[grouping->of[i]];

		if (*number == MACHINE_NONE)
			*number = (int)next++;
		grouping->of[i] = *number;
	}
	grouping->count = next;
	return 0;
}

static const struct lscpu_row *row_of(const struct lscpu_cpus *cpus, size_t table, size_t cpu)
{
	return cpus->entries[table * cpus->count + cpu].row;
}

static bool any_table_has(const struct lscpu *lscpu, enum lscpu_column column)
{
	bool has = false;

	for (size_t i = 0; i < lscpu->table_count; i++)
		has |= lscpu->tables[i].has[column];
	return has;
}

/* Whether the column is told of any CPU: lscpu -p writes empty ones where the kernel has no topology. */
static bool any_cpu_has(const struct lscpu_cpus *cpus, enum lscpu_column column)
{
	for (size_t i = 0; i < cpus->count * cpus->table_count; i++) {
		if (cpus->entries[i].row->cells[column] != LSCPU_EMPTY)
			return true;
	}
	return false;
}

/* Split by one column of every table that has it: CPUs are together only where all tables say so. */
static int split_by_column(const struct lscpu *lscpu, const struct lscpu_cpus *cpus, enum lscpu_column column,
			   struct lscpu_grouping *grouping)
{
	cleanup_free int64_t *values = calloc(cpus->count, sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (size_t t = 0; t < lscpu->table_count; t++) {
		if (!lscpu->tables[t].has[column])
			continue;
		for (size_t i = 0; i < cpus->count; i++)
			values[i] = row_of(cpus, t, i)->cells[column];
		if (split(grouping, values, cpus->count) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* CPUs whose `column` no table tells leave the grouping. */
static void leave_untold(const struct lscpu_cpus *cpus, enum lscpu_column column, struct lscpu_grouping *grouping,
			 int *renumbered)
{
	size_t count = 0;

	for (size_t i = 0; i < grouping->count; i++)
		renumbered[i] = MACHINE_NONE;
	for (size_t i = 0; i < cpus->count; i++) {
		int *const of = &grouping->of[i];
		bool told = false;

		for (size_t t = 0; t < cpus->table_count; t++)
			told |= row_of(cpus, t, i)->cells[column] != LSCPU_EMPTY;
		if (told && renumbered[*of] == MACHINE_NONE)
			renumbered[*of] = (int)count++;
		*of = told ? renumbered[*of] : MACHINE_NONE;
	}
	grouping->count = count;
}

/* Group by `columns`, the first of which a CPU must have to belong to a class at all. */
static int group_by(const struct lscpu *lscpu, const struct lscpu_cpus *cpus, const enum lscpu_column *columns,
		    size_t column_count, struct lscpu_grouping *grouping)
{
	cleanup_free int *renumbered = NULL;

	if (grouping_init(grouping, cpus->count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < column_count; i++) {
		if (split_by_column(lscpu, cpus, columns[i], grouping) < 0)
			return -ENOMEM;
	}
	renumbered = calloc(grouping->count, sizeof(*renumbered));
	if (!renumbered)
		return -ENOMEM;
	leave_untold(cpus, columns[0], grouping, renumbered);
	return 0;
}

/* The summary of one kind of CPU in one socket: with several kinds each is counted for itself. */
static bool one_socket(const struct lscpu *lscpu)
{
	return lscpu->sockets == 1 && lscpu->kinds == 1;
}

static int group_packages(const struct lscpu *lscpu, struct lscpu_cpus *cpus)
{
	static const enum lscpu_column columns[] = { LSCPU_SOCKET, LSCPU_BOOK, LSCPU_DRAWER };

	if (!any_table_has(lscpu, LSCPU_SOCKET) && one_socket(lscpu))
		return grouping_init(&cpus->packages, cpus->count);
	return group_by(lscpu, cpus, columns, ARRAY_SIZE(columns), &cpus->packages);
}

/* The node of one CPU, which every part of the text must agree on. */
static int node_of(const struct lscpu *lscpu, const struct lscpu_cpus *cpus, size_t cpu, int64_t *ret_os,
		   struct err *err)
{
	int64_t os = LSCPU_EMPTY;

	for (size_t i = 0; lscpu->in_nodes && hwloc_bitmap_isset(lscpu->in_nodes, cpus->os[cpu]) && os == LSCPU_EMPTY &&
			   i < lscpu->node_count;
	     i++) {
		if (hwloc_bitmap_isset(lscpu->nodes[i].pus_os, cpus->os[cpu]))
			os = lscpu->nodes[i].os;
	}
	for (size_t t = 0; t < cpus->table_count; t++) {
		const int64_t told = row_of(cpus, t, cpu)->cells[LSCPU_NODE];

		if (told == LSCPU_EMPTY)
			continue;
		if (os != LSCPU_EMPTY && os != told)
			return err_set(err, -EINVAL, "CPU %u is in NUMA node %lld and in node %lld", cpus->os[cpu],
				       (long long)os, (long long)told);
		os = told;
	}
	*ret_os = os;
	return 0;
}

/* The numbers in `exist` are the nodes; `os_of` has each CPU's. */
static int number_nodes(struct lscpu_cpus *cpus, hwloc_const_bitmap_t exist, const int64_t *os_of)
{
	const int count = hwloc_bitmap_weight(exist), last = hwloc_bitmap_last(exist);
	cleanup_free int *idx = calloc((size_t)last + 2, sizeof(*idx));
	size_t next = 0;

	cpus->node_os = calloc((size_t)count + 1, sizeof(*cpus->node_os));
	cpus->nodes.of = calloc(cpus->count, sizeof(*cpus->nodes.of));
	if (!idx || !cpus->node_os || !cpus->nodes.of)
		return -ENOMEM;
	for (int os = hwloc_bitmap_first(exist); os >= 0; os = hwloc_bitmap_next(exist, os)) {
		idx[os] = (int)next;
		cpus->node_os[next++] = (unsigned)os;
	}
	cpus->nodes.count = next;
	for (size_t i = 0; i < cpus->count; i++)
		cpus->nodes.of[i] = os_of[i] == LSCPU_EMPTY ? MACHINE_NONE : idx[os_of[i]];
	return 0;
}

static int group_nodes(const struct lscpu *lscpu, struct lscpu_cpus *cpus, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t exist = hwloc_bitmap_alloc();
	cleanup_free int64_t *os_of = calloc(cpus->count, sizeof(*os_of));

	if (!exist || !os_of)
		return err_nomem(err);
	for (size_t i = 0; i < lscpu->node_count; i++) {
		if (hwloc_bitmap_set(exist, lscpu->nodes[i].os) < 0)
			return err_nomem(err);
	}
	for (size_t i = 0; i < cpus->count; i++) {
		int r = node_of(lscpu, cpus, i, &os_of[i], err);

		if (r < 0)
			return r;
		if (os_of[i] == LSCPU_EMPTY)
			continue;
		if (lscpu->node_count && !hwloc_bitmap_isset(exist, (unsigned)os_of[i]))
			return err_set(err, -EINVAL, "CPU %u is in NUMA node %lld, which the summary does not have",
				       cpus->os[i], (long long)os_of[i]);
		if (hwloc_bitmap_set(exist, (unsigned)os_of[i]) < 0)
			return err_nomem(err);
	}
	/* lscpu names nodes wherever the kernel has them; a kernel without NUMA counts all memory as node 0. */
	if (hwloc_bitmap_iszero(exist) && (lscpu->online || any_table_has(lscpu, LSCPU_NODE))) {
		memset(os_of, 0, cpus->count * sizeof(*os_of));
		if (hwloc_bitmap_set(exist, 0) < 0)
			return err_nomem(err);
	}
	return number_nodes(cpus, exist, os_of) < 0 ? err_nomem(err) : 0;
}

static int group_caches(const struct lscpu *lscpu, struct lscpu_cpus *cpus)
{
	for (int level = 0; level < LSCPU_CACHE_LEVELS; level++) {
		const enum lscpu_column column = (enum lscpu_column)(LSCPU_L1 + level);

		if (group_by(lscpu, cpus, &column, 1, &cpus->caches[level]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Every CPU a core of its own. */
static void separate(struct lscpu_cpus *cpus)
{
	for (size_t i = 0; i < cpus->count; i++)
		cpus->cores.of[i] = (int)i;
	cpus->cores.count = cpus->count;
}

/* No core numbers: cores are known only where they have one thread, or where there is one core. */
static void cores_of_summary(const struct lscpu *lscpu, struct lscpu_cpus *cpus)
{
	if (one_socket(lscpu) && lscpu->cores_per_socket == 1 && lscpu->threads_per_core != 1)
		return;
	cpus->siblings_unknown = lscpu->threads_per_core != 1 && cpus->count > 1;
	separate(cpus);
}

/* A core of more CPUs than the summary gives any core: its members are told apart by their L1 caches. */
static int split_full(const struct lscpu *lscpu, struct lscpu_cpus *cpus)
{
	cleanup_free int64_t *values = calloc(cpus->count, sizeof(*values));
	cleanup_free size_t *sizes = calloc(cpus->cores.count, sizeof(*sizes));

	if (!values || !sizes)
		return -ENOMEM;
	for (size_t i = 0; i < cpus->count; i++)
		sizes[cpus->cores.of[i]]++;
	for (size_t i = 0; i < cpus->count; i++)
		values[i] = sizes[cpus->cores.of[i]] > lscpu->threads_per_core ? cpus->caches[0].of[i] : 0;
	return split(&cpus->cores, values, cpus->count);
}

static int check_threads(const struct lscpu *lscpu, struct lscpu_cpus *cpus, struct err *err)
{
	cleanup_free size_t *sizes = calloc(cpus->cores.count, sizeof(*sizes));
	size_t most = 0, at = 0;

	if (!sizes)
		return err_nomem(err);
	for (size_t i = 0; i < cpus->count; i++) {
		if (++sizes[cpus->cores.of[i]] > most) {
			most = sizes[cpus->cores.of[i]];
			at = i;
		}
	}
	if (!lscpu->threads_per_core || most <= lscpu->threads_per_core)
		return 0;
	/* `lscpu --physical` repeats core numbers where the firmware does. */
	if (cpus->caches[0].count)
		return split_full(lscpu, cpus) < 0 ? err_nomem(err) : 0;
	if (lscpu->threads_per_core == 1) {
		separate(cpus);
		return 0;
	}
	return err_set(err, -EINVAL, "CPU %u shares its core with %zu others, but cores have %u threads at most",
		       cpus->os[at], most - 1, lscpu->threads_per_core);
}

/* A CPU that a table puts in no core is a core of its own, whatever other tables call it. */
static int split_orphans(const struct lscpu *lscpu, struct lscpu_cpus *cpus)
{
	cleanup_free int64_t *values = calloc(cpus->count, sizeof(*values));

	if (!values)
		return -ENOMEM;
	for (size_t t = 0; t < lscpu->table_count; t++) {
		for (size_t i = 0; lscpu->tables[t].has[LSCPU_CORE] && i < cpus->count; i++) {
			if (row_of(cpus, t, i)->cells[LSCPU_CORE] == LSCPU_EMPTY)
				values[i] = (int64_t)i + 1;
		}
	}
	return split(&cpus->cores, values, cpus->count);
}

/*
 * Core numbers repeat between packages, and with some firmware between the nodes of one. Two things that hwloc knows
 * are not in a table: lscpu before 2.39 numbers the cores of each kind of CPU from 0, which only the summary gives
 * away (see check_threads()), and it takes the two cores of a Bulldozer module for threads of one, as that kernel did.
 */
static int group_cores(const struct lscpu *lscpu, struct lscpu_cpus *cpus, struct err *err)
{
	const struct lscpu_grouping *const around[] = { &cpus->packages, &cpus->nodes };
	cleanup_free int64_t *values = calloc(cpus->count, sizeof(*values));

	if (!values || grouping_init(&cpus->cores, cpus->count) < 0)
		return err_nomem(err);
	if (!any_cpu_has(cpus, LSCPU_CORE)) {
		cores_of_summary(lscpu, cpus);
		return 0;
	}
	for (size_t k = 0; k < ARRAY_SIZE(around); k++) {
		for (size_t i = 0; i < cpus->count; i++)
			values[i] = around[k]->of[i];
		if (split(&cpus->cores, values, cpus->count) < 0)
			return err_nomem(err);
	}
	if (split_by_column(lscpu, cpus, LSCPU_CORE, &cpus->cores) < 0 || split_orphans(lscpu, cpus) < 0)
		return err_nomem(err);
	return check_threads(lscpu, cpus, err);
}

static int compare_entries(const void *a, const void *b)
{
	const struct lscpu_entry *x = a, *y = b;

	return x->row->os < y->row->os ? -1 : x->row->os > y->row->os;
}

/* The rows of online CPUs, each table's in the CPUs' order. */
static int index_rows(const struct lscpu *lscpu, hwloc_const_bitmap_t online, struct lscpu_cpus *cpus)
{
	size_t next = 0;

	cpus->count = (size_t)hwloc_bitmap_weight(online);
	cpus->table_count = lscpu->table_count;
	cpus->os = calloc(cpus->count, sizeof(*cpus->os));
	cpus->entries = calloc(cpus->count * lscpu->table_count + 1, sizeof(*cpus->entries));
	if (!cpus->os || !cpus->entries)
		return -ENOMEM;
	for (int os = hwloc_bitmap_first(online); os >= 0; os = hwloc_bitmap_next(online, os))
		cpus->os[next++] = (unsigned)os;
	for (size_t t = 0; t < lscpu->table_count; t++) {
		struct lscpu_entry *const entries = &cpus->entries[t * cpus->count];

		next = 0;
		for (size_t i = 0; i < lscpu->tables[t].count; i++) {
			if (hwloc_bitmap_isset(online, lscpu->tables[t].rows[i].os))
				entries[next++].row = &lscpu->tables[t].rows[i];
		}
		qsort(entries, next, sizeof(*entries), compare_entries);
	}
	return 0;
}

int lscpu_group(const struct lscpu *lscpu, hwloc_const_bitmap_t online, struct lscpu_cpus *ret_cpus, struct err *err)
{
	cleanup_lscpu_cpus struct lscpu_cpus cpus = { .os = NULL };
	int r;

	if (index_rows(lscpu, online, &cpus) < 0 || group_packages(lscpu, &cpus) < 0 || group_caches(lscpu, &cpus) < 0)
		return err_nomem(err);
	r = group_nodes(lscpu, &cpus, err);
	if (r == 0)
		r = group_cores(lscpu, &cpus, err);
	if (r < 0)
		return r;
	*ret_cpus = cpus;
	cpus = (struct lscpu_cpus){ .os = NULL };
	return 0;
}

void lscpu_cpus_clear(struct lscpu_cpus *cpus)
{
	free(cpus->os);
	free(cpus->entries);
	free(cpus->packages.of);
	free(cpus->nodes.of);
	free(cpus->cores.of);
	for (size_t i = 0; i < LSCPU_CACHE_LEVELS; i++)
		free(cpus->caches[i].of);
	free(cpus->node_os);
	*cpus = (struct lscpu_cpus){ .os = NULL };
}

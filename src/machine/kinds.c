/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/kinds.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"

#include <stdlib.h>
#include <string.h>

/* Kinds closer than this are one: 5.4 and 5.8 GHz are favoured cores, 3.9 and 5.0 are two designs. */
enum { SAME_PERCENT = 90, SMALL_CAPACITY_PERCENT = 60 };

static bool below_percent(unsigned value, unsigned of, unsigned percent)
{
	return value && of && (uint64_t)value * 100 < (uint64_t)of * percent;
}

/* Least powerful first; what is not told counts as the most powerful, so that it is never left out. */
static int compare_power(const void *a, const void *b)
{
	const struct raw_kind *x = a, *y = b;
	const unsigned keys[3][2] = {
		{ x->type == CORE_TYPE_SMALL ? 0 : 1, y->type == CORE_TYPE_SMALL ? 0 : 1 },
		{ x->capacity - 1, y->capacity - 1 }, /* 0 wraps to the largest */
		{ x->max_mhz - 1, y->max_mhz - 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i][0] != keys[i][1])
			return keys[i][0] < keys[i][1] ? -1 : 1;
	}
	return hwloc_bitmap_compare_first(x->pus_os, y->pus_os);
}

static bool differ(const struct raw_kind *weak, const struct raw_kind *strong)
{
	if (weak->type && strong->type && weak->type != strong->type)
		return true;
	if (weak->capacity && strong->capacity && weak->capacity != strong->capacity)
		return below_percent(weak->capacity, strong->capacity, SAME_PERCENT);
	return below_percent(weak->max_mhz, strong->max_mhz, SAME_PERCENT);
}

static bool is_small(const struct raw_kind *kind, const struct raw_kind *strongest)
{
	if (kind == strongest || kind->type == CORE_TYPE_BIG)
		return false;
	if (kind->type == CORE_TYPE_SMALL && strongest->type == CORE_TYPE_BIG)
		return true;
	/* x86 kernels give every core 1024: equal capacities say nothing. */
	if (kind->capacity && strongest->capacity && kind->capacity != strongest->capacity)
		return below_percent(kind->capacity, strongest->capacity, SMALL_CAPACITY_PERCENT);
	return below_percent(kind->max_mhz, strongest->max_mhz, SAME_PERCENT);
}

/* raw[first..last] are one kind, judged by the strongest of them. */
static int add_kind(struct machine *machine, const struct raw_kind *raw, size_t first, size_t last, size_t top,
		    const char *source)
{
	struct machine_kind *kind = &machine->kinds[machine->kind_count];
	unsigned max_mhz = 0;

	kind->pus_os = hwloc_bitmap_alloc();
	if (!kind->pus_os)
		return -ENOMEM;
	kind->efficiency = (unsigned)machine->kind_count++;
	kind->small = is_small(&raw[last], &raw[top]);
	for (size_t i = first; i <= last; i++) {
		if (hwloc_bitmap_or(kind->pus_os, kind->pus_os, raw[i].pus_os) < 0)
			return -ENOMEM;
		if (raw[i].max_mhz > max_mhz)
			max_mhz = raw[i].max_mhz;
	}
	return max_mhz ? fact_set(&kind->max_mhz, FACT_KNOWN, max_mhz, source, NULL) : 0;
}

/* The source says nothing: one kind. */
static int assume_one(struct machine *machine)
{
	struct machine_kind *kind = &machine->kinds[0];

	kind->pus_os = hwloc_bitmap_alloc();
	if (!kind->pus_os)
		return -ENOMEM;
	machine->kind_count = 1;
	return 0;
}

/* PUs that no kind mentions go with the strongest: leaving them out would need a reason. */
static int adopt_rest(struct machine *machine)
{
	struct machine_kind *top = &machine->kinds[machine->kind_count - 1];

	for (size_t i = 0; i < machine->pu_count; i++) {
		bool known = false;

		for (size_t k = 0; k < machine->kind_count && !known; k++)
			known = hwloc_bitmap_isset(machine->kinds[k].pus_os, machine->pus[i].os);
		if (!known && hwloc_bitmap_set(top->pus_os, machine->pus[i].os) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void index_cores(struct machine *machine)
{
	for (size_t c = 0; c < machine->core_count; c++) {
		const unsigned os = machine->pus[machine->cores[c].pu_idx].os;

		for (size_t k = 0; k < machine->kind_count; k++) {
			if (hwloc_bitmap_isset(machine->kinds[k].pus_os, os))
				machine->cores[c].kind_idx = (int)k;
		}
	}
}

/* x86 kernels give every core capacity 1024 unless they know better: alone, and equal, it says nothing. */
static bool told(const struct machine *machine, const struct raw_kind *raw, size_t raw_count)
{
	const bool x86 = machine->architecture && strcmp(machine->architecture, "x86_64") == 0;

	for (size_t i = 0; i < raw_count; i++) {
		if (raw[i].type || raw[i].max_mhz || (raw[i].capacity && (!x86 || raw[i].capacity != 1024)))
			return true;
	}
	return false;
}

int kinds_make(struct machine *machine, struct raw_kind *raw, size_t raw_count, const char *source, struct err *err)
{
	cleanup_free size_t *tops = calloc(raw_count + 1, sizeof(*tops));
	size_t groups = 0;

	machine->kinds = calloc(raw_count + 1, sizeof(*machine->kinds));
	if (!machine->kinds || !tops)
		return err_nomem(err);
	machine->kinds_known = told(machine, raw, raw_count);
	if (raw_count == 0) {
		if (assume_one(machine) < 0)
			return err_nomem(err);
	} else {
		qsort(raw, raw_count, sizeof(*raw), compare_power);
		/* Group downward from the strongest, so that small steps do not add up. */
		for (size_t i = raw_count; i-- > 0;) {
			if (groups == 0 || differ(&raw[i], &raw[tops[groups - 1]]))
				tops[groups++] = i;
		}
	}
	for (size_t first = 0; groups-- > 0 && raw_count; first = tops[groups] + 1) {
		if (add_kind(machine, raw, first, tops[groups], raw_count - 1, source) < 0)
			return err_nomem(err);
	}
	if (adopt_rest(machine) < 0)
		return err_nomem(err);
	index_cores(machine);
	return 0;
}

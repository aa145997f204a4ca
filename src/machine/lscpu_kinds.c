/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/lscpu_group.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/kinds.h"
#include "machine/machine.h"

/* The largest frequency any table gives the CPU; 0: none does. */
static unsigned max_mhz_of(const struct lscpu_cpus *cpus, size_t cpu)
{
	int64_t most = 0;

	for (size_t t = 0; t < cpus->table_count; t++) {
		const int64_t told = cpus->entries[t * cpus->count + cpu].row->cells[LSCPU_MAX_MHZ];

		most = told > most ? told : most;
	}
	return (unsigned)most;
}

static int compare_unsigned(const void *a, const void *b)
{
	const unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return x < y ? -1 : x > y;
}

/* The different frequencies, ascending, into `ret_steps` (room for every CPU). Returns how many. */
static size_t find_steps(const struct lscpu_cpus *cpus, unsigned *ret_steps)
{
	size_t told = 0, count = 0;

	for (size_t i = 0; i < cpus->count; i++) {
		ret_steps[told] = max_mhz_of(cpus, i);
		told += ret_steps[told] > 0;
	}
	qsort(ret_steps, told, sizeof(*ret_steps), compare_unsigned);
	for (size_t i = 0; i < told; i++) {
		if (count == 0 || ret_steps[i] != ret_steps[count - 1])
			ret_steps[count++] = ret_steps[i];
	}
	return count;
}

int lscpu_fill_kinds(const struct lscpu_cpus *cpus, struct machine *machine, struct err *err)
{
	cleanup_free unsigned *steps = calloc(cpus->count, sizeof(*steps));
	struct raw_kind *raw = NULL;
	size_t count = 0;
	int r = 0;

	if (!steps)
		return err_nomem(err);
	count = find_steps(cpus, steps);
	raw = calloc(count + 1, sizeof(*raw));
	for (size_t i = 0; raw && i < count && r == 0; i++) {
		raw[i] = (struct raw_kind){ .pus_os = hwloc_bitmap_alloc(), .max_mhz = steps[i] };
		r = raw[i].pus_os ? 0 : err_nomem(err);
	}
	for (size_t i = 0; raw && count && i < cpus->count && r == 0; i++) {
		const unsigned mhz = max_mhz_of(cpus, i);
		const unsigned *const step = bsearch(&mhz, steps, count, sizeof(*steps), compare_unsigned);

		if (step && hwloc_bitmap_set(raw[step - steps].pus_os, cpus->os[i]) < 0)
			r = err_nomem(err);
	}
	if (r == 0)
		r = raw ? kinds_make(machine, raw, count, machine->source_name, err) : err_nomem(err);
	for (size_t i = 0; raw && i < count; i++)
		hwloc_bitmap_free(raw[i].pus_os);
	free(raw);
	return r;
}

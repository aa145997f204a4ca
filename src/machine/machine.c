/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/machine.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "machine/limits.h"
#include "machine/machine_private.h"
#include "machine/source.h"
#include "machine/topology.h"

#include <string.h>
#include <sys/utsname.h>

/* Is `a` the better home, where both cover the core? Smaller, with memory, allowed; lowest number by order. */
static bool better_home(const struct machine *machine, int a, int b)
{
	const int size_a = hwloc_bitmap_weight(machine->nodes[a].pus_os);
	const int size_b = hwloc_bitmap_weight(machine->nodes[b].pus_os);
	const struct fact *memory_a = &machine->nodes[a].memory_bytes, *memory_b = &machine->nodes[b].memory_bytes;
	const bool empty_a = memory_a->state == FACT_KNOWN && !memory_a->value;
	const bool empty_b = memory_b->state == FACT_KNOWN && !memory_b->value;

	if (size_a != size_b)
		return size_a < size_b;
	if (empty_a != empty_b)
		return empty_b;
	return hwloc_bitmap_isset(machine->limits.nodes_os, machine->nodes[a].os) &&
	       !hwloc_bitmap_isset(machine->limits.nodes_os, machine->nodes[b].os);
}

void machine_choose_homes(struct machine *machine)
{
	for (size_t c = 0; c < machine->core_count; c++) {
		struct machine_core *core = &machine->cores[c];
		const unsigned os = machine->pus[core->pu_idx].os;

		core->node_idx = MACHINE_NONE;
		for (size_t n = 0; n < machine->node_count; n++) {
			if (!hwloc_bitmap_isset(machine->nodes[n].pus_os, os))
				continue;
			if (core->node_idx == MACHINE_NONE || better_home(machine, (int)n, core->node_idx))
				core->node_idx = (int)n;
		}
	}
}

static int read_live(struct source *source, struct machine *machine, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t affinity = limits_affinity();
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	struct utsname names;
	int r = topology_read(source, affinity, machine, err);

	if (r < 0)
		return r;
	if (uname(&names) == 0) {
		char *const architecture = strdup(names.machine);

		if (!architecture)
			return err_nomem(err);
		free(machine->architecture);
		machine->architecture = architecture;
	}
	r = sysroot_open(&root, "/", err);
	return r < 0 ? r : limits_read(&root, affinity, machine, err);
}

int machine_read(const char *spec, struct machine **ret_machine, struct err *err)
{
	cleanup_source struct source source = { .kind = MACHINE_LIVE };
	cleanup_machine struct machine *machine = calloc(1, sizeof(*machine));
	int r;

	if (!machine)
		return err_nomem(err);
	r = source_open(spec, &source, err);
	if (r < 0)
		return r;
	machine->source = source.kind;
	machine->source_name = strdup(source.name);
	if (!machine->source_name)
		return err_nomem(err);
	r = source.kind == MACHINE_LIVE ? read_live(&source, machine, err) : topology_read(&source, NULL, machine, err);
	if (r < 0)
		return r;
	if (hwloc_bitmap_iszero(machine->limits.pus_os))
		return err_set(err, -EINVAL, "machine '%s' allows us no CPU", source.name);
	machine_choose_homes(machine);
	*ret_machine = TAKE(machine);
	return 0;
}

static void limits_clear(struct machine_limits *limits)
{
	hwloc_bitmap_free(limits->pus_os);
	hwloc_bitmap_free(limits->nodes_os);
	fact_clear(&limits->pus);
	fact_clear(&limits->nodes);
	fact_clear(&limits->quota_milli);
	fact_clear(&limits->memory_bytes);
}

void machine_free(struct machine *machine)
{
	if (!machine)
		return;
	for (size_t i = 0; i < machine->node_count; i++) {
		hwloc_bitmap_free(machine->nodes[i].pus_os);
		fact_clear(&machine->nodes[i].memory_bytes);
		free(machine->nodes[i].distances);
	}
	for (size_t i = 0; i < machine->package_count; i++)
		hwloc_bitmap_free(machine->packages[i].pus_os);
	for (size_t i = 0; i < machine->cache_count; i++) {
		hwloc_bitmap_free(machine->caches[i].pus_os);
		fact_clear(&machine->caches[i].size_bytes);
	}
	for (size_t i = 0; i < machine->kind_count; i++) {
		hwloc_bitmap_free(machine->kinds[i].pus_os);
		fact_clear(&machine->kinds[i].max_mhz);
	}
	limits_clear(&machine->limits);
	free(machine->pus);
	free(machine->cores);
	free(machine->nodes);
	free(machine->packages);
	free(machine->caches);
	free(machine->kinds);
	free(machine->source_name);
	free(machine->model);
	free(machine->architecture);
	free(machine);
}

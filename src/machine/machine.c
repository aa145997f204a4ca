/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/machine.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "machine/host.h"
#include "machine/limits.h"
#include "machine/lscpu.h"
#include "machine/machine_private.h"
#include "machine/may.h"
#include "machine/mounts.h"
#include "machine/root.h"
#include "machine/source.h"
#include "machine/topology.h"
#include "machine/topology_cache.h"
#include "machine/topology_key.h"

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

/* What a live machine is read from. */
struct live {
	struct sysroot root;
	struct mounts mounts;
	bool mounts_known;
	hwloc_bitmap_t affinity;
};

static void live_clear(struct live *live)
{
	hwloc_bitmap_free(live->affinity);
	mounts_clear(&live->mounts);
	sysroot_close(&live->root);
}
#define cleanup_live cleanup_(live_clear)

/* Is every online CPU among the PUs? Where hwloc missed some, a topology depends on our affinity and is not to be kept.
 */
static bool has_online_pus(const struct sysroot *root, const struct machine *machine)
{
	cleanup_free char *text = NULL;
	cleanup_bitmap hwloc_bitmap_t online = NULL;
	struct err ignored = { 0 };

	if (sysroot_read(root, "/sys/devices/system/cpu/online", &text) < 0 ||
	    cpulist_parse(text, &online, &ignored) < 0)
		return false;
	for (size_t i = 0; i < machine->pu_count; i++)
		hwloc_bitmap_clr(online, machine->pus[i].os);
	return hwloc_bitmap_iszero(online);
}

/* As hwloc sees it, or as it was remembered. */
static int read_topology(const struct source *source, const char *cache_folder, const struct live *live,
			 struct machine *machine, struct err *err)
{
	cleanup_free char *key = NULL;
	int r;

	if (cache_folder && live->mounts_known)
		key = topology_key(&live->root, &live->mounts);
	if (key && topology_cache_load(cache_folder, key, machine) == 0)
		return 0;
	r = topology_read(source, live->affinity, machine, err);
	/* A cache that cannot be written costs time, nothing else. */
	if (r == 0 && key && has_online_pus(&live->root, machine))
		(void)topology_cache_store(cache_folder, key, machine);
	return r;
}

static int read_live(const struct source *source, const char *cache_folder, struct machine *machine, struct err *err)
{
	cleanup_live struct live live = { .root = SYSROOT_INIT, .affinity = limits_affinity() };
	struct utsname names;
	int r = sysroot_open(&live.root, "/", err);

	if (r < 0)
		return r;
	live.mounts_known = mounts_read(&live.root, &live.mounts) == 0;
	r = read_topology(source, cache_folder, &live, machine, err);
	if (r < 0)
		return r;
	if (uname(&names) == 0) {
		char *const architecture = strdup(names.machine);

		if (!architecture)
			return err_nomem(err);
		free(machine->architecture);
		machine->architecture = architecture;
	}
	return limits_read(&live.root, live.mounts_known ? &live.mounts : NULL, live.affinity, machine, err);
}

static int read_foreign(const struct source *source, struct machine *machine, struct err *err)
{
	return topology_read(source, NULL, machine, err);
}

static int (*const foreign_readers[])(const struct source *source, struct machine *machine, struct err *err) = {
	[MACHINE_XML] = read_foreign,
	[MACHINE_SYNTHETIC] = read_foreign,
	[MACHINE_ROOT] = root_read,
	[MACHINE_LSCPU] = lscpu_read,
};

static int read_source(const char *spec, const char *cache_folder, struct machine **ret_machine, struct err *err)
{
	cleanup_source struct source source = SOURCE_INIT;
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
	r = source.kind == MACHINE_LIVE ? read_live(&source, cache_folder, machine, err)
					: foreign_readers[source.kind](&source, machine, err);
	if (r < 0)
		return r;
	if (hwloc_bitmap_iszero(machine->limits.pus_os))
		return err_set(err, -EINVAL, "machine '%s' allows us no CPU", source.name);
	machine_choose_homes(machine);
	*ret_machine = TAKE(machine);
	return 0;
}

int machine_read(const char *spec, struct machine **ret_machine, struct err *err)
{
	return read_source(spec, NULL, ret_machine, err);
}

int machine_read_cached(const char *spec, const char *cache_folder, struct machine **ret_machine, struct err *err)
{
	return read_source(spec, cache_folder, ret_machine, err);
}

static void limits_clear(struct machine_limits *limits)
{
	hwloc_bitmap_free(limits->pus_os);
	hwloc_bitmap_free(limits->nodes_os);
	fact_clear(&limits->pus);
	fact_clear(&limits->nodes);
	fact_clear(&limits->quota_milli);
	fact_clear(&limits->memory_bytes);
	fact_clear(&limits->isolated);
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
	host_free(machine->host);
	may_free(machine->may);
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

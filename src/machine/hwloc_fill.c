/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/topology.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "machine/kinds.h"
#include "machine/machine.h"
#include "machine/query.h"

#include <hwloc/distances.h>
#include <string.h>

/* What every step needs: `pus` are all PUs taken so far; sets of other objects are cut to them. */
struct fill {
	hwloc_topology_t topology;
	struct machine *machine;
	hwloc_bitmap_t pus;
	struct err *err;
};

static size_t count_of(hwloc_topology_t topology, hwloc_obj_type_t type)
{
	const int n = hwloc_get_nbobjs_by_type(topology, type);

	return n > 0 ? (size_t)n : 0;
}

/* The object's PUs, cut to those that exist: a foreign file may claim any. */
static hwloc_bitmap_t pus_of(const struct fill *fill, hwloc_obj_t object)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();

	if (set && object->cpuset && hwloc_bitmap_and(set, object->cpuset, fill->pus) < 0) {
		hwloc_bitmap_free(set);
		set = NULL;
	}
	return set;
}

static int take_pu(struct fill *fill, unsigned os)
{
	if (os >= CPULIST_MAX)
		return err_set(fill->err, -EINVAL, "the machine has a CPU without a usable number");
	if (hwloc_bitmap_isset(fill->pus, os))
		return err_set(fill->err, -EINVAL, "the machine has CPU %u twice", os);
	return hwloc_bitmap_set(fill->pus, os) < 0 ? err_nomem(fill->err) : 0;
}

static int compare_pus(const void *a, const void *b)
{
	const struct machine_pu *x = a, *y = b;

	return x->os < y->os ? -1 : x->os > y->os;
}

static int index_of(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_obj_t object)
{
	const hwloc_obj_t ancestor = hwloc_get_ancestor_obj_by_type(topology, type, object);

	return ancestor ? (int)ancestor->logical_index : MACHINE_NONE;
}

static struct machine_core *begin_core(struct machine *machine, int package_idx, int l3_idx)
{
	struct machine_core *core = &machine->cores[machine->core_count++];

	*core = (struct machine_core){ .package_idx = package_idx,
				       .node_idx = MACHINE_NONE,
				       .l3_idx = l3_idx,
				       .pu_idx = (unsigned)machine->pu_count };
	return core;
}

static void add_pu(struct machine *machine, struct machine_core *core, unsigned os)
{
	machine->pus[machine->pu_count++] = (struct machine_pu){ .os = os, .core_idx = (int)(machine->core_count - 1) };
	core->pu_count++;
}

/* PUs in tree order, so that those of a core follow each other. l3_idx still counts L3s only. */
static int fill_cores(struct fill *fill, hwloc_const_bitmap_t extra_pus)
{
	struct machine *machine = fill->machine;
	const int extra = extra_pus ? hwloc_bitmap_weight(extra_pus) : 0;
	const size_t room = count_of(fill->topology, HWLOC_OBJ_PU) + (size_t)(extra > 0 ? extra : 0) + 1;
	struct machine_core *core = NULL;
	hwloc_obj_t last = NULL, pu = NULL;

	machine->pus = calloc(room, sizeof(*machine->pus));
	machine->cores = calloc(room, sizeof(*machine->cores));
	if (!machine->pus || !machine->cores)
		return err_nomem(fill->err);
	while ((pu = hwloc_get_next_obj_by_type(fill->topology, HWLOC_OBJ_PU, pu))) {
		const hwloc_obj_t of = hwloc_get_ancestor_obj_by_type(fill->topology, HWLOC_OBJ_CORE, pu);
		int r = take_pu(fill, pu->os_index);

		if (r < 0)
			return r;
		if (!core || !of || of != last)
			core = begin_core(machine, index_of(fill->topology, HWLOC_OBJ_PACKAGE, pu),
					  index_of(fill->topology, HWLOC_OBJ_L3CACHE, pu));
		last = of;
		add_pu(machine, core, pu->os_index);
	}
	/* With a masked /sys hwloc guesses numbers; the kernel's word on where we may run is better. */
	for (int os = extra > 0 ? hwloc_bitmap_first(extra_pus) : -1; os >= 0; os = hwloc_bitmap_next(extra_pus, os)) {
		if (hwloc_bitmap_isset(fill->pus, (unsigned)os))
			continue;
		if (take_pu(fill, (unsigned)os) < 0)
			return fill->err->code;
		add_pu(machine, begin_core(machine, MACHINE_NONE, MACHINE_NONE), (unsigned)os);
	}
	for (size_t i = 0; i < machine->core_count; i++)
		qsort(&machine->pus[machine->cores[i].pu_idx], machine->cores[i].pu_count, sizeof(*machine->pus),
		      compare_pus);
	return machine->pu_count ? 0 : err_set(fill->err, -EINVAL, "the machine has no CPU");
}

static int fill_packages(struct fill *fill)
{
	struct machine *machine = fill->machine;
	hwloc_obj_t object = NULL;

	machine->packages = calloc(count_of(fill->topology, HWLOC_OBJ_PACKAGE) + 1, sizeof(*machine->packages));
	if (!machine->packages)
		return err_nomem(fill->err);
	while ((object = hwloc_get_next_obj_by_type(fill->topology, HWLOC_OBJ_PACKAGE, object))) {
		struct machine_package *package = &machine->packages[machine->package_count];

		package->pus_os = pus_of(fill, object);
		if (!package->pus_os)
			return err_nomem(fill->err);
		machine->package_count++;
	}
	return 0;
}

static int add_cache(struct fill *fill, hwloc_obj_t object)
{
	struct machine_cache *cache = &fill->machine->caches[fill->machine->cache_count];
	const uint64_t size = object->attr ? object->attr->cache.size : 0;

	cache->level = (unsigned)(object->type - HWLOC_OBJ_L1CACHE) + 1;
	cache->pus_os = pus_of(fill, object);
	if (!cache->pus_os)
		return err_nomem(fill->err);
	fill->machine->cache_count++;
	if (size && fact_set(&cache->size_bytes, FACT_KNOWN, size, NULL, NULL) < 0)
		return err_nomem(fill->err);
	return 0;
}

static int fill_caches(struct fill *fill)
{
	struct machine *machine = fill->machine;
	size_t room = 1, l3_first = 0;

	for (hwloc_obj_type_t type = HWLOC_OBJ_L1CACHE; type <= HWLOC_OBJ_L5CACHE; type++)
		room += count_of(fill->topology, type);
	machine->caches = calloc(room, sizeof(*machine->caches));
	if (!machine->caches)
		return err_nomem(fill->err);
	for (hwloc_obj_type_t type = HWLOC_OBJ_L1CACHE; type <= HWLOC_OBJ_L5CACHE; type++) {
		hwloc_obj_t object = NULL;

		if (type == HWLOC_OBJ_L3CACHE)
			l3_first = machine->cache_count;
		while ((object = hwloc_get_next_obj_by_type(fill->topology, type, object))) {
			if (add_cache(fill, object) < 0)
				return fill->err->code;
		}
	}
	for (size_t i = 0; i < machine->core_count; i++) {
		if (machine->cores[i].l3_idx != MACHINE_NONE)
			machine->cores[i].l3_idx += (int)l3_first;
	}
	return 0;
}

static int compare_nodes(const void *a, const void *b)
{
	const struct machine_node *x = a, *y = b;

	return x->os < y->os ? -1 : x->os > y->os;
}

static int fill_nodes(struct fill *fill)
{
	struct machine *machine = fill->machine;
	hwloc_obj_t object = NULL;
	bool sizes = false;

	machine->nodes = calloc(count_of(fill->topology, HWLOC_OBJ_NUMANODE) + 1, sizeof(*machine->nodes));
	if (!machine->nodes)
		return err_nomem(fill->err);
	while ((object = hwloc_get_next_obj_by_type(fill->topology, HWLOC_OBJ_NUMANODE, object))) {
		struct machine_node *node = &machine->nodes[machine->node_count];

		if (object->os_index >= CPULIST_MAX)
			return err_set(fill->err, -EINVAL, "the machine has a NUMA node without a usable number");
		if (machine_node_idx(machine, object->os_index) != MACHINE_NONE)
			return err_set(fill->err, -EINVAL, "the machine has NUMA node %u twice", object->os_index);
		node->os = object->os_index;
		node->pus_os = pus_of(fill, object);
		if (!node->pus_os)
			return err_nomem(fill->err);
		node->memory_bytes.value = object->attr ? object->attr->numanode.local_memory : 0;
		sizes = sizes || node->memory_bytes.value > 0;
		machine->node_count++;
	}
	/* Where no node has a size the source does not give any; where one has, 0 means none. */
	for (size_t i = 0; i < machine->node_count && sizes; i++)
		machine->nodes[i].memory_bytes.state = FACT_KNOWN;
	qsort(machine->nodes, machine->node_count, sizeof(*machine->nodes), compare_nodes);
	return 0;
}

/* A matrix that covers every node, or none: half a matrix cannot say which node is nearest. */
static int copy_distances(struct fill *fill, const struct hwloc_distances_s *matrix)
{
	struct machine *machine = fill->machine;
	const size_t n = machine->node_count;
	cleanup_free int *idx = calloc(n, sizeof(*idx));

	if (!idx)
		return err_nomem(fill->err);
	if (matrix->nbobjs != n)
		return 0;
	for (size_t i = 0; i < n; i++) {
		idx[i] = matrix->objs[i] ? machine_node_idx(machine, matrix->objs[i]->os_index) : MACHINE_NONE;
		if (idx[i] == MACHINE_NONE)
			return 0;
	}
	for (size_t i = 0; i < n; i++) {
		struct machine_node *node = &machine->nodes[idx[i]];

		if (!node->distances)
			node->distances = calloc(n, sizeof(*node->distances));
		if (!node->distances)
			return err_nomem(fill->err);
		for (size_t j = 0; j < n; j++)
			node->distances[idx[j]] = matrix->values[i * n + j];
	}
	return 0;
}

/* hwloc keeps no matrix of one node; a node's distance to itself is 10 by ACPI's definition. */
static int set_own_distance(struct fill *fill)
{
	if (fill->machine->node_count == 0)
		return 0;
	fill->machine->nodes[0].distances = calloc(1, sizeof(uint64_t));
	if (!fill->machine->nodes[0].distances)
		return err_nomem(fill->err);
	fill->machine->nodes[0].distances[0] = 10;
	return 0;
}

static int fill_distances(struct fill *fill)
{
	struct hwloc_distances_s *matrices[8] = { NULL };
	unsigned count = ARRAY_SIZE(matrices);
	int r = 0;

	if (fill->machine->node_count < 2)
		return set_own_distance(fill);
	if (hwloc_distances_get_by_type(fill->topology, HWLOC_OBJ_NUMANODE, &count, matrices,
					HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) < 0)
		return 0; /* no distances */
	for (unsigned i = 0; i < count && i < ARRAY_SIZE(matrices); i++) {
		if (r == 0 && !fill->machine->nodes[0].distances)
			r = copy_distances(fill, matrices[i]);
		hwloc_distances_release(fill->topology, matrices[i]);
	}
	return r;
}

static void read_kind_info(struct raw_kind *kind, const struct hwloc_info_s *info)
{
	if (strcmp(info->name, "CoreType") == 0)
		kind->type = strcmp(info->value, "IntelAtom") == 0 ? CORE_TYPE_SMALL : CORE_TYPE_BIG;
	else if (strcmp(info->name, "LinuxCapacity") == 0)
		(void)parse_unsigned(info->value, &kind->capacity);
	else if (strcmp(info->name, "FrequencyMaxMHz") == 0)
		(void)parse_unsigned(info->value, &kind->max_mhz);
}

static int fill_kinds(struct fill *fill, struct raw_kind *raw, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < room; i++) {
		struct raw_kind *kind = &raw[count];
		struct hwloc_info_s *infos = NULL;
		unsigned info_count = 0;

		if (!kind->pus_os)
			kind->pus_os = hwloc_bitmap_alloc();
		if (!kind->pus_os)
			return err_nomem(fill->err);
		if (hwloc_cpukinds_get_info(fill->topology, (unsigned)i, kind->pus_os, NULL, &info_count, &infos, 0) <
		    0)
			continue;
		for (unsigned k = 0; k < info_count; k++)
			read_kind_info(kind, &infos[k]);
		if (hwloc_bitmap_and(kind->pus_os, kind->pus_os, fill->pus) < 0)
			return err_nomem(fill->err);
		if (!hwloc_bitmap_iszero(kind->pus_os))
			count++;
		else
			*kind = (struct raw_kind){ .pus_os = kind->pus_os };
	}
	return kinds_make(fill->machine, raw, count, fill->machine->source_name, fill->err);
}

static int fill_all_kinds(struct fill *fill)
{
	const int told = hwloc_cpukinds_get_nr(fill->topology, 0);
	const size_t room = told > 0 ? (size_t)told : 0;
	struct raw_kind *raw = calloc(room + 1, sizeof(*raw));
	int r = raw ? fill_kinds(fill, raw, room) : err_nomem(fill->err);

	for (size_t i = 0; raw && i < room; i++)
		hwloc_bitmap_free(raw[i].pus_os);
	free(raw);
	return r;
}

/* AMD pads its model names with blanks; a foreign file's may hold terminal commands. */
static int copy_info(hwloc_obj_t object, const char *name, char **ret_text)
{
	const char *text = object ? hwloc_obj_get_info_by_name(object, name) : NULL;
	size_t length = text ? strlen(text) : 0;

	while (length && text[length - 1] == ' ')
		length--;
	if (*ret_text || !length)
		return 0;
	*ret_text = strndup(text, length);
	if (!*ret_text)
		return -ENOMEM;
	for (char *c = *ret_text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return 0;
}

static int fill_names(struct fill *fill)
{
	const hwloc_obj_t root = hwloc_get_root_obj(fill->topology);
	const hwloc_obj_t package = hwloc_get_obj_by_type(fill->topology, HWLOC_OBJ_PACKAGE, 0);

	if (copy_info(package, "CPUModel", &fill->machine->model) < 0 ||
	    copy_info(root, "CPUModel", &fill->machine->model) < 0 ||
	    copy_info(root, "Architecture", &fill->machine->architecture) < 0)
		return err_nomem(fill->err);
	return 0;
}

/* The topology's own allowed sets; a live machine asks the kernel afterwards. */
static int fill_limits(struct fill *fill)
{
	struct machine *machine = fill->machine;
	struct machine_limits *limits = &machine->limits;
	const hwloc_const_bitmap_t nodes = hwloc_topology_get_allowed_nodeset(fill->topology);

	limits->pus_os = hwloc_bitmap_alloc();
	limits->nodes_os = hwloc_bitmap_alloc();
	if (!limits->pus_os || !limits->nodes_os ||
	    hwloc_bitmap_and(limits->pus_os, hwloc_topology_get_allowed_cpuset(fill->topology), fill->pus) < 0)
		return err_nomem(fill->err);
	for (size_t i = 0; i < machine->node_count; i++) {
		const unsigned os = machine->nodes[i].os;

		if (hwloc_bitmap_isset(nodes, os) && hwloc_bitmap_set(limits->nodes_os, os) < 0)
			return err_nomem(fill->err);
	}
	if (fact_set(&limits->pus, FACT_KNOWN, (uint64_t)hwloc_bitmap_weight(limits->pus_os), machine->source_name,
		     NULL) < 0 ||
	    fact_set(&limits->nodes, FACT_KNOWN, (uint64_t)hwloc_bitmap_weight(limits->nodes_os), machine->source_name,
		     NULL) < 0)
		return err_nomem(fill->err);
	return 0;
}

int topology_fill(hwloc_topology_t topology, hwloc_const_bitmap_t extra_pus, struct machine *machine, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t pus = hwloc_bitmap_alloc();
	struct fill fill = { topology, machine, pus, err };
	int (*const steps[])(struct fill *) = { fill_packages, fill_caches,    fill_nodes, fill_distances,
						fill_names,    fill_all_kinds, fill_limits };
	int r;

	if (!pus)
		return err_nomem(err);
	r = fill_cores(&fill, extra_pus);
	for (size_t i = 0; i < ARRAY_SIZE(steps) && r == 0; i++)
		r = steps[i](&fill);
	return r;
}

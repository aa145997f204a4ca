/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/machine.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/text.h"
#include "machine/query.h"

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

/* What the cores have in common; 0 where they differ. */
struct shape {
	unsigned threads;
	unsigned cores_per_package;
};

static struct shape shape_of(const struct machine *machine)
{
	struct shape shape = { machine->cores[0].pu_count, 0 };

	for (size_t c = 1; c < machine->core_count; c++) {
		if (machine->cores[c].pu_count != shape.threads)
			shape.threads = 0;
	}
	for (size_t p = 0; p < machine->package_count; p++) {
		unsigned count = 0;

		for (size_t c = 0; c < machine->core_count; c++)
			count += machine->cores[c].package_idx == (int)p;
		if (p > 0 && count != shape.cores_per_package)
			return (struct shape){ shape.threads, 0 };
		shape.cores_per_package = count;
	}
	/* Cores outside every package: the product would be wrong. */
	if ((size_t)shape.cores_per_package * machine->package_count != machine->core_count)
		shape.cores_per_package = 0;
	return shape;
}

/* "(4 with 2 threads, 8 with 1)", the most threads first. */
static void add_mixed_threads(struct text *text, const struct machine *machine)
{
	unsigned most = 0;
	const char *separator = " (";

	for (size_t c = 0; c < machine->core_count; c++)
		most = machine->cores[c].pu_count > most ? machine->cores[c].pu_count : most;
	for (unsigned threads = most, first = 1; threads > 0; threads--) {
		size_t count = 0;

		for (size_t c = 0; c < machine->core_count; c++)
			count += machine->cores[c].pu_count == threads;
		if (!count)
			continue;
		text_add(text, "%s%zu with %u%s", separator, count, threads, first ? " threads" : "");
		separator = ", ";
		first = 0;
	}
	text_add(text, ")");
}

/* As far as the source tells without saying which CPUs are whose siblings. */
static struct shape told_shape(const struct machine *machine, size_t packages)
{
	struct shape shape = { machine->told_cores ? machine->told_threads : 0, 0 };

	if (packages && machine->told_cores % packages == 0)
		shape.cores_per_package = machine->told_cores / (unsigned)packages;
	return shape;
}

static void add_cores(struct text *text, const struct machine *machine, const struct shape *shape)
{
	const size_t cores = machine->siblings_unknown ? machine->told_cores : machine->core_count;

	if (shape->cores_per_package)
		text_add(text, "%u core%s", shape->cores_per_package, plural(shape->cores_per_package));
	else if (cores)
		text_add(text, "%zu core%s", cores, plural(cores));
	else
		text_add(text, "%zu CPUs", machine->pu_count);
	if (shape->threads)
		text_add(text, " x %u thread%s", shape->threads, plural(shape->threads));
	else if (!machine->siblings_unknown)
		add_mixed_threads(text, machine);
	if (machine->siblings_unknown)
		text_add(text, " (which CPUs share a core is not told)");
}

static void add_hardware(struct text *text, const struct machine *machine)
{
	const size_t packages = machine->package_count ? machine->package_count : machine->told_packages;
	const struct shape shape = machine->siblings_unknown ? told_shape(machine, packages) : shape_of(machine);
	size_t small = 0;

	if (packages)
		text_add(text, "%zu package%s%s", packages, plural(packages), shape.cores_per_package ? " x " : ", ");
	add_cores(text, machine, &shape);
	for (size_t c = 0; c < machine->core_count; c++)
		small += machine->kinds[machine->cores[c].kind_idx].small;
	if (small)
		text_add(text, ", %zu of them efficiency %s%s", small, machine_core_word(machine), plural(small));
	if (machine->node_count)
		text_add(text, ", %zu NUMA node%s", machine->node_count, plural(machine->node_count));
}

/* What is left of the machine by CPUs. */
struct share {
	size_t cores, pus;
	size_t core_pus; /* PUs of the allowed cores, allowed or not */
	hwloc_bitmap_t homes;
	size_t home_count; /* of all cores, allowed or not */
	bool homeless;
};

static bool node_is_home(const struct machine *machine, size_t node_idx)
{
	for (size_t c = 0; c < machine->core_count; c++) {
		if (machine->cores[c].node_idx == (int)node_idx)
			return true;
	}
	return false;
}

static bool take_share(const struct machine *machine, struct share *share)
{
	for (size_t c = 0; c < machine->core_count; c++) {
		const struct machine_core *core = &machine->cores[c];
		size_t allowed = 0;

		for (unsigned i = 0; i < core->pu_count; i++)
			allowed += hwloc_bitmap_isset(machine->limits.pus_os, machine->pus[core->pu_idx + i].os) != 0;
		if (!allowed)
			continue;
		share->cores++;
		share->pus += allowed;
		share->core_pus += core->pu_count;
		if (core->node_idx == MACHINE_NONE)
			share->homeless = true;
		else if (hwloc_bitmap_set(share->homes, machine->nodes[core->node_idx].os) < 0)
			return false;
	}
	for (size_t n = 0; n < machine->node_count; n++)
		share->home_count += node_is_home(machine, n);
	return true;
}

/* "8 cores of node 0", "all cores". */
static bool add_share(struct text *text, const struct machine *machine, const struct share *share)
{
	const size_t homes = (size_t)hwloc_bitmap_weight(share->homes);
	cleanup_free char *list = cpulist_text(share->homes);

	if (!list)
		return false;
	if (share->cores == machine->core_count)
		text_add(text, machine->core_count == 1 ? "its %s" : "all %ss", machine_core_word(machine));
	else
		text_add(text, "%zu %s%s", share->cores, machine_core_word(machine), plural(share->cores));
	if (share->pus < share->core_pus)
		text_add(text, " (%zu of %zu threads)", share->pus, share->core_pus);
	if (share->cores < machine->core_count && homes && homes < share->home_count && !share->homeless)
		text_add(text, " of node%s %s", plural(homes), list);
	return true;
}

/* Memory of other nodes than the cores' homes, or of fewer. */
static bool add_memory_nodes(struct text *text, const struct machine *machine, const struct share *share)
{
	cleanup_free char *list = cpulist_text(machine->limits.nodes_os);

	if (!list)
		return false;
	if (machine->limits.nodes.state == FACT_KNOWN &&
	    !hwloc_bitmap_isequal(machine->limits.nodes_os, share->homes) &&
	    (size_t)hwloc_bitmap_weight(machine->limits.nodes_os) < machine->node_count)
		text_add(text, ", memory of node%s %s", plural((size_t)hwloc_bitmap_weight(machine->limits.nodes_os)),
			 *list ? list : "none");
	return true;
}

static bool add_limits(struct text *text, const struct machine *machine, const struct share *share)
{
	const struct machine_limits *limits = &machine->limits;
	/* A file of another machine never tells a quota; not to find one here is worth a word. */
	const bool blind = machine->source == MACHINE_LIVE && limits->quota_milli.state == FACT_UNKNOWN;
	const bool limited =
		limits->quota_milli.state == FACT_KNOWN || limits->memory_bytes.state == FACT_KNOWN || blind;
	const bool all_pus = share->pus == machine->pu_count;
	const bool all_nodes = (size_t)hwloc_bitmap_weight(limits->nodes_os) == machine->node_count;

	text_add(text, "; you may use ");
	if (all_pus && all_nodes && !limited) {
		text_add(text, "all of it");
		return true;
	}
	if (!add_share(text, machine, share) || !add_memory_nodes(text, machine, share))
		return false;
	if (limits->quota_milli.state == FACT_KNOWN) {
		const uint64_t tenths = limits->quota_milli.value / 100;

		/* A tenth is enough, but never "0.0". */
		if (tenths)
			text_add(text, ", quota %llu.%llu CPUs", (unsigned long long)(tenths / 10),
				 (unsigned long long)(tenths % 10));
		else
			text_add(text, ", quota 0.%03llu CPUs", (unsigned long long)limits->quota_milli.value);
	}
	if (blind)
		text_add(text, ", quota unknown");
	if (limits->memory_bytes.state == FACT_KNOWN)
		text_add(text, ", memory limit %.1f GiB", (double)limits->memory_bytes.value / (1 << 30));
	return true;
}

char *machine_summary(const struct machine *machine)
{
	cleanup_text struct text text = TEXT_INIT;
	cleanup_bitmap hwloc_bitmap_t homes = hwloc_bitmap_alloc();
	struct share share = { .homes = homes };

	if (!homes)
		return NULL;
	add_hardware(&text, machine);
	if (!take_share(machine, &share) || !add_limits(&text, machine, &share))
		return NULL;
	return text_take(&text);
}

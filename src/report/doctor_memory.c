/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about memory: huge pages, what the kernel moves and reclaims, swap, where our memory may be. */
#include "report/doctor_rule.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "machine/query.h"

#include <string.h>

static enum doctor_verdict huge_pages(const struct doctor_input *in, struct doctor_say *say)
{
	const struct fact *fact = doctor_fact(in, HOST_HUGE_PAGES);

	if (fact->state == FACT_ABSENT) {
		text_add(&say->detail, "not in this kernel");
		return DOCTOR_GOOD;
	}
	text_add(&say->detail, "'%s'", fact->raw);
	return strcmp(fact->raw, "never") == 0 ? DOCTOR_COSTS : DOCTOR_GOOD;
}

static enum doctor_verdict defrag(const struct doctor_input *in, struct doctor_say *say)
{
	const struct fact *fact = doctor_fact(in, HOST_HUGE_PAGES_DEFRAG);

	text_add(&say->detail, "%s%s%s", fact->raw ? "'" : "", fact->raw ? fact->raw : "not there",
		 fact->raw ? "'" : "");
	if (doctor_is(in, HOST_HUGE_PAGES, "never"))
		return DOCTOR_GOOD;
	return doctor_is(in, HOST_HUGE_PAGES_DEFRAG, "always") ? DOCTOR_COSTS : DOCTOR_GOOD;
}

static bool several_nodes(const struct doctor_input *in, struct doctor_say *say)
{
	if (in->machine->node_count > 1)
		return true;
	text_add(&say->detail, "with one memory node there is nothing to do");
	return false;
}

static enum doctor_verdict numa_balancing(const struct doctor_input *in, struct doctor_say *say)
{
	if (!several_nodes(in, say))
		return DOCTOR_GOOD;
	text_add(&say->detail, "off");
	return doctor_number(in, HOST_NUMA_BALANCING) & 1 ? DOCTOR_COSTS : DOCTOR_GOOD;
}

static enum doctor_verdict zone_reclaim(const struct doctor_input *in, struct doctor_say *say)
{
	if (!several_nodes(in, say))
		return DOCTOR_GOOD;
	text_add(&say->detail, "off");
	return doctor_number(in, HOST_ZONE_RECLAIM) ? DOCTOR_COSTS : DOCTOR_GOOD;
}

/* Idle pages lie in the swap of any machine that runs for long. Above this share it is more; a judgement. */
enum { SWAP_PERCENT = 1 };

static uint64_t memory_bytes(const struct machine *machine)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < machine->node_count; i++)
		bytes += machine->nodes[i].memory_bytes.state == FACT_KNOWN ? machine->nodes[i].memory_bytes.value : 0;
	return bytes;
}

static enum doctor_verdict swap(const struct doctor_input *in, struct doctor_say *say)
{
	const uint64_t used = doctor_number(in, HOST_SWAP_USED);

	if (!used) {
		text_add(&say->detail,
			 doctor_number(in, HOST_SWAP) ? "there is swap, and none is used" : "there is none");
		return DOCTOR_GOOD;
	}
	if (used < memory_bytes(in->machine) / 100 * SWAP_PERCENT) {
		text_add(&say->detail, "%llu MiB lie there, less than %d %% of memory",
			 (unsigned long long)(used >> 20), SWAP_PERCENT);
		return DOCTOR_GOOD;
	}
	text_add(&say->detail, "%.1f GiB", (double)used / (1 << 30));
	return DOCTOR_COSTS;
}

/* Room for some workers' batches; Docker gives 64 MiB. A judgement, not a measurement. */
#define SHARED_MEMORY_ENOUGH (1ULL << 30)

static enum doctor_verdict shared_memory(const struct doctor_input *in, struct doctor_say *say)
{
	const uint64_t bytes = doctor_number(in, HOST_SHARED_MEMORY);

	if (doctor_fact(in, HOST_SHARED_MEMORY)->state == FACT_ABSENT) {
		text_add(&say->detail, "is no tmpfs: data loaders hand tensors over through a disk, or not at all");
		return DOCTOR_BLOCKED;
	}
	text_add(&say->detail, "holds %llu MiB", (unsigned long long)(bytes >> 20));
	if (bytes >= SHARED_MEMORY_ENOUGH)
		return DOCTOR_GOOD;
	text_add(&say->detail, ": data loaders that hand tensors over in it are ended by a bus error when it is full");
	return DOCTOR_BLOCKED;
}

static enum doctor_verdict overcommit(const struct doctor_input *in, struct doctor_say *say)
{
	(void)say;
	return doctor_number(in, HOST_OVERCOMMIT) == 2 ? DOCTOR_BLOCKED : DOCTOR_GOOD;
}

/* The nodes of the CPUs we may use, and how many of these CPUs' cores have no memory of their own node. */
static bool find_homes(const struct machine *machine, hwloc_bitmap_t homes, size_t *ret_far, int *ret_far_node)
{
	for (size_t c = 0; c < machine->core_count; c++) {
		const struct machine_core *core = &machine->cores[c];
		bool ours = false;

		for (unsigned i = 0; i < core->pu_count; i++)
			ours = ours || hwloc_bitmap_isset(machine->limits.pus_os, machine->pus[core->pu_idx + i].os);
		if (!ours || core->node_idx == MACHINE_NONE)
			continue;
		if (hwloc_bitmap_set(homes, machine->nodes[core->node_idx].os) < 0)
			return false;
		if (hwloc_bitmap_isset(machine->limits.nodes_os, machine->nodes[core->node_idx].os))
			continue;
		*ret_far_node = core->node_idx;
		(*ret_far)++;
	}
	return true;
}

static void say_distance(const struct machine *machine, int node_idx, struct doctor_say *say)
{
	const struct machine_node *node = &machine->nodes[node_idx];
	const int nearest = machine_nearest_memory(machine, node_idx);

	if (nearest != MACHINE_NONE && node->distances)
		text_add(&say->cost, "distance %llu instead of %llu (the firmware's relative latencies): measure it",
			 (unsigned long long)node->distances[nearest], (unsigned long long)node->distances[node_idx]);
	else
		text_add(&say->cost, "every access goes to another node: measure it");
}

static enum doctor_verdict memory_nodes(const struct doctor_input *in, struct doctor_say *say)
{
	const struct machine *machine = in->machine;
	cleanup_bitmap hwloc_bitmap_t homes = hwloc_bitmap_alloc();
	cleanup_free char *list = NULL;
	int far_node = MACHINE_NONE;
	size_t far = 0;

	doctor_show_fact(say, "CPUs", &machine->limits.pus);
	doctor_show_fact(say, "memory nodes", &machine->limits.nodes);
	if (machine->limits.nodes.state == FACT_UNKNOWN || machine->limits.pus.state == FACT_UNKNOWN)
		return DOCTOR_UNKNOWN;
	if (!homes || !find_homes(machine, homes, &far, &far_node)) {
		say->failed = true;
		return DOCTOR_UNKNOWN;
	}
	if (!far)
		return DOCTOR_GOOD;
	list = cpulist_text(homes);
	say->failed = say->failed || !list;
	text_add(&say->detail, "%zu %s%s", far, machine_core_word(machine), far == 1 ? " has" : "s have");
	if (machine->nodes[far_node].memory_bytes.state == FACT_KNOWN && !machine->nodes[far_node].memory_bytes.value)
		text_add(&say->remedy, "none in here: node %u has no memory, or the firmware hides it",
			 machine->nodes[far_node].os);
	else
		text_add(&say->remedy, "docker run --cpuset-mems %s ...   (or cpuset.mems of the group)",
			 list ? list : "");
	say_distance(machine, far_node, say);
	return DOCTOR_COSTS;
}

static const struct doctor_rule rules[] = {
	{ .id = "memory-nodes",
	  .test = memory_nodes,
	  .good = "our CPUs have memory of their own nodes",
	  .costs = "{} no memory of their own node: CPUs and memory that we may use are on different nodes",
	  .unknown = "whether our CPUs have memory of their own nodes",
	  .cost = "{}",
	  .remedy = "{}" },
	{ .id = "numa-balancing",
	  .facts = { HOST_NUMA_BALANCING },
	  .fact_count = 1,
	  .test = numa_balancing,
	  .good = "NUMA balancing: {}",
	  .costs = "the kernel moves pages after the threads that use them, bound programs' too",
	  .unknown = "NUMA balancing",
	  .cost = "page faults to find out who uses what, and copies (kernel: admin-guide/sysctl/kernel.rst): measure "
		  "it",
	  .remedy = "sudo sysctl kernel.numa_balancing=0" },
	{ .id = "zone-reclaim",
	  .facts = { HOST_ZONE_RECLAIM },
	  .fact_count = 1,
	  .test = zone_reclaim,
	  .good = "zone reclaim: {}",
	  .costs = "a full node drops its page cache, or waits for the disk, rather than take a neighbour's memory",
	  .unknown = "zone reclaim",
	  .cost = "stalls while memory is taken back (kernel: admin-guide/sysctl/vm.rst): measure it",
	  .remedy = "sudo sysctl vm.zone_reclaim_mode=0" },
	{ .id = "swap",
	  .facts = { HOST_SWAP, HOST_SWAP_USED, HOST_SWAPPINESS },
	  .fact_count = 3,
	  .test = swap,
	  .good = "swap: {}",
	  .costs = "{} of memory lie in swap",
	  .unknown = "swap",
	  .cost = "what is needed of it comes back at the pace of a disk: measure it",
	  .remedy = "sudo swapoff -a && sudo swapon -a   (takes that much free memory)" },
	{ .id = "huge-pages",
	  .facts = { HOST_HUGE_PAGES },
	  .fact_count = 1,
	  .test = huge_pages,
	  .good = "transparent huge pages: {}",
	  .costs = "transparent huge pages: {}, so that no allocator can have them",
	  .unknown = "transparent huge pages",
	  .cost = "more TLB misses and page faults (kernel: admin-guide/mm/transhuge.rst): measure it",
	  .remedy = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled" },
	{ .id = "huge-pages-defrag",
	  .facts = { HOST_HUGE_PAGES_DEFRAG, HOST_HUGE_PAGES },
	  .fact_count = 2,
	  .test = defrag,
	  .good = "huge page defrag: {}",
	  .costs = "huge page defrag: {}: a page fault waits while the kernel makes room",
	  .unknown = "huge page defrag",
	  .cost = "direct reclaim and compaction in page faults (kernel: admin-guide/mm/transhuge.rst): measure it",
	  .remedy = "echo defer+madvise | sudo tee /sys/kernel/mm/transparent_hugepage/defrag" },
	{ .id = "shared-memory",
	  .facts = { HOST_SHARED_MEMORY },
	  .fact_count = 1,
	  .test = shared_memory,
	  .good = "/dev/shm {}",
	  .blocked = "/dev/shm {}",
	  .unknown = "what /dev/shm holds",
	  .remedy = "docker run --shm-size 8g ...   (outside: sudo mount -o remount,size=50% /dev/shm)" },
	{ .id = "overcommit",
	  .facts = { HOST_OVERCOMMIT },
	  .fact_count = 1,
	  .test = overcommit,
	  .good = "memory may be reserved before it is used",
	  .blocked = "memory is committed strictly: what an allocator reserves counts as used, and may be refused",
	  .unknown = "how memory is committed",
	  .remedy = "sudo sysctl vm.overcommit_memory=0" },
};

const struct doctor_rules doctor_memory_rules = { rules, ARRAY_SIZE(rules) };

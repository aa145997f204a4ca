/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about memory: where it is, how much is left, in which pages. */
#include "report/finding_rule.h"

#include "base/cleanup.h"
#include "launch/launch.h"
#include "machine/machine.h"

#include <string.h>

enum { MIB = 1 << 20 };

/* The nodes where the plan wants pages: those of its policy, else those of its CPUs. NULL: none can be told. */
static hwloc_bitmap_t wanted_nodes(const struct finding_input *in)
{
	const struct planned *planned = &in->instance->planned;
	hwloc_bitmap_t nodes;

	if (planned->nodes_os && !hwloc_bitmap_iszero(planned->nodes_os))
		return hwloc_bitmap_dup(planned->nodes_os);
	nodes = hwloc_bitmap_alloc();
	for (size_t i = 0; nodes && in->machine && i < in->machine->node_count; i++) {
		if (hwloc_bitmap_intersects(in->machine->nodes[i].pus_os, planned->pus_os))
			(void)hwloc_bitmap_set(nodes, in->machine->nodes[i].os);
	}
	return nodes;
}

/*
 * Anonymous and huge pages: the page cache lies where whoever read the file first was. Below these amounts a start-up
 * before the binding, or the kernel's own doing, is as good a reason.
 */
enum { REMOTE_LEAST_MIB = 64, REMOTE_PERCENT = 10, REMOTE_INFERRED_PERCENT = 25 };

static bool remote(const struct finding_input *in, struct finding_say *say)
{
	const struct planned *planned = &in->instance->planned;
	cleanup_bitmap hwloc_bitmap_t nodes = wanted_nodes(in);
	const unsigned most = planned->known ? REMOTE_PERCENT : REMOTE_INFERRED_PERCENT;
	uint64_t away = 0, all = 0;

	if (!nodes || hwloc_bitmap_iszero(nodes) || planned->memory_policy == MEMORY_INTERLEAVE ||
	    !in->main->pages_known || in->main->page_count < 2)
		return false;
	for (size_t i = 0; i < in->main->page_count; i++) {
		const struct observed_pages *pages = &in->main->pages[i];
		const uint64_t bytes = pages->anonymous_bytes + pages->huge_bytes;

		all += bytes;
		away += hwloc_bitmap_isset(nodes, pages->node_os) ? 0 : bytes;
		finding_show(say, "/proc/%d/numa_maps: node %u has %llu MiB of its own pages%s", (int)in->main->pid,
			     pages->node_os, (unsigned long long)(bytes / MIB),
			     hwloc_bitmap_isset(nodes, pages->node_os) ? "" : ", outside the plan");
	}
	if (away < (uint64_t)REMOTE_LEAST_MIB * MIB || away * 100 < all * most)
		return false;
	text_add(&say->detail, "%llu %% of its memory (%llu MiB) is on other nodes than ",
		 (unsigned long long)(away * 100 / all), (unsigned long long)(away / MIB));
	finding_list(&say->detail, nodes);
	text_add(&say->remedy, "%d all ", (int)in->main->pid);
	finding_list(&say->remedy, nodes);
	if (!planned->known)
		say->severity = SEVERITY_NOTE;
	return true;
}

/* Memory is near its limit, or swapped out: less than these is what any long-lived system swaps. */
enum { NEAR_PERCENT = 90, SWAP_LEAST_MIB = 16 };

static bool swapped(const struct finding_input *in, struct finding_say *say)
{
	uint64_t swap = 0, rss = 0;

	for (size_t i = 0; i < in->observation->process_count; i++) {
		const struct observed_process *process = &in->observation->processes[i];

		if (process->gone || process->instance_idx != in->instance_idx ||
		    process->swap_bytes.state != FACT_KNOWN || process->rss_bytes.state != FACT_KNOWN)
			continue;
		swap += process->swap_bytes.value;
		rss += process->rss_bytes.value;
		if (process->swap_bytes.value && finding_show_some(say))
			finding_show(say, "%s: %llu MiB", process->swap_bytes.source,
				     (unsigned long long)(process->swap_bytes.value / MIB));
	}
	finding_show_rest(say, "processes");
	if (swap < (uint64_t)SWAP_LEAST_MIB * MIB || swap * 100 < rss + swap)
		return false;
	text_add(&say->detail, "%llu MiB are swapped out", (unsigned long long)(swap / MIB));
	return true;
}

static bool limit_near(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_cgroup *cgroup = &in->instance->cgroup;
	const struct fact *limit = &cgroup->memory_limit_bytes, *used = &cgroup->used_bytes,
			  *peak = &in->main->peak_bytes;
	const struct fact *high = used;

	if (cgroup->ooms[0].state == FACT_KNOWN && cgroup->ooms[1].state == FACT_KNOWN &&
	    cgroup->ooms[1].value > cgroup->ooms[0].value) {
		say->severity = SEVERITY_ERROR;
		text_add(&say->detail, "the kernel killed for want of memory");
		finding_show(say, "%s: oom_kill %llu, then %llu", cgroup->ooms[0].source,
			     (unsigned long long)cgroup->ooms[0].value, (unsigned long long)cgroup->ooms[1].value);
		return true;
	}
	if (peak->state == FACT_KNOWN && (used->state != FACT_KNOWN || peak->value > used->value))
		high = peak;
	if (limit->state == FACT_KNOWN && high->state == FACT_KNOWN && limit->value &&
	    (double)high->value * 100 >= (double)limit->value * NEAR_PERCENT) {
		text_add(&say->detail, "%llu of %llu MiB", (unsigned long long)(high->value / MIB),
			 (unsigned long long)(limit->value / MIB));
		finding_show_fact(say, high);
		finding_show_fact(say, limit);
		return true;
	}
	return swapped(in, say);
}

/* Variables that have an allocator keep what is freed: for good, or up to a bound that the program need not reach. */
static const struct {
	const char *name, *holds;
	bool glibc; /* what it keeps can be counted */
} keeps[] = {
	{ "GLIBC_TUNABLES", "glibc.malloc.trim_threshold=", true },
	{ "GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=", true },
	{ "MALLOC_TRIM_THRESHOLD_", "", true },
	{ "MALLOC_MMAP_THRESHOLD_", "", true },
	{ "MALLOC_CONF", "decay_ms:-1", false },
	{ "MALLOC_CONF", "decay_ms:9000000000", false },
	{ "TCMALLOC_RELEASE_RATE", "0", false },
};

static const char *allocator_of(const struct finding_input *in)
{
	const struct observed_owner *owner = &in->main->owners[SYMBOL_MALLOC];
	const struct observed_object *object =
		owner->known && owner->object_idx >= 0 ? &in->main->objects[owner->object_idx] : NULL;

	if (!object)
		return "";
	return object->library && object->library->family == LIBRARY_ALLOCATOR ? object->library->name : "libc";
}

/* Is the variable set to that, and is the allocator that reads it the one that answers? */
static bool is_kept(const struct finding_input *in, size_t i)
{
	const char *const value = finding_variable(in, keeps[i].name), *const allocator = allocator_of(in);

	if (!value || !strstr(value, keeps[i].holds))
		return false;
	if (keeps[i].glibc)
		return strcmp(allocator, "libc") == 0;
	return strstr(allocator, strcmp(keeps[i].name, "MALLOC_CONF") == 0 ? "jemalloc" : "tcmalloc") &&
	       (keeps[i].holds[0] != '0' || strtod(value, NULL) == 0);
}

/* Kept by glibc it is counted, and must be worth a tenth of the limit; how much the others keep nobody outside sees. */
static bool hoards(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_cgroup *cgroup = &in->instance->cgroup;
	const struct fact *limit = &cgroup->memory_limit_bytes, *used = &cgroup->used_bytes,
			  *kept = &in->main->kept_bytes;
	size_t i = 0;

	while (i < ARRAY_SIZE(keeps) && !is_kept(in, i))
		i++;
	if (i == ARRAY_SIZE(keeps) || limit->state != FACT_KNOWN || used->state != FACT_KNOWN || !limit->value ||
	    (double)used->value * 100 < (double)limit->value * NEAR_PERCENT)
		return false;
	if (keeps[i].glibc) {
		if (kept->state != FACT_KNOWN ||
		    (double)kept->value * 100 < (double)limit->value * (100 - NEAR_PERCENT))
			return false;
		text_add(&say->detail, "%llu MiB", (unsigned long long)(kept->value / MIB));
		finding_show(say, "%s: %llu MiB are free and in memory", kept->source,
			     (unsigned long long)(kept->value / MIB));
	} else {
		say->severity = SEVERITY_NOTE;
		text_add(&say->detail, "an unknown part");
	}
	text_add(&say->detail, " of the %llu MiB in use (limit: %llu MiB)", (unsigned long long)(used->value / MIB),
		 (unsigned long long)(limit->value / MIB));
	finding_show(say, "/proc/%d/environ: %s=%s", (int)in->main->pid, keeps[i].name,
		     finding_variable(in, keeps[i].name));
	finding_show_fact(say, used);
	finding_show_fact(say, limit);
	return true;
}

/* Of one node or all: what the kernel would do anyway is none that could be refused. */
static bool policy_refused(const struct finding_input *in, struct finding_say *say)
{
	const struct planned *planned = &in->instance->planned;
	const struct launch_grant *grant = in->instance->grant;

	if (grant && grant->memory_error) {
		text_add(&say->detail, "%s", memory_policy_words[grant->memory_asked]);
		finding_show(say, "set_mempolicy, when it was started: %s", strerror(-grant->memory_error));
		return true;
	}
	if (planned->memory_policy == MEMORY_NONE || planned->memory_policy == MEMORY_LOCAL ||
	    strcmp(in->main->memory_policy, "default") != 0)
		return false;
	text_add(&say->detail, "%s:", memory_policy_words[planned->memory_policy]);
	finding_list(&say->detail, planned->nodes_os);
	finding_show(say, "/proc/%d/numa_maps: the policy of its main thread is 'default'", (int)in->main->pid);
	return true;
}

static bool balancing(const struct finding_input *in, struct finding_say *say)
{
	const struct fact *setting = &in->observation->numa_balancing, *faults = &in->main->numa_faults;
	unsigned nodes = 0;

	for (size_t i = 0; in->machine && i < in->machine->node_count; i++)
		nodes += in->machine->nodes[i].memory_bytes.state != FACT_KNOWN ||
			 in->machine->nodes[i].memory_bytes.value;
	if (nodes < 2 || setting->state != FACT_KNOWN || !(setting->value & 1) || faults->state != FACT_KNOWN ||
	    !faults->value)
		return false;
	text_add(&say->detail, "%llu faults so far", (unsigned long long)faults->value);
	finding_show_fact(say, setting);
	finding_show(say, "%s: total_numa_faults %llu", faults->source, (unsigned long long)faults->value);
	return true;
}

/* Variables by which an allocator is told to ask for huge pages. */
static const struct {
	const char *name, *holds;
} asks[] = {
	{ "GLIBC_TUNABLES", "glibc.malloc.hugetlb=1" },
	{ "GLIBC_TUNABLES", "glibc.malloc.hugetlb=2" },
	{ "THP_MEM_ALLOC_ENABLE", "1" },
	{ "MALLOC_CONF", "thp:always" },
	{ "MIMALLOC_ALLOW_LARGE_OS_PAGES", "1" },
	{ "MIMALLOC_LARGE_OS_PAGES", "1" },
};

/* Less memory than this may well be in pieces smaller than a huge page. */
enum { HUGE_LEAST_MIB = 64 };

static bool huge_unused(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_process *process = in->main;

	if (process->huge_bytes.state != FACT_KNOWN || process->huge_bytes.value ||
	    process->anonymous_bytes.state != FACT_KNOWN ||
	    process->anonymous_bytes.value < (uint64_t)HUGE_LEAST_MIB * MIB)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		const char *value = finding_variable(in, asks[i].name);

		if (!value || !strstr(value, asks[i].holds))
			continue;
		text_add(&say->detail, "%llu MiB of memory, none of it in huge pages, though %s asks for them",
			 (unsigned long long)(process->anonymous_bytes.value / MIB), asks[i].name);
		finding_show(say, "/proc/%d/environ: %s=%s", (int)process->pid, asks[i].name, value);
		finding_show(say, "%s: AnonHugePages 0, no hugetlb pages", process->huge_bytes.source);
		return true;
	}
	return false;
}

static const struct finding_rule rules[] = {
	{ .id = "memory-limit-near",
	  .severity = SEVERITY_WARNING,
	  .test = limit_near,
	  .text = "memory is near its limit: {}",
	  .remedy =
		  "raise the limit (docker run --memory, limits.memory), or use less: --allocator glibc keeps least" },
	{ .id = "allocator-hoards",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_OBJECTS | NEEDS_ENVIRONMENT,
	  .test = hoards,
	  .text = "malloc keeps what the program has freed, as it was set to: {}",
	  .remedy = "fettle run --allocator glibc -- ...   (gives memory back; or raise the limit)" },
	{ .id = "memory-policy-refused",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_PLAN,
	  .test = policy_refused,
	  .text = "the memory policy of the plan, {}, is not in force: the kernel refused it, or the program took it "
		  "back; pages lie where they are touched first",
	  .remedy = "docker run --cap-add SYS_NICE   (Kubernetes: securityContext.capabilities.add), or fettle run "
		    "--memory none" },
	{ .id = "memory-remote",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_ANY_PLAN,
	  .test = remote,
	  .text = "{}",
	  .remedy = "migratepages {}   (moves them now); fettle run --memory bind -- ... keeps them there",
	  .next = "fettle run --memory bind -- ...   (keeps them there)" },
	{ .id = "numa-balancing",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_PLAN | NEEDS_BINDING,
	  .test = balancing,
	  .text = "the kernel samples and migrates pages of a bound program: {}",
	  .remedy = "sudo sysctl kernel.numa_balancing=0" },
	{ .id = "huge-pages-unused",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_ENVIRONMENT,
	  .test = huge_unused,
	  .text = "{}",
	  .remedy = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled   ('never' refuses them)" },
};

const struct finding_rules finding_memory_rules = { rules, ARRAY_SIZE(rules) };

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/grant_words.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/text.h"
#include "launch/supervise.h"
#include "plan/plan.h"

#include <errno.h>
#include <string.h>

/* What one child, or several together, did not get: of the CPUs or of the memory. */
struct shortfall {
	hwloc_bitmap_t instances; /* empty: all was granted */
	hwloc_bitmap_t asked, granted;
	int error;                 /* 0: nobody was refused, or not all for the same reason */
	enum memory_policy policy; /* MEMORY_AUTO: not one and the same */
	bool unpinned;             /* threads were to be pinned, and are not */
};

static void shortfall_clear(struct shortfall *shortfall)
{
	hwloc_bitmap_free(shortfall->instances);
	hwloc_bitmap_free(shortfall->asked);
	hwloc_bitmap_free(shortfall->granted);
}
#define cleanup_shortfall cleanup_(shortfall_clear)

static bool add_child(struct shortfall *all, const struct plan_instance *instance, int error,
		      hwloc_const_bitmap_t asked, hwloc_const_bitmap_t granted)
{
	const bool first = hwloc_bitmap_iszero(all->instances);

	all->error = first || all->error == error ? error : 0;
	all->policy = first || all->policy == instance->memory_policy ? instance->memory_policy : MEMORY_AUTO;
	all->unpinned |= instance->pin == PIN_THREADS;
	return hwloc_bitmap_set(all->instances, instance->index) == 0 &&
	       (!asked || hwloc_bitmap_or(all->asked, all->asked, asked) == 0) &&
	       (!granted || hwloc_bitmap_or(all->granted, all->granted, granted) == 0);
}

static bool add_cpus_of(struct shortfall *all, const struct plan_instance *instance, const struct launch_grant *grant)
{
	return !grant->affinity_unmet ||
	       add_child(all, instance, grant->affinity_error, grant->affinity_asked, grant->affinity_granted);
}

static bool add_memory_of(struct shortfall *all, const struct plan_instance *instance, const struct launch_grant *grant)
{
	const bool all_nodes = !grant->nodes_granted || hwloc_bitmap_isequal(grant->nodes_asked, grant->nodes_granted);

	return (!grant->memory_error && all_nodes) ||
	       add_child(all, instance, grant->memory_error, grant->nodes_asked, grant->nodes_granted);
}

/* False: memory ran out. */
static bool collect(const struct launch_child *children, const struct launch_end *ends, size_t count,
		    bool (*add)(struct shortfall *, const struct plan_instance *, const struct launch_grant *),
		    struct shortfall *ret_shortfall)
{
	bool good;

	*ret_shortfall = (struct shortfall){ .instances = hwloc_bitmap_alloc(),
					     .asked = hwloc_bitmap_alloc(),
					     .granted = hwloc_bitmap_alloc() };
	good = ret_shortfall->instances && ret_shortfall->asked && ret_shortfall->granted;
	for (size_t i = 0; good && i < count; i++)
		good = add(ret_shortfall, children[i].instance, &ends[i].grant);
	return good;
}

static void add_list(struct text *text, const char *before, hwloc_const_bitmap_t set)
{
	cleanup_free char *list = hwloc_bitmap_iszero(set) ? NULL : cpulist_text(set);

	text_add(text, "%s%s", before, list ? list : "?");
}

/* The next part of the line, and which of the `count` children it is about; about all of them: no name. */
static void begin(struct text *text, const struct shortfall *shortfall, size_t count)
{
	const int concerned = hwloc_bitmap_weight(shortfall->instances);

	if (text->length)
		text_add(text, "; ");
	if ((size_t)concerned == count)
		return;
	add_list(text, concerned > 1 ? "instances " : "instance ", shortfall->instances);
	text_add(text, ": ");
}

static void add_cpus(struct text *text, const struct shortfall *cpus, size_t count)
{
	begin(text, cpus, count);
	add_list(text, cpus->error ? "cannot bind to CPUs " : "asked for CPUs ", cpus->asked);
	if (!cpus->error)
		add_list(text, ", granted ", cpus->granted);
	else if (cpus->error == -EINVAL && !hwloc_bitmap_intersects(cpus->asked, cpus->granted))
		text_add(text, ": none of them may be used now (sched_setaffinity: %s)", strerror(-cpus->error));
	else
		text_add(text, ": sched_setaffinity: %s", strerror(-cpus->error));
}

static void add_cpus_and_result(struct text *text, const struct shortfall *cpus, size_t count)
{
	add_cpus(text, cpus, count);
	if (cpus->error)
		add_list(text, ", left on CPUs ", cpus->granted);
	if (cpus->unpinned)
		text_add(text, ", threads not pinned");
}

static void add_memory(struct text *text, const struct shortfall *memory, size_t count)
{
	begin(text, memory, count);
	text_add(text, "memory policy");
	if (memory->policy != MEMORY_AUTO)
		text_add(text, " %s", memory_policy_words[memory->policy]);
	if (!hwloc_bitmap_iszero(memory->asked))
		add_list(text, hwloc_bitmap_weight(memory->asked) > 1 ? " on nodes " : " on node ", memory->asked);
	if (memory->error)
		text_add(text, " refused: set_mempolicy: %s", strerror(-memory->error));
	else
		add_list(text, ": this kernel prefers one node only, granted ", memory->granted);
}

void grant_words_add(const struct launch_child *children, const struct launch_end *ends, size_t count,
		     struct text *text)
{
	cleanup_shortfall struct shortfall cpus = { .instances = NULL }, memory = cpus;

	if (!collect(children, ends, count, add_cpus_of, &cpus) ||
	    !collect(children, ends, count, add_memory_of, &memory))
		return; /* without memory there is worse to be said than this */
	if (!hwloc_bitmap_iszero(cpus.instances))
		add_cpus_and_result(text, &cpus, count);
	if (hwloc_bitmap_iszero(memory.instances))
		return;
	add_memory(text, &memory, count);
	if (memory.error)
		text_add(text, ", pages go where they are first touched");
}

void grant_words_again(const struct launch_child *child, const struct launch_end *end, struct text *text)
{
	cleanup_shortfall struct shortfall cpus = { .instances = NULL }, memory = cpus;

	if (!collect(child, end, 1, add_cpus_of, &cpus) || !collect(child, end, 1, add_memory_of, &memory))
		return;
	if (!hwloc_bitmap_iszero(cpus.instances))
		add_cpus(text, &cpus, 1);
	else
		add_memory(text, &memory, 1);
	text_add(text, ", planned again for what is there now");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What launch carries out by system calls, listed beside the variables so that one list holds the whole
 * decision. Leaving a family out therefore changes the plan, which is what launch reads.
 */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "settings/rule.h"

static void add_list(struct text *value, hwloc_const_bitmap_t set)
{
	cleanup_free char *list = cpulist_text(set);

	if (list)
		text_add(value, "%s", list);
	else
		value->failed = true;
}

static bool affinity_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)in;
	return instance->pin == PIN_THREADS || instance->pin == PIN_INSTANCE;
}

static void affinity_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	add_list(value, instance->mask_os);
}

static bool memory_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)in;
	return instance->memory_policy != MEMORY_NONE;
}

static void memory_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	text_add(value, "%s", memory_policy_words[instance->memory_policy]);
	if (instance->memory_policy == MEMORY_LOCAL)
		return;
	text_add(value, ":");
	add_list(value, instance->nodes_os);
}

static const struct setting_rule affinity_rules[] = {
	{ .name = "cpu-affinity",
	  .applies = affinity_applies,
	  .value = affinity_value,
	  .why = "the process and its children stay on the instance's CPUs (guide, NUMA; sched_setaffinity(2))",
	  .system_call = true },
};

static const struct setting_rule memory_rules[] = {
	{ .name = "memory-policy",
	  .applies = memory_applies,
	  .value = memory_value,
	  .why = "pages come from the nodes next to the instance's CPUs (guide, NUMA; set_mempolicy(2))",
	  .risk = "under 'bind' a process dies when its nodes are full; containers may refuse the call",
	  .system_call = true },
};

static int affinity_left_out(const struct settings_input *in)
{
	for (size_t i = 0; i < in->plan->instance_count; i++)
		in->plan->instances[i].pin = PIN_NONE;
	return plan_note(&in->plan->reasons, "affinity", "--no affinity", "nothing is bound to CPUs");
}

static int memory_left_out(const struct settings_input *in)
{
	for (size_t i = 0; i < in->plan->instance_count; i++)
		in->plan->instances[i].memory_policy = MEMORY_NONE;
	return plan_note(&in->plan->reasons, "memory", "--no memory", "the kernel's own memory policy stays");
}

const struct setting_family family_affinity = {
	.name = "affinity",
	.rules = affinity_rules,
	.rule_count = ARRAY_SIZE(affinity_rules),
	.left_out = affinity_left_out,
};

const struct setting_family family_memory = {
	.name = "memory",
	.rules = memory_rules,
	.rule_count = ARRAY_SIZE(memory_rules),
	.left_out = memory_left_out,
};

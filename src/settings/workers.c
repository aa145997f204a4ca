/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of a pool, and memory. A program that is known to start processes which compute at a time (torchrun,
 * gunicorn) hands its variables on to each of them, and each would have as many threads as there are CPUs for all: two
 * with two threads on two CPUs were seen to take twenty times as long as two with one.
 */
#include "machine/machine.h"
#include "settings/rule.h"

bool setting_threads_apply(const struct settings_input *in, const struct plan_instance *instance)
{
	return workload_threads_each(in->workload, instance->threads) != 0;
}

void setting_threads_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	text_add(value, "%u", workload_threads_each(in->workload, instance->threads));
}

void setting_threads_explain(const struct settings_input *in, struct text *why)
{
	if (in->workload->workers > 1)
		text_add(why, "; each of the processes that the program starts has its part of them");
}

uint64_t setting_memory_each(const struct settings_input *in)
{
	const struct fact *limit = &in->machine->limits.memory_bytes;
	const struct plan *plan = in->plan;

	if (limit->state != FACT_KNOWN || plan->instance_count == 0)
		return UINT64_MAX;
	return limit->value / plan->instance_count / workload_processes(in->workload, plan->instances[0].threads);
}

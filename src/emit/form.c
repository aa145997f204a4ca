/* SPDX-License-Identifier: Apache-2.0 */
#include "emit/form.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/text.h"
#include "machine/machine.h"
#include "plan/workload.h"

size_t form_first(const struct emit_input *in)
{
	return in->workload->request.has_instance ? in->workload->request.instance : 0;
}

size_t form_end(const struct emit_input *in)
{
	return in->workload->request.has_instance ? (size_t)in->workload->request.instance + 1
						  : in->plan->instance_count;
}

bool variable_next(const struct emit_input *in, const struct plan_instance *instance, size_t *at,
		   struct variable *ret_variable)
{
	const struct settings *settings = in->settings;

	while (*at < settings->count) {
		const struct setting *row = &settings->items[(*at)++];

		if (!row->environment || !settings_counts(settings, row, instance->index))
			continue;
		*ret_variable = (struct variable){ .name = row->name,
						   .value = row->value,
						   .shared = row->instance == EVERY_INSTANCE };
		return true;
	}
	return false;
}

void form_list(struct text *text, hwloc_const_bitmap_t set)
{
	cleanup_free char *list = cpulist_text(set);

	if (list)
		text_add(text, "%s", list);
	else
		text->failed = true;
}

bool form_quota(const struct emit_input *in, const struct plan_instance *instance, uint64_t *ret_milli)
{
	const struct fact *quota = &in->machine->limits.quota_milli;
	uint64_t threads = 0;

	if (quota->state != FACT_KNOWN)
		return false;
	for (size_t i = 0; i < in->plan->instance_count; i++)
		threads += in->plan->instances[i].threads;
	*ret_milli = threads ? quota->value * instance->threads / threads : quota->value;
	return true;
}

bool form_memory_limit(const struct emit_input *in, uint64_t *ret_bytes)
{
	const struct fact *limit = &in->machine->limits.memory_bytes;

	if (limit->state != FACT_KNOWN || !in->plan->instance_count)
		return false;
	*ret_bytes = limit->value / in->plan->instance_count;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "settings/record.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/record.h"
#include "settings/preload.h"
#include "settings/pytorch.h"
#include "settings/rule.h"

#include <stdio.h>
#include <string.h>

static struct setting record_row(const struct plan_instance *instance)
{
	return (struct setting){
		.family = family_record, .instance = (int)instance->index, .origin = ORIGIN_PLAN, .environment = 1
	};
}

static int clear_variable(const struct settings_input *in, struct settings *settings, const char *name)
{
	static const char why[] = "set by the fettle that started this one, and not part of this plan";
	cleanup_text struct text text = TEXT_INIT;
	cleanup_free char *users = NULL;
	const size_t first = settings->count;

	settings_users_part(in, name, &text);
	users = text_take(&text);
	if (!users)
		return -ENOMEM;
	for (size_t i = 0; i < in->plan->instance_count; i++) {
		const struct setting row = record_row(&in->plan->instances[i]);

		if (!settings_find(settings, name, in->plan->instances[i].index) &&
		    settings_add(settings, name, *users ? users : NULL, why, &row) < 0)
			return -ENOMEM;
	}
	settings_collapse(settings, first, in->plan->instance_count);
	return 0;
}

int record_clear_outer(const struct settings_input *in, struct settings *settings)
{
	size_t length = 0;
	const char *names = record_field(workload_getenv(in->workload, RECORD_VARIABLE), "set=", &length);
	cleanup_free char *list = names ? strndup(names, length) : NULL;
	char *rest = list;

	if (names && !list)
		return -ENOMEM;
	for (const char *name; (name = strsep(&rest, ",")) != NULL;) {
		if (workload_getenv(in->workload, name) && clear_variable(in, settings, name) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The variables that fettle itself gave a value: not the user's own, nor what --set says. */
static void add_names(const struct settings *settings, unsigned instance, struct text *record)
{
	const char *comma = "";

	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *row = &settings->items[i];

		if (!row->environment || !row->value || row->origin != ORIGIN_PLAN ||
		    record_owns(row->name, strlen(row->name)) || !settings_counts(settings, row, instance))
			continue;
		text_add(record, "%s%s", comma, row->name);
		comma = ",";
	}
}

/* For scripts that need no more than one number. */
static int add_numbers(const struct settings_input *in, const char *name, bool position, const char *why,
		       struct settings *settings)
{
	const size_t first = settings->count, count = in->plan->instance_count;

	for (size_t i = 0; i < count; i++) {
		const struct setting row = record_row(&in->plan->instances[i]);
		char number[24];

		(void)snprintf(number, sizeof(number), "%zu", position ? (size_t)in->plan->instances[i].index : count);
		if (settings_add(settings, name, number, why, &row) < 0)
			return -ENOMEM;
	}
	settings_collapse(settings, first, count);
	return 0;
}

static int add_record(const struct settings_input *in, const struct plan_instance *instance, struct settings *settings)
{
	const struct plan *plan = in->plan;
	const struct rank *rank = &in->workload->rank;
	cleanup_text struct text record = TEXT_INIT, names = TEXT_INIT;
	cleanup_free char *pus = cpulist_text(instance->pus_os), *mask = cpulist_text(instance->mask_os);
	cleanup_free char *nodes = cpulist_text(instance->nodes_os), *value = NULL;
	const bool has_nodes = instance->memory_policy != MEMORY_NONE && instance->memory_policy != MEMORY_LOCAL;
	const unsigned each = workload_threads_each(in->workload, instance->threads);
	const struct setting row = record_row(instance);

	if (!pus || !mask || !nodes)
		return -ENOMEM;
	text_add(&record, RECORD_VERSION "i=%u/%zu;cpus=%s;mask=%s;pin=%s;mem=%s%s%s;%s", instance->index,
		 plan->instance_count, pus, mask, pin_words[instance->pin],
		 memory_policy_words[instance->memory_policy], has_nodes ? ":" : "", has_nodes ? nodes : "",
		 settings_find(settings, setting_flush, instance->index) ? "fp=flush;" : "");
	if (each != instance->threads)
		text_add(&record, "each=%u;", each);
	if (rank->count && rank->variable && !rank->unasked)
		text_add(&record, "slot=%s:%u/%u;", rank->variable, rank->index, rank->count);
	pytorch_record(in, settings, instance, &record);
	preload_names(in, instance, &names);
	text_add(&record, "%s%s%sset=", names.length ? "pre=" : "", names.length ? names.data : "",
		 names.length ? ";" : "");
	add_names(settings, instance->index, &record);
	record.failed |= names.failed;
	value = text_take(&record);
	return value ? settings_add(settings, RECORD_VARIABLE, value,
				    "tells children, the agent, 'fettle inspect' and a nested fettle what was planned",
				    &row)
		     : -ENOMEM;
}

int record_rows(const struct settings_input *in, struct settings *settings)
{
	size_t first;

	if (add_numbers(in, RECORD_INSTANCE, true, "tells the program which instance it is, from 0", settings) < 0 ||
	    add_numbers(in, RECORD_INSTANCES, false, "tells the program how many instances there are", settings) < 0)
		return -ENOMEM;
	first = settings->count;
	for (size_t i = 0; i < in->plan->instance_count; i++) {
		if (add_record(in, &in->plan->instances[i], settings) < 0)
			return -ENOMEM;
	}
	settings_collapse(settings, first, in->plan->instance_count);
	return 0;
}

void record_forget(char *record, const char *name)
{
	const size_t name_length = strlen(name);
	size_t left = 0;
	char *at = (char *)record_field(record, "set=", &left);

	while (at && left) {
		const char *comma = memchr(at, ',', left);
		const size_t length = comma ? (size_t)(comma - at) : left;

		if (length == name_length && memcmp(at, name, length) == 0) {
			const char *rest = at + length + !!comma;

			if (!comma && at[-1] == ',')
				at--;
			memmove(at, rest, strlen(rest) + 1);
			return;
		}
		at += length + !!comma;
		left -= length + !!comma;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "report/hook_json.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/words.h"

#include <string.h>

enum { TEXT_MOST = 512, LIST_MOST = 32 };

static json_t *copy_flag(json_t *value)
{
	return json_is_boolean(value) ? json_boolean(json_is_true(value)) : json_null();
}

static json_t *copy_count(json_t *value)
{
	return json_is_integer(value) && json_integer_value(value) >= 0 ? json_integer(json_integer_value(value))
									: json_null();
}

static json_t *copy_number(json_t *value)
{
	return json_is_number(value) && json_number_value(value) >= 0 ? json_real(json_number_value(value))
								      : json_null();
}

static json_t *copy_text(json_t *value)
{
	return json_is_string(value) && json_string_length(value) <= TEXT_MOST ? json_string(json_string_value(value))
									       : json_null();
}

static json_t *copy_texts(json_t *value)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; i < json_array_size(value) && i < LIST_MOST; i++)
		r |= json_array_append_new(array, copy_text(json_array_get(value, i)));
	return json_finish(array, r);
}

/* {"why": how often}. */
static json_t *copy_counts(json_t *value)
{
	json_t *object = json_object(), *count;
	const char *why;
	int r = 0;

	json_object_foreach(value, why, count)
	{
		if (strlen(why) <= TEXT_MOST && json_object_size(object) < LIST_MOST)
			r |= json_object_set_new(object, why, copy_count(count));
	}
	return json_finish(object, r);
}

static const struct member {
	const char *name;
	json_t *(*copy)(json_t *value);
} members[] = {
	{ "pid", copy_count },
	{ "forked", copy_flag }, /* of a process that had the hook: its layers may be that one's */
	{ "ended", copy_flag },  /* false: its end was not seen; this was so `told_s` after torch was loaded */
	{ "told_s", copy_number },
	{ "torch", copy_text },
	{ "threads", copy_count },
	{ "layers", copy_count },
	{ "layers_packed", copy_count },
	{ "left_alone", copy_counts },
	{ "regions", copy_count },
	{ "regions_kept", copy_count },
	{ "regions_fused", copy_count },
	{ "regions_trained", copy_count }, /* channels last with gradients on */
	{ "trained_calls", copy_count },
	{ "trained_won_s", copy_number },
	{ "shapes", copy_count },
	{ "shapes_packed", copy_count },
	{ "shapes_never_back", copy_count },
	{ "packed_bytes", copy_count },
	{ "packed_bytes_allowed", copy_count }, /* null: the plan has no limit */
	{ "packings_without_room", copy_count },
	{ "packed_calls", copy_count },
	{ "won_s", copy_number },
	{ "precision", copy_text },
	{ "largest_difference", copy_number }, /* of packed from plain outputs, of the largest value */
	{ "regions_largest_difference", copy_number },
	{ "left_share", copy_number }, /* of a call's time; null: none was looked at */
	{ "left", copy_texts },
	{ "stepped_aside", copy_counts },
	{ "notices", copy_texts },
	{ "lines", copy_texts },
};

static json_t *process_to_json(const json_t *told)
{
	json_t *object = json_object();
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		r |= json_object_set_new(object, members[i].name,
					 members[i].copy(json_object_get(told, members[i].name)));
	return json_finish(object, r);
}

json_t *hook_to_json(const struct words *texts)
{
	json_t *object = json_object(), *processes = json_array();
	int r = object && processes ? 0 : -1;

	for (size_t i = 0; r == 0 && i < texts->count; i++) {
		json_t *told = json_loads(texts->items[i], JSON_REJECT_DUPLICATES, NULL);

		if (json_is_object(told))
			r |= json_array_append_new(processes, process_to_json(told));
		json_decref(told);
	}
	r |= json_object_set_new(object, "processes", processes);
	return json_finish(object, r);
}

const json_t *hook_lines(const json_t *process)
{
	return json_object_get(process, "lines");
}

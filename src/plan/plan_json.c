/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/json.h"
#include "plan/notes.h"

#include <string.h>

static json_t *places_to_json(const struct plan_instance *instance)
{
	json_t *array = json_array();
	char text[16];
	int r = 0;

	for (unsigned i = 0; i < instance->threads; i++) {
		(void)snprintf(text, sizeof(text), "%u", instance->places_os[i]);
		r |= json_array_append_new(array, json_string(text));
	}
	return json_finish(array, r);
}

static json_t *instance_to_json(const struct plan_instance *instance)
{
	json_t *object = json_object();
	int r = 0;

	r |= json_object_set_new(object, "index", json_integer(instance->index));
	r |= json_set_list(object, "pus_os", instance->pus_os);
	r |= json_set_list(object, "mask_os", instance->mask_os);
	r |= json_object_set_new(object, "cores", instance->cores ? json_integer(instance->cores) : json_null());
	r |= json_object_set_new(object, "threads", json_integer(instance->threads));
	r |= json_object_set_new(object, "pin", json_string(pin_words[instance->pin]));
	r |= json_object_set_new(object, "places_os", places_to_json(instance));
	r |= json_set_list(object, "nodes_os", instance->nodes_os);
	r |= json_object_set_new(object, "memory_policy", json_string(memory_policy_words[instance->memory_policy]));
	return json_finish(object, r);
}

/* `key` is what the id is called: "rule" for reasons, "id" for warnings. */
static json_t *notes_to_json(const struct plan_notes *notes, const char *key, bool evidence)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; i < notes->count; i++) {
		const struct plan_note *note = &notes->items[i];
		json_t *object = json_object();

		r |= json_object_set_new(object, key, json_string(note->id));
		r |= json_object_set_new(object, "text", json_string(note->text));
		if (evidence)
			r |= json_object_set_new(object, "evidence",
						 note->evidence ? json_string(note->evidence) : json_null());
		r |= json_array_append_new(array, object);
	}
	return json_finish(array, r);
}

json_t *plan_to_json(const struct plan *plan)
{
	json_t *object = json_object();
	json_t *instances = json_array();
	int r = 0;

	for (size_t i = 0; i < plan->instance_count; i++)
		r |= json_array_append_new(instances, instance_to_json(&plan->instances[i]));
	r |= json_object_set_new(object, "instances", instances);
	r |= json_object_set_new(object, "reasons", notes_to_json(&plan->reasons, "rule", true));
	r |= json_set_list(object, "unused_pus_os", plan->unused_pus_os);
	r |= json_object_set_new(object, "warnings", notes_to_json(&plan->warnings, "id", false));
	return json_finish(object, r);
}

static int read_word(const json_t *object, const char *key, const char *const *words, int first, int count,
		     int *ret_index, struct err *err)
{
	const char *text;
	int r = json_get_text(object, key, &text, err);

	if (r < 0)
		return r;
	for (int i = first; i < count; i++) {
		if (strcmp(words[i], text) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "'%s' is '%.40s', which is not one of its words", key, text);
}

static int read_places(const json_t *object, struct plan_instance *instance, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t seen = hwloc_bitmap_alloc();
	json_t *array;
	int r = json_get_array(object, "places_os", &array, err);

	if (r < 0)
		return r;
	if (json_array_size(array) != instance->threads || !instance->threads)
		return err_set(err, -EINVAL, "'places_os' has %zu places for %u threads", json_array_size(array),
			       instance->threads);
	instance->places_os = calloc(instance->threads, sizeof(*instance->places_os));
	if (!instance->places_os || !seen)
		return err_nomem(err);
	for (unsigned i = 0; i < instance->threads; i++) {
		cleanup_bitmap hwloc_bitmap_t place = NULL;
		const char *text = json_string_value(json_array_get(array, i));

		if (!text)
			return err_set(err, -EINVAL, "'places_os' holds something else than text");
		r = cpulist_parse(text, &place, err);
		if (r < 0)
			return err_wrap(err, "'places_os'");
		if (hwloc_bitmap_weight(place) != 1)
			return err_set(err, -EINVAL, "'places_os': place '%.40s' is not one CPU", text);
		instance->places_os[i] = (unsigned)hwloc_bitmap_first(place);
		if (hwloc_bitmap_or(seen, seen, place) < 0)
			return err_nomem(err);
	}
	if (!hwloc_bitmap_isequal(seen, instance->pus_os) ||
	    hwloc_bitmap_weight(instance->pus_os) != (int)instance->threads)
		return err_set(err, -EINVAL, "'places_os' and 'pus_os' do not name the same CPUs, one a thread");
	return 0;
}

static int read_instance(const json_t *object, unsigned index, struct plan_instance *instance, struct err *err)
{
	int word = 0;
	int r = json_get_unsigned(object, "index", &instance->index, err);

	if (r == 0 && instance->index != index)
		r = err_set(err, -EINVAL, "'index' is %u where %u is due", instance->index, index);
	if (r == 0)
		r = json_get_list(object, "pus_os", &instance->pus_os, err);
	if (r == 0)
		r = json_get_list(object, "mask_os", &instance->mask_os, err);
	if (r == 0)
		r = json_get_list(object, "nodes_os", &instance->nodes_os, err);
	if (r == 0 && !json_is_null(json_object_get(object, "cores")))
		r = json_get_unsigned(object, "cores", &instance->cores, err);
	if (r == 0)
		r = json_get_unsigned(object, "threads", &instance->threads, err);
	if (r == 0)
		r = read_word(object, "pin", pin_words, PIN_THREADS, PIN_COUNT, &word, err);
	if (r < 0)
		return r;
	instance->pin = (enum pin)word;
	r = read_word(object, "memory_policy", memory_policy_words, MEMORY_NONE, MEMORY_POLICY_COUNT, &word, err);
	if (r < 0)
		return r;
	instance->memory_policy = (enum memory_policy)word;
	if (!hwloc_bitmap_isincluded(instance->pus_os, instance->mask_os))
		return err_set(err, -EINVAL, "'pus_os' is not within 'mask_os'");
	return read_places(object, instance, err);
}

static int read_notes(const json_t *document, const char *key, const char *id_key, struct plan_notes *notes,
		      struct err *err)
{
	json_t *array, *object;
	size_t i;
	int r = json_get_array(document, key, &array, err);

	if (r < 0)
		return r;
	json_array_foreach(array, i, object)
	{
		const char *id = NULL, *text = NULL;

		r = json_get_text(object, id_key, &id, err);
		if (r == 0)
			r = json_get_text(object, "text", &text, err);
		if (r < 0)
			return err_wrap(err, "'%s'", key);
		if (plan_note(notes, id, json_string_value(json_object_get(object, "evidence")), "%s", text) < 0)
			return err_nomem(err);
	}
	return 0;
}

static int read_instances(const json_t *document, struct plan *plan, struct err *err)
{
	json_t *array, *object;
	size_t i;
	int r = json_get_array(document, "instances", &array, err);

	if (r < 0)
		return r;
	if (json_array_size(array) == 0)
		return err_set(err, -EINVAL, "'instances' is empty");
	plan->instances = calloc(json_array_size(array), sizeof(*plan->instances));
	if (!plan->instances)
		return err_nomem(err);
	json_array_foreach(array, i, object)
	{
		plan->instance_count++;
		r = read_instance(object, (unsigned)i, &plan->instances[i], err);
		if (r < 0)
			return err_wrap(err, "instance %zu", i);
		for (size_t j = 0; j < i; j++) {
			if (hwloc_bitmap_intersects(plan->instances[i].pus_os, plan->instances[j].pus_os))
				return err_set(err, -EINVAL, "instances %zu and %zu share CPUs in 'pus_os'", j, i);
		}
	}
	return 0;
}

int plan_from_json(const json_t *document, struct plan **ret_plan, struct err *err)
{
	cleanup_plan struct plan *plan = calloc(1, sizeof(*plan));
	int r;

	if (!plan)
		return err_nomem(err);
	if (!json_is_object(document))
		return err_set(err, -EINVAL, "the plan is no JSON object");
	r = read_instances(document, plan, err);
	if (r == 0)
		r = json_get_list(document, "unused_pus_os", &plan->unused_pus_os, err);
	if (r == 0)
		r = read_notes(document, "reasons", "rule", &plan->reasons, err);
	if (r == 0)
		r = read_notes(document, "warnings", "id", &plan->warnings, err);
	if (r < 0)
		return r;
	*ret_plan = TAKE(plan);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "report/doctor.h"

#include "base/json.h"

static json_t *any_or_null(const char *text)
{
	return text ? json_any_text(text) : json_null();
}

static json_t *judgement_to_json(const struct doctor_judgement *judgement)
{
	json_t *object = json_object(), *evidence = json_array();
	int r = json_object_set_new(object, "id", json_string(judgement->id));

	r |= json_object_set_new(object, "verdict", json_string(doctor_verdict_words[judgement->verdict]));
	r |= json_object_set_new(object, "text", json_any_text(judgement->text));
	for (size_t i = 0; i < judgement->evidence_count; i++)
		r |= json_array_append_new(evidence, json_any_text(judgement->evidence[i]));
	r |= json_object_set_new(object, "evidence", evidence);
	r |= json_object_set_new(object, "cost", any_or_null(judgement->cost));
	r |= json_object_set_new(object, "remedy", any_or_null(judgement->remedy));
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *doctor_to_json(const struct doctor *doctor)
{
	json_t *object = json_object(), *rules = json_array();
	int r = json_object_set_new(object, "schema", json_string("fettle.doctor/1"));

	for (size_t i = 0; i < doctor->count; i++)
		r |= json_array_append_new(rules, judgement_to_json(&doctor->items[i]));
	r |= json_object_set_new(object, "rules", rules);
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

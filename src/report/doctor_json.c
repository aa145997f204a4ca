/* SPDX-License-Identifier: Apache-2.0 */
#include "report/doctor.h"

#include "base/json.h"

static json_t *judgement_to_json(const struct doctor_judgement *judgement)
{
	json_t *object = json_object(), *evidence = json_array();
	int r = json_object_set_new(object, "id", json_string(judgement->id));

	r |= json_object_set_new(object, "verdict", json_string(doctor_verdict_words[judgement->verdict]));
	r |= json_object_set_new(object, "text", json_any_text(judgement->text));
	for (size_t i = 0; i < judgement->evidence_count; i++)
		r |= json_array_append_new(evidence, json_any_text(judgement->evidence[i]));
	r |= json_object_set_new(object, "evidence", evidence);
	r |= json_object_set_new(object, "cost", json_optional_text(judgement->cost));
	r |= json_object_set_new(object, "remedy", json_optional_text(judgement->remedy));
	return json_finish(object, r);
}

json_t *doctor_to_json(const struct doctor *doctor)
{
	json_t *object = json_object(), *rules = json_array();
	int r = json_object_set_new(object, "schema", json_string("fettle.doctor/1"));

	for (size_t i = 0; i < doctor->count; i++)
		r |= json_array_append_new(rules, judgement_to_json(&doctor->items[i]));
	r |= json_object_set_new(object, "rules", rules);
	return json_finish(object, r);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/result.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <math.h>
#include <string.h>

double prove_noise(const struct prove_result *result)
{
	double most = -1;

	for (size_t i = 0; i < result->count; i++) {
		const struct prove_trial *trial = result->rows[i].trial;

		if (trial->blocks)
			most = fmax(most, trial->judgement.noise);
	}
	return most;
}

void prove_verdict_text(const struct prove_trial *trial, struct text *text)
{
	const struct prove_judgement *judgement = &trial->judgement;

	text_add(text, "%s", prove_verdict_words[judgement->verdict]);
	switch (judgement->verdict) {
	case PROVE_WORTH_IT:
	case PROVE_HARMFUL:
		text_add(text, " %.2fx [%.2f, %.2f]", judgement->ratio, judgement->low, judgement->high);
		break;
	case PROVE_NO_DIFFERENCE:
		text_add(text, " (noise %.1f %%)", 100 * judgement->noise);
		break;
	case PROVE_UNDECIDED:
		if (trial->blocks)
			text_add(text, " %.2fx [%.2f, %.2f]", judgement->ratio, judgement->low, judgement->high);
		break;
	default:
		break;
	}
	if (trial->why)
		text_add(text, ": %s", trial->why);
}

/* The reason, or what the numbers say. */
static json_t *why_to_json(const struct prove_trial *trial)
{
	cleanup_text struct text text = TEXT_INIT;
	const struct prove_judgement *judgement = &trial->judgement;

	if (trial->why)
		return json_any_text(trial->why);
	if (judgement->verdict == PROVE_NO_DIFFERENCE)
		text_add(&text, "the 95 %% interval of the median lies within %.0f %% of 1", 100 * PROVE_TELLS);
	else
		text_add(&text, "signed-rank test of %zu blocks: chance %.2g", judgement->blocks, judgement->chance);
	return text.failed ? NULL : json_any_text(text.data);
}

static json_t *row_to_json(const struct prove_row *row)
{
	const struct prove_trial *trial = row->trial;
	const struct prove_judgement *judgement = &trial->judgement;
	const bool measured = trial->blocks > 0;
	json_t *object = json_object();
	int r = json_object_set_new(object, "advice", json_string(row->experiment->advice));

	r |= json_object_set_new(object, "workload", json_any_text(row->workload));
	r |= json_object_set_new(object, "ratio", measured ? json_real(judgement->ratio) : json_null());
	r |= json_object_set_new(object, "low", measured ? json_real(judgement->low) : json_null());
	r |= json_object_set_new(object, "high", measured ? json_real(judgement->high) : json_null());
	r |= json_object_set_new(object, "samples", json_integer((json_int_t)trial->blocks));
	r |= json_object_set_new(object, "verdict", json_string(prove_verdict_words[judgement->verdict]));
	r |= json_object_set_new(object, "why", why_to_json(trial));
	r |= json_object_set_new(object, "noise", measured ? json_real(judgement->noise) : json_null());
	r |= json_object_set_new(object, "lost", json_integer((json_int_t)trial->lost));
	r |= json_object_set_new(object, "options", json_words(row->own));
	if (row->joined && row->joined->count)
		r |= json_object_set_new(object, "of", json_words(row->joined));
	r |= json_object_set_new(object, "changes_numbers", json_boolean(row->experiment->changes_numbers));
	r |= json_object_set_new(object, "about", json_string(row->experiment->about));
	return json_finish(object, r);
}

json_t *prove_to_json(const struct prove_result *result)
{
	json_t *object = json_object(), *trials = json_array(), *unknown = json_array();
	const double noise = prove_noise(result);
	int r = json_object_set_new(object, "schema", json_string("fettle.prove/1"));

	r |= json_object_set_new(object, "machine", json_any_text(result->machine));
	r |= json_object_set_new(object, "metric", result->metric ? json_any_text(result->metric) : json_null());
	r |= json_object_set_new(object, "noise", noise >= 0 ? json_real(noise) : json_null());
	if (noise < 0)
		r |= json_array_append_new(unknown, json_string("noise"));
	for (size_t i = 0; i < result->count; i++)
		r |= json_array_append_new(trials, row_to_json(&result->rows[i]));
	r |= json_object_set_new(object, "trials", trials);
	r |= json_object_set_new(object, "ended", result->ended ? json_any_text(result->ended) : json_null());
	r |= json_object_set_new(object, "unknown", unknown);
	return json_finish(object, r);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn/advice.h"

#include "base/cleanup.h"
#include "base/json.h"

#include <string.h>

static json_t *counted(uint64_t number)
{
	return json_integer((json_int_t)number);
}

/* null, and its name among those that are not known. */
static int set_unknown(json_t *object, const char *key, json_t *unknown, const char *name)
{
	return json_object_set_new(object, key, json_null()) | json_array_append_new(unknown, json_string(name));
}

static json_t *span_text(struct onednn_span span)
{
	cleanup_free char *text = strndup(span.at, span.length);

	return text ? json_any_text(text) : NULL;
}

static json_t *row_to_json(const struct onednn_profile *profile, const struct onednn_row *row)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "kind", json_any_text(row->kind));

	r |= json_object_set_new(object, "implementation", json_any_text(row->implementation));
	r |= json_object_set_new(object, "calls", counted(row->calls));
	r |= json_object_set_new(object, "ms", json_real(row->ms));
	r |= json_object_set_new(object, "share", json_real(onednn_share(profile, row->ms)));
	r |= json_object_set_new(object, "creations", counted(row->creations));
	r |= json_object_set_new(object, "create_ms", json_real(row->create_ms));
	r |= json_object_set_new(object, "gflops",
				 row->flop_ms > 0 ? json_real(row->flop / row->flop_ms / 1e6) : json_null());
	r |= json_object_set_new(object, "of_peak",
				 row->flop_ms > 0 && profile->peak_gflops > 0
					 ? json_real(row->flop / row->flop_ms / 1e6 / profile->peak_gflops)
					 : json_null());
	return json_finish(object, r);
}

static json_t *rows_to_json(const struct onednn_profile *profile)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; i < profile->row_count; i++) {
		if (profile->rows[i].calls)
			r |= json_array_append_new(array, row_to_json(profile, &profile->rows[i]));
	}
	return json_finish(array, r);
}

static json_t *shape_to_json(const struct onednn_profile *profile, const struct onednn_primitive *primitive)
{
	const struct onednn_row *row = &profile->rows[primitive->row];
	json_t *object = json_object();
	int r = json_object_set_new(object, "kind", json_any_text(row->kind));

	r |= json_object_set_new(object, "implementation", json_any_text(row->implementation));
	r |= json_object_set_new(object, "primitive", span_text(onednn_primitive_key(&profile->primitives, primitive)));
	r |= json_object_set_new(object, "calls", counted(primitive->calls));
	r |= json_object_set_new(object, "ms", json_real(primitive->exec_ms));
	r |= json_object_set_new(object, "share", json_real(onednn_share(profile, primitive->exec_ms)));
	r |= json_object_set_new(
		object, "gflops",
		primitive->flop > 0 && primitive->exec_ms > 0
			? json_real(primitive->flop * (double)primitive->calls / primitive->exec_ms / 1e6)
			: json_null());
	return json_finish(object, r);
}

static json_t *shapes_to_json(const struct onednn_profile *profile, size_t count)
{
	cleanup_free size_t *longest = calloc(count + 1, sizeof(*longest));
	json_t *array = json_array();
	int r = longest ? 0 : -1;

	count = longest ? onednn_profile_longest(profile, 0, count, longest) : 0;
	for (size_t i = 0; i < count; i++)
		r |= json_array_append_new(array, shape_to_json(profile, &profile->primitives.items[longest[i]]));
	return json_finish(array, r);
}

static json_t *curve_to_json(const struct onednn_sizing *sizing)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; i < sizing->curve_count; i++)
		r |= json_array_append_new(array, json_pack("{s:i, s:o}", "capacity", (int)sizing->curve[i].capacity,
							    "hit_rate", json_real(sizing->curve[i].hit_rate)));
	return json_finish(array, r);
}

/* What a capacity would change. */
static int set_recommendation(json_t *object, const struct onednn_advice *advice, json_t *unknown)
{
	const struct onednn_sizing *sizing = &advice->sizing;
	int r = 0;

	if (!sizing->recommended)
		return set_unknown(object, "recommended_capacity", unknown, "cache.recommended_capacity") |
		       set_unknown(object, "working_set", unknown, "cache.working_set") |
		       set_unknown(object, "saves_ms", unknown, "cache.saves_ms") |
		       set_unknown(object, "costs_bytes", unknown, "cache.costs_bytes");
	r |= json_object_set_new(object, "recommended_capacity", counted(sizing->recommended));
	r |= json_object_set_new(object, "working_set", counted(sizing->working_set));
	r |= sizing->has_saves ? json_object_set_new(object, "saves_ms", json_real(sizing->saves_ms))
			       : set_unknown(object, "saves_ms", unknown, "cache.saves_ms");
	r |= advice->has_cost ? json_object_set_new(object, "costs_bytes", json_integer((json_int_t)advice->cost_bytes))
			      : set_unknown(object, "costs_bytes", unknown, "cache.costs_bytes");
	return r;
}

static json_t *cache_to_json(const struct onednn_profile *profile, const struct onednn_advice *advice, json_t *unknown)
{
	const struct onednn_sizing *sizing = &advice->sizing;
	json_t *object = json_object();
	int r = 0;

	r |= sizing->has_capacity ? json_object_set_new(object, "capacity", counted(sizing->capacity))
				  : set_unknown(object, "capacity", unknown, "cache.capacity");
	r |= json_object_set_new(object, "capacity_assumed", json_boolean(sizing->assumed));
	if (sizing->has_said) {
		r |= json_object_set_new(object, "hits", counted(sizing->hits));
		r |= json_object_set_new(object, "misses", counted(sizing->misses));
		r |= json_object_set_new(object, "agreement", json_real(sizing->agreement));
	} else {
		r |= set_unknown(object, "hits", unknown, "cache.hits");
		r |= set_unknown(object, "misses", unknown, "cache.misses");
		r |= set_unknown(object, "agreement", unknown, "cache.agreement");
	}
	/* One that was forgotten and came back would count twice. */
	r |= profile->forgotten || !sizing->has_creations
		     ? set_unknown(object, "distinct", unknown, "cache.distinct")
		     : json_object_set_new(object, "distinct", counted(profile->distinct));
	r |= profile->creations && profile->executions
		     ? json_object_set_new(object, "kept_by_program_share",
					   json_real((double)profile->kept / (double)profile->executions))
		     : set_unknown(object, "kept_by_program_share", unknown, "cache.kept_by_program_share");
	r |= json_object_set_new(object, "nested", counted(profile->cache.nested));
	r |= json_object_set_new(object, "curve", curve_to_json(sizing));
	r |= set_recommendation(object, advice, unknown);
	r |= json_object_set_new(object, "why", json_any_text(advice->why));
	return json_finish(object, r);
}

static json_t *finding_to_json(const struct onednn_finding *finding)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "id", json_string(finding->id));

	r |= json_object_set_new(object, "severity", json_string(finding->severity));
	r |= json_object_set_new(object, "text", json_any_text(finding->text));
	r |= json_object_set_new(object, "evidence", json_words(&finding->evidence));
	r |= json_object_set_new(object, "remedy", json_any_text(finding->remedy));
	return json_finish(object, r);
}

static json_t *findings_to_json(const struct onednn_advice *advice)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; i < advice->finding_count; i++)
		r |= json_array_append_new(array, finding_to_json(&advice->findings[i]));
	return json_finish(array, r);
}

static json_t *said(const char *text)
{
	return text ? json_any_text(text) : json_null();
}

/* Shares of no time are nothing, not 0. */
static int set_shares(json_t *object, const struct onednn_profile *profile, json_t *unknown)
{
	json_t *layout = json_object();
	int r = json_object_set_new(object, "layout", layout);

	if (profile->times.all <= 0)
		return r | set_unknown(layout, "reorder_share", unknown, "layout.reorder_share") |
		       set_unknown(layout, "plain_share", unknown, "layout.plain_share") |
		       set_unknown(object, "reference_share", unknown, "reference_share");
	r |= json_object_set_new(layout, "reorder_share", json_real(onednn_share(profile, profile->times.reorder)));
	r |= json_object_set_new(layout, "plain_share", json_real(onednn_share(profile, profile->times.plain)));
	r |= json_object_set_new(layout, "channels_last_share",
				 json_real(onednn_share(profile, profile->times.channels_last)));
	r |= json_object_set_new(layout, "activation_reorder_share",
				 json_real(onednn_share(profile, profile->times.activation_reorder)));
	r |= json_object_set_new(object, "reference_share", json_real(onednn_share(profile, profile->times.reference)));
	return r;
}

json_t *onednn_to_json(const struct onednn_profile *profile, const struct onednn_advice *advice, size_t shapes)
{
	json_t *object = json_object(), *unknown = json_array();
	int r = json_object_set_new(object, "schema", json_string("fettle.onednn/1"));

	r |= json_object_set_new(object, "streams", counted(profile->streams));
	r |= json_object_set_new(object, "lines", counted(profile->stream.lines));
	r |= json_object_set_new(object, "cut_lines", counted(profile->stream.cut_lines));
	r |= json_object_set_new(object, "other_lines", counted(profile->stream.other_lines));
	r |= json_object_set_new(object, "version", said(profile->version));
	r |= json_object_set_new(object, "isa", said(profile->isa));
	r |= json_object_set_new(object, "runtime", said(profile->runtime));
	r |= json_object_set_new(object, "primitives",
				 json_pack("{s:o, s:o, s:o, s:o}", "executions", counted(profile->executions),
					   "exec_ms", json_real(profile->times.all), "creations",
					   counted(profile->creations), "create_ms", json_real(profile->create_ms)));
	r |= profile->peak_gflops > 0 ? json_object_set_new(object, "peak_gflops", json_real(profile->peak_gflops))
				      : set_unknown(object, "peak_gflops", unknown, "peak_gflops");
	r |= json_object_set_new(object, "time", rows_to_json(profile));
	r |= json_object_set_new(object, "shapes", shapes_to_json(profile, shapes));
	r |= set_shares(object, profile, unknown);
	r |= json_object_set_new(object, "cache", cache_to_json(profile, advice, unknown));
	r |= json_object_set_new(object, "findings", findings_to_json(advice));
	r |= json_object_set_new(object, "unknown", unknown);
	return json_finish(object, r);
}

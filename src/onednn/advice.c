/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn/advice.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "onednn/isa.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How often each primitive must have been asked for, on average, before a smaller cache is advised. */
enum { TIMES_EACH = 4 };

/* Primitives named as examples of a finding. */
enum { NAMED = 3 };

/* From which share of the time on something is worth a word, and from which a warning. */
static const double NOTE = 0.05, WARN = 0.2;

struct say {
	struct onednn_advice *advice;
	bool failed;
};

static __attribute__((format(printf, 1, 2))) char *words_of(const char *format, ...)
{
	char *text;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	return length < 0 ? NULL : text;
}

/* Takes `text`, `remedy` and `evidence`; any that is NULL for want of memory makes the whole fail. */
static void add(struct say *say, const char *id, bool warns, char *text, char *remedy, char *evidence)
{
	struct onednn_advice *advice = say->advice;
	struct onednn_finding *finding = &advice->findings[advice->finding_count];

	say->failed |= advice->finding_count == ONEDNN_FINDINGS_MAX || !text || !remedy || !evidence;
	if (say->failed) {
		free(text);
		free(remedy);
		free(evidence);
		return;
	}
	finding->id = id;
	finding->severity = warns ? "warning" : "note";
	finding->text = text;
	finding->remedy = remedy;
	advice->finding_count++;
	say->failed |= words_take(&finding->evidence, evidence) < 0;
}

static double percent(double share)
{
	return 100 * share;
}

/* Entries a cache of this capacity comes to hold. */
static double entries(const struct onednn_profile *profile, unsigned capacity)
{
	return capacity < profile->cache.live_most ? capacity : profile->cache.live_most;
}

/* A short run has not shown all that comes back. */
static bool is_thin(const struct onednn_profile *profile)
{
	return profile->creations < TIMES_EACH * profile->distinct;
}

static void say_why_none(const struct onednn_profile *profile, struct text *why)
{
	if (!profile->creations)
		text_add(why, "the stream has no creations: run with ONEDNN_VERBOSE=2, or 'profile_create' since 3.0");
	else
		text_add(why, "no primitive was asked for twice: nothing can be said of a cache; let it run longer");
}

/* Why this capacity. Figures of it as far as they are known. */
static void say_why(const struct onednn_profile *profile, const struct onednn_advice *advice, struct text *why)
{
	const struct onednn_sizing *sizing = &advice->sizing;
	const unsigned now = sizing->has_capacity ? sizing->capacity : ONEDNN_CAPACITY_DEFAULT;
	const double loss = sizing->best_rate - sizing->now_rate;

	if (!sizing->recommended) {
		say_why_none(profile, why);
		return;
	}
	text_add(why, "%u is the first capacity within 1 %% of the best hit rate, %.1f %%: that takes %u primitives",
		 sizing->recommended, percent(sizing->best_rate), sizing->working_set);
	if (sizing->has_said && loss > 0.01 * sizing->best_rate && !sizing->has_capacity)
		text_add(why, "; the run had %.1f %%, at a capacity that cannot be told", percent(sizing->now_rate));
	else if (sizing->has_said && loss > 0.01 * sizing->best_rate && sizing->recommended > now)
		text_add(why, "; the run had %.1f %%%s", percent(sizing->now_rate),
			 sizing->assumed ? ", as the default of 1024 gives" : "");
	else if (sizing->recommended >= now)
		text_add(why, "; %s is right", now == ONEDNN_CAPACITY_DEFAULT ? "the default of 1024" : "the run's");
	else if (entries(profile, now) <= sizing->recommended)
		text_add(why, "; %u does as well and costs nothing: the cache never held more than %u", now,
			 profile->cache.live_most);
	else if (is_thin(profile))
		text_add(why, "; too few creations to go below %u by: let it run longer", now);
	else
		text_add(why, "; %u is more than it needs: less saves memory at no loss", now);
	if (sizing->has_said && sizing->agreement < 0.995)
		text_add(
			why,
			"; model and report agree on %.1f %% of the creations only: several processes or thread counts "
			"in one stream, or primitives that oneDNN does not print",
			percent(sizing->agreement));
}

static void advise_cache(const struct onednn_profile *profile, struct say *say)
{
	struct onednn_advice *advice = say->advice;
	const struct onednn_sizing *sizing = &advice->sizing;
	const double gain = sizing->best_rate - sizing->now_rate;
	cleanup_text struct text why = TEXT_INIT;
	double bytes;

	advice->worth = sizing->recommended > ONEDNN_CAPACITY_DEFAULT ||
			(sizing->recommended && profile->cache.live_most > sizing->recommended && !is_thin(profile));
	if (sizing->recommended && sizing->has_capacity && onednn_primitive_bytes(profile, &bytes)) {
		advice->has_cost = true;
		advice->cost_bytes =
			bytes * (entries(profile, sizing->recommended) - entries(profile, sizing->capacity));
	}
	say_why(profile, advice, &why);
	advice->why = text_take(&why);
	say->failed |= !advice->why;
	if (!sizing->recommended || !sizing->has_said || gain < NOTE || sizing->saves_ms <= 0)
		return;
	add(say, "primitive-cache-thrash", gain >= WARN,
	    words_of("%.1f %% of the creations missed the primitive cache though their shapes had been there before: "
		     "%.0f ms of this run",
		     percent(gain), sizing->saves_ms),
	    words_of("ONEDNN_PRIMITIVE_CACHE_CAPACITY=%u, or 'fettle run --onednn-cache %u'", sizing->recommended,
		     sizing->recommended),
	    words_of("hits %llu, misses %llu, hit rate at %u: %.3f", (unsigned long long)sizing->hits,
		     (unsigned long long)sizing->misses, sizing->recommended, sizing->best_rate));
}

/* Which they are: the longest of those with one of these traits. */
static void name_longest(const struct onednn_profile *profile, unsigned traits, struct say *say)
{
	struct onednn_finding *finding = &say->advice->findings[say->advice->finding_count - 1];
	size_t longest[NAMED];
	const size_t count = onednn_profile_longest(profile, traits, NAMED, longest);

	for (size_t i = 0; i < count && !say->failed; i++) {
		const struct onednn_primitive *primitive = &profile->primitives.items[longest[i]];
		const struct onednn_span problem = onednn_profile_problem(profile, primitive);

		say->failed |= words_take(&finding->evidence,
					  words_of("%.1f ms: %s %.*s, %llu execution%s", primitive->exec_ms,
						   profile->rows[primitive->row].kind, (int)problem.length, problem.at,
						   (unsigned long long)primitive->calls,
						   primitive->calls == 1 ? "" : "s")) < 0;
	}
}

static void advise_layout(const struct onednn_profile *profile, struct say *say)
{
	const struct onednn_times *times = &profile->times;
	const double reorder = onednn_share(profile, times->activation_reorder);
	const double plain = onednn_share(profile, times->asked_plain), share = reorder + plain;

	if (share < NOTE)
		return;
	add(say, "layout-slow", share >= WARN,
	    words_of("%.1f %% of oneDNN's time went into changing layouts of data, and %.1f %% into convolutions and "
		     "their "
		     "like on data in plain order (NCHW)",
		     percent(reorder), percent(plain)),
	    words_of("channels last lets data stay as they are between layers (PyTorch: model and input "
		     ".to(memory_format=torch.channels_last)): the reorders go, convolutions in plain order become "
		     "faster; some 1x1 convolutions do not: measure it"),
	    words_of("%.1f ms in reorders between plain and blocked data, %.1f ms on plain data, %.1f ms on data in "
		     "channels "
		     "last",
		     times->activation_reorder, times->asked_plain, times->channels_last));
	if (!say->failed)
		name_longest(profile, ONEDNN_ACTIVATION | ONEDNN_ASKED_PLAIN, say);
}

static void advise_isa(const struct onednn_profile *profile, const char *flags, struct say *say)
{
	const struct onednn_times *times = &profile->times;
	const double reference = onednn_share(profile, times->reference), single = onednn_share(profile, times->single);
	const struct onednn_isa used = onednn_isa_said(profile->isa ? profile->isa : "");
	char missing[ONEDNN_ISA_WORDS];

	if (profile->isa && flags && onednn_isa_missing(used, onednn_isa_of_flags(flags), missing))
		add(say, "isa-limited", true, words_of("the processor has %s and oneDNN does not use it", missing),
		    words_of(
			    "see whether ONEDNN_MAX_CPU_ISA or DNNL_MAX_CPU_ISA is set; an old oneDNN may not know it"),
		    words_of("oneDNN said: %s", profile->isa));
	if (reference >= NOTE)
		add(say, "isa-limited", reference >= WARN,
		    words_of(
			    "%.1f %% of oneDNN's time went into reference kernels, plain loops for what no fast kernel "
			    "takes",
			    percent(reference)),
		    words_of("the table names them: another layout, data type or size may have a fast kernel; "
			     "ONEDNN_VERBOSE=dispatch says why each was refused"),
		    words_of("%.1f ms in kernels named ref", times->reference));
	if (reference >= NOTE && !say->failed)
		name_longest(profile, ONEDNN_REFERENCE, say);
	if (profile->isa && (used.bf16 || used.amx) && times->narrow <= 0 && single >= 0.5)
		add(say, "isa-limited", false,
		    words_of(
			    "%.1f %% of oneDNN's time is convolutions and products in single precision; this processor "
			    "computes bf16 faster%s",
			    percent(single), used.amx ? ", with AMX many times" : ""),
		    words_of("results change: 'fettle run --fpmath bf16' lets oneDNN round inputs, or convert the "
			     "model"),
		    words_of("oneDNN said: %s", profile->isa));
}

int onednn_advise(const struct onednn_profile *profile, unsigned capacity, const char *flags,
		  struct onednn_advice *ret_advice, struct err *err)
{
	cleanup_onednn_advice struct onednn_advice advice = { .why = NULL };
	struct say say = { .advice = &advice };

	onednn_cache_judge(&profile->cache, capacity, &advice.sizing);
	advise_cache(profile, &say);
	advise_layout(profile, &say);
	advise_isa(profile, flags, &say);
	if (say.failed)
		return err_nomem(err);
	*ret_advice = advice;
	advice = (struct onednn_advice){ .why = NULL };
	return 0;
}

void onednn_advice_clear(struct onednn_advice *advice)
{
	for (size_t i = 0; i < advice->finding_count; i++) {
		free(advice->findings[i].text);
		free(advice->findings[i].remedy);
		words_clear(&advice->findings[i].evidence);
	}
	free(advice->why);
	*advice = (struct onednn_advice){ .why = NULL };
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn/advice.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "machine/isa.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* How often each primitive must have been asked for, on average, before a smaller cache is advised. */
enum { TIMES_EACH = 4 };

/* Primitives named as examples of a finding. */
enum { NAMED = 3 };

/* From which share of the time on something is worth a word, and from which a warning. */
static const double NOTE = 0.05, WARN = 0.2;

/* What a test says beside how much it weighs. */
struct say {
	struct text text, remedy;
	struct words evidence;
	bool failed; /* memory ran out */
};

struct rule_input {
	const struct onednn_profile *profile;
	const struct onednn_sizing *sizing;
	const char *flags; /* of the processor; NULL: not known */
};

enum weight { SAYS_NOTHING, SAYS_NOTE, SAYS_WARNING };

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

static void advise_cache(const struct onednn_profile *profile, struct onednn_advice *advice)
{
	const struct onednn_sizing *sizing = &advice->sizing;
	struct text why = TEXT_INIT;
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
}

static __attribute__((format(printf, 2, 3))) void show(struct say *say, const char *format, ...)
{
	char *line;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&line, format, args);
	va_end(args);
	say->failed |= words_take(&say->evidence, length < 0 ? NULL : line) < 0;
}

/* Which they are: the longest of those with one of these traits. */
static void show_longest(const struct onednn_profile *profile, unsigned traits, struct say *say)
{
	size_t longest[NAMED];
	const size_t count = onednn_profile_longest(profile, traits, NAMED, longest);

	for (size_t i = 0; i < count; i++) {
		const struct onednn_primitive *primitive = &profile->primitives.items[longest[i]];
		const struct onednn_span problem = onednn_profile_problem(profile, primitive);

		show(say, "%.1f ms: %s %.*s, %llu execution%s", primitive->exec_ms, profile->rows[primitive->row].kind,
		     (int)problem.length, problem.at, (unsigned long long)primitive->calls,
		     primitive->calls == 1 ? "" : "s");
	}
}

static enum weight by_share(double share)
{
	return share < NOTE ? SAYS_NOTHING : share < WARN ? SAYS_NOTE : SAYS_WARNING;
}

static enum weight thrashes(const struct rule_input *in, struct say *say)
{
	const struct onednn_sizing *sizing = in->sizing;
	const double gain = sizing->best_rate - sizing->now_rate;

	if (!sizing->recommended || !sizing->has_said || sizing->saves_ms <= 0 || by_share(gain) == SAYS_NOTHING)
		return SAYS_NOTHING;
	text_add(&say->text,
		 "%.1f %% of the creations missed the primitive cache though their shapes had been there before: "
		 "%.0f ms of this run",
		 percent(gain), sizing->saves_ms);
	text_add(&say->remedy, "ONEDNN_PRIMITIVE_CACHE_CAPACITY=%u, or 'fettle run --onednn-cache %u'",
		 sizing->recommended, sizing->recommended);
	show(say, "hits %llu, misses %llu, hit rate at %u: %.3f", (unsigned long long)sizing->hits,
	     (unsigned long long)sizing->misses, sizing->recommended, sizing->best_rate);
	return by_share(gain);
}

static enum weight runs_plain(const struct rule_input *in, struct say *say)
{
	const struct onednn_times *times = &in->profile->times;
	const double reorder = onednn_share(in->profile, times->activation_reorder);
	const double plain = onednn_share(in->profile, times->asked_plain);

	if (by_share(reorder + plain) == SAYS_NOTHING)
		return SAYS_NOTHING;
	text_add(&say->text,
		 "%.1f %% of oneDNN's time went into changing layouts of data, and %.1f %% into convolutions and their "
		 "like on data in plain order (NCHW)",
		 percent(reorder), percent(plain));
	text_add(&say->remedy,
		 "channels last lets data stay as they are between layers (PyTorch: model and input "
		 ".to(memory_format=torch.channels_last)): the reorders go, convolutions in plain order become faster; "
		 "some 1x1 convolutions do not: measure it");
	show(say,
	     "%.1f ms in reorders between plain and blocked data, %.1f ms on plain data, %.1f ms on data in channels "
	     "last",
	     times->activation_reorder, times->asked_plain, times->channels_last);
	show_longest(in->profile, ONEDNN_ACTIVATION | ONEDNN_ASKED_PLAIN, say);
	return by_share(reorder + plain);
}

static enum weight leaves_isa_unused(const struct rule_input *in, struct say *say)
{
	const char *isa = in->profile->isa;
	char missing[ISA_WORDS];

	if (!isa || !in->flags || !isa_missing(isa_said(isa), isa_of_flags(in->flags), missing))
		return SAYS_NOTHING;
	text_add(&say->text, "the processor has %s and oneDNN does not use it", missing);
	text_add(&say->remedy,
		 "see whether ONEDNN_MAX_CPU_ISA or DNNL_MAX_CPU_ISA is set; an old oneDNN may not know it");
	show(say, "oneDNN said: %s", isa);
	return SAYS_WARNING;
}

static enum weight runs_reference(const struct rule_input *in, struct say *say)
{
	const struct onednn_times *times = &in->profile->times;
	const double share = onednn_share(in->profile, times->reference);

	if (by_share(share) == SAYS_NOTHING)
		return SAYS_NOTHING;
	text_add(&say->text,
		 "%.1f %% of oneDNN's time went into reference kernels, plain loops for what no fast kernel takes",
		 percent(share));
	text_add(&say->remedy, "the table names them: another layout, data type or size may have a fast kernel; "
			       "ONEDNN_VERBOSE=dispatch says why each was refused");
	show(say, "%.1f ms in kernels named ref", times->reference);
	show_longest(in->profile, ONEDNN_REFERENCE, say);
	return by_share(share);
}

static enum weight runs_single(const struct rule_input *in, struct say *say)
{
	const char *isa = in->profile->isa;
	const struct isa used = isa_said(isa ? isa : "");
	const double share = onednn_share(in->profile, in->profile->times.single);

	if (!isa || (!used.bf16 && !used.amx) || in->profile->times.narrow > 0 || share < 0.5)
		return SAYS_NOTHING;
	text_add(&say->text,
		 "%.1f %% of oneDNN's time is convolutions and products in single precision; this processor computes "
		 "bf16 faster%s",
		 percent(share), used.amx ? ", with AMX many times" : "");
	text_add(&say->remedy,
		 "results change: 'fettle run --fpmath bf16' lets oneDNN round inputs, or convert the model");
	show(say, "oneDNN said: %s", isa);
	return SAYS_NOTE;
}

/* A test says nothing without evidence in the stream. */
static const struct rule {
	const char *id; /* the project's ids of findings */
	enum weight (*test)(const struct rule_input *in, struct say *say);
} rules[] = {
	{ "primitive-cache-thrash", thrashes }, { "layout-slow", runs_plain },  { "isa-limited", leaves_isa_unused },
	{ "isa-limited", runs_reference },      { "isa-limited", runs_single },
};
static_assert(ARRAY_SIZE(rules) <= ONEDNN_FINDINGS_MAX, "room for all");

static int apply(const struct rule *rule, const struct rule_input *in, struct onednn_advice *advice)
{
	struct onednn_finding *finding = &advice->findings[advice->finding_count];
	struct say say = { .failed = false };
	const enum weight weight = rule->test(in, &say);

	if (weight == SAYS_NOTHING) {
		text_clear(&say.text);
		text_clear(&say.remedy);
		words_clear(&say.evidence);
		return say.failed ? -ENOMEM : 0;
	}
	*finding = (struct onednn_finding){ .id = rule->id,
					    .severity = weight == SAYS_WARNING ? "warning" : "note",
					    .text = text_take(&say.text),
					    .remedy = text_take(&say.remedy),
					    .evidence = say.evidence };
	advice->finding_count++;
	return say.failed || !finding->text || !finding->remedy ? -ENOMEM : 0;
}

int onednn_advise(const struct onednn_profile *profile, unsigned capacity, const char *flags,
		  struct onednn_advice *ret_advice, struct err *err)
{
	cleanup_onednn_advice struct onednn_advice advice = { .why = NULL };
	const struct rule_input in = { profile, &advice.sizing, flags };
	int r;

	onednn_cache_judge(&profile->cache, capacity, &advice.sizing);
	advise_cache(profile, &advice);
	r = advice.why ? 0 : -ENOMEM;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rules); i++)
		r = apply(&rules[i], &in, &advice);
	if (r < 0)
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

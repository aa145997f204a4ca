/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/onednn_text.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/plan_text.h"
#include "joint/option.h"
#include "onednn/advice.h"

#include <inttypes.h>
#include <string.h>

enum { BAR_WIDTH = 30, SHAPE_WIDTH = 36, INDENT = 2 };

/* Words from the stream, at most `width` of them, with what is not for a terminal made visible. */
static void add_words(const char *words, size_t length, size_t width, struct text *text)
{
	cleanup_free char *cut = strndup(words, length < width ? length : width);

	if (cut)
		plan_text_shown(text, cut);
	else
		text->failed = true;
}

static void add_heading(const char *words, const struct colour *colour, struct text *text)
{
	text_add(text, "%s%s%s\n", colour->bold, words, colour->off);
}

static void add_head(const struct onednn_profile *profile, struct text *text)
{
	cleanup_text struct text line = TEXT_INIT, shown = TEXT_INIT;

	text_add(&line, "%s", profile->version ? profile->version : "a stream without its beginning");
	if (profile->runtime)
		text_add(&line, ", %s", profile->runtime);
	if (profile->isa)
		text_add(&line, ", %s", profile->isa);
	if (profile->streams > 1)
		text_add(&line, "; %zu processes", profile->streams);
	plan_text_shown(&shown, line.data ? line.data : "");
	text->failed |= line.failed | shown.failed;
	option_wrap(text, shown.data ? shown.data : "", 0, INDENT);
	text_add(text,
		 "%" PRIu64 " executions in %.1f ms, %" PRIu64 " creations in %.1f ms; %" PRIu64 " lines of oneDNN",
		 profile->executions, profile->times.all, profile->creations, profile->create_ms,
		 profile->stream.lines);
	if (profile->stream.cut_lines)
		text_add(text, ", %" PRIu64 " cut", profile->stream.cut_lines);
	if (profile->stream.other_lines)
		text_add(text, ", %" PRIu64 " others", profile->stream.other_lines);
	text_add(text, "\n");
}

static void add_of_peak(const struct onednn_profile *profile, const struct onednn_row *row, struct text *text)
{
	if (profile->peak_gflops <= 0)
		return;
	if (row->flop_ms > 0)
		text_add(text, " %6.1f %%", 100 * row->flop / row->flop_ms / 1e6 / profile->peak_gflops);
	else
		text_add(text, " %8s", "-");
}

static void add_rows(const struct onednn_profile *profile, const struct colour *colour, struct text *text)
{
	if (!profile->executions)
		return;
	text_add(text, "\n");
	add_heading("Time by kind and implementation", colour, text);
	text_add(text, "%s   share         ms     calls  created  GFLOP/s  %skind, implementation%s\n", colour->dim,
		 profile->peak_gflops > 0 ? "of peak  " : "", colour->off);
	for (size_t i = 0; i < profile->row_count; i++) {
		const struct onednn_row *row = &profile->rows[i];

		if (!row->calls)
			continue;
		text_add(text, "%6.1f %% %10.1f %9" PRIu64 " %8" PRIu64, 100 * onednn_share(profile, row->ms), row->ms,
			 row->calls, row->creations);
		if (row->flop_ms > 0)
			text_add(text, " %8.1f", row->flop / row->flop_ms / 1e6);
		else
			text_add(text, " %8s", "-");
		add_of_peak(profile, row, text);
		text_add(text, "  ");
		add_words(row->kind, strlen(row->kind), 24, text);
		text_add(text, " ");
		add_words(row->implementation, strlen(row->implementation), 40, text);
		text_add(text, "\n");
	}
}

static void add_shapes(const struct onednn_profile *profile, size_t shapes, const struct colour *colour,
		       struct text *text)
{
	cleanup_free size_t *longest = calloc(shapes + 1, sizeof(*longest));
	size_t count;

	if (!longest) {
		text->failed = true;
		return;
	}
	count = onednn_profile_longest(profile, 0, shapes, longest);
	if (!count)
		return;
	text_add(text, "\n");
	add_heading("Longest", colour, text);
	for (size_t i = 0; i < count; i++) {
		const struct onednn_primitive *primitive = &profile->primitives.items[longest[i]];
		const struct onednn_span problem = onednn_profile_problem(profile, primitive);
		const char *kind = profile->rows[primitive->row].kind;

		text_add(text, "%6.1f %% %10.1f %9" PRIu64 "  ", 100 * onednn_share(profile, primitive->exec_ms),
			 primitive->exec_ms, primitive->calls);
		add_words(kind, strlen(kind), 20, text);
		text_add(text, " ");
		add_words(problem.at, problem.length, SHAPE_WIDTH, text);
		text_add(text, "\n");
	}
}

static void add_shares(const struct onednn_profile *profile, struct text *text)
{
	const struct onednn_times *times = &profile->times;
	cleanup_text struct text line = TEXT_INIT;

	if (times->all <= 0)
		return;
	text_add(&line,
		 "reorders %.1f %%, on plain data (NCHW) %.1f %%, on channels last (NHWC) %.1f %%, reference kernels "
		 "%.1f %%",
		 100 * onednn_share(profile, times->reorder), 100 * onednn_share(profile, times->plain),
		 100 * onednn_share(profile, times->channels_last), 100 * onednn_share(profile, times->reference));
	text->failed |= line.failed;
	text_add(text, "\n");
	option_wrap(text, line.data ? line.data : "", 0, 0);
}

static bool is_power(unsigned number)
{
	return (number & (number - 1)) == 0;
}

/* Rows that tell something: from the last that is as low as the first to the first that is as high as the last. */
static void bounds(const struct onednn_sizing *sizing, size_t *ret_first, size_t *ret_last)
{
	size_t first = 0, last = sizing->curve_count - 1;

	while (first < last && sizing->curve[first + 1].hit_rate <= sizing->curve[0].hit_rate)
		first++;
	while (last > first && sizing->curve[last - 1].hit_rate >= sizing->best_rate)
		last--;
	*ret_first = first;
	*ret_last = last;
}

static void add_curve(const struct onednn_sizing *sizing, struct text *text)
{
	size_t first, last;

	bounds(sizing, &first, &last);
	text_add(text, "  capacity  hit rate\n");
	for (size_t i = 0; i < sizing->curve_count; i++) {
		const struct onednn_curve_point *point = &sizing->curve[i];
		const bool now = sizing->has_capacity && point->capacity == sizing->capacity;
		const bool best = point->capacity == sizing->recommended;
		const unsigned bar = (unsigned)(point->hit_rate * BAR_WIDTH + 0.5);

		if (!now && !best && (i < first || i > last || (!is_power(point->capacity) && i != first && i != last)))
			continue;
		text_add(text, "  %8u  %6.1f %% |", point->capacity, 100 * point->hit_rate);
		for (unsigned b = 0; b < bar; b++)
			text_add(text, "#");
		text_add(text, "%s%s\n", best ? " <- enough" : "", now ? " <- this run" : "");
	}
}

/* Who keeps primitives: a program that runs one made long ago does not ask oneDNN's cache. */
static void add_keeper(const struct onednn_profile *profile, struct text *text)
{
	cleanup_text struct text line = TEXT_INIT;

	if (!profile->executions || !profile->creations)
		return;
	if (profile->kept)
		text_add(
			&line,
			"%.1f %% of the executions used a primitive that the program or its framework had kept itself; "
			"oneDNN's cache decides over the rest",
			100 * (double)profile->kept / (double)profile->executions);
	else
		text_add(&line, "the program asks for a primitive at each execution: oneDNN's cache decides");
	text->failed |= line.failed;
	option_wrap(text, line.data ? line.data : "", 0, 0);
}

static void add_price(const struct onednn_advice *advice, struct text *text)
{
	const struct onednn_sizing *sizing = &advice->sizing;

	if (sizing->recommended && sizing->has_saves && sizing->saves_ms > 0)
		text_add(text, "%u would have saved %.0f ms of this run", sizing->recommended, sizing->saves_ms);
	else
		return;
	if (advice->has_cost && advice->cost_bytes > 0)
		text_add(text, " for about %.0f MiB more memory", advice->cost_bytes / (1 << 20));
	text_add(text, "\n");
}

static void add_cache(const struct onednn_profile *profile, const struct onednn_advice *advice,
		      const struct colour *colour, struct text *text)
{
	const struct onednn_sizing *sizing = &advice->sizing;

	text_add(text, "\n");
	add_heading("Primitive cache", colour, text);
	if (sizing->has_said)
		text_add(text, "%" PRIu64 " hits, %" PRIu64 " misses; model and report agree on %.2f %%\n",
			 sizing->hits, sizing->misses, 100 * sizing->agreement);
	if (sizing->has_creations)
		add_curve(sizing, text);
	add_keeper(profile, text);
	option_wrap(text, advice->why, 0, 0);
	add_price(advice, text);
}

/* Parts of it are the stream's. */
static void add_evidence(const char *words, struct text *text)
{
	cleanup_text struct text shown = TEXT_INIT;

	plan_text_shown(&shown, words);
	text->failed |= shown.failed;
	text_add(text, "%*sseen: ", INDENT, "");
	option_wrap(text, shown.data ? shown.data : "", INDENT + 6, INDENT + 6);
}

static void add_findings(const struct onednn_advice *advice, const struct colour *colour, struct text *text)
{
	if (!advice->finding_count)
		return;
	text_add(text, "\n");
	add_heading("Findings", colour, text);
	for (size_t i = 0; i < advice->finding_count; i++) {
		const struct onednn_finding *finding = &advice->findings[i];
		cleanup_text struct text line = TEXT_INIT;

		text_add(&line, "%s: %s: %s", finding->severity, finding->id, finding->text);
		text->failed |= line.failed;
		option_wrap(text, line.data ? line.data : "", 0, INDENT);
		for (size_t e = 0; e < finding->evidence.count; e++)
			add_evidence(finding->evidence.items[e], text);
		text_add(text, "%*sdo:   ", INDENT, "");
		option_wrap(text, finding->remedy, INDENT + 6, INDENT + 6);
	}
}

void onednn_text(const struct onednn_profile *profile, const struct onednn_advice *advice, size_t shapes,
		 const struct colour *colour, struct text *text)
{
	add_head(profile, text);
	if (!profile->executions && !profile->creations)
		return;
	add_rows(profile, colour, text);
	add_shapes(profile, shapes, colour, text);
	add_shares(profile, text);
	add_cache(profile, advice, colour, text);
	add_findings(advice, colour, text);
}

void onednn_text_short(const struct onednn_profile *profile, const struct onednn_advice *advice, struct text *text)
{
	text_add(text, "%" PRIu64 " executions in %.1f ms, %" PRIu64 " creations in %.1f ms; ", profile->executions,
		 profile->times.all, profile->creations, profile->create_ms);
	if (advice->sizing.recommended)
		text_add(text, "primitive cache: %u is enough\n", advice->sizing.recommended);
	else
		text_add(text, "primitive cache: no recommendation\n");
	for (size_t i = 0; i < advice->finding_count; i++)
		text_add(text, "%s: %s\n", advice->findings[i].id, advice->findings[i].text);
}

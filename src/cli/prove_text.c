/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prove_text.h"

#include "base/cleanup.h"
#include "cli/colour.h"
#include "cli/plan_text.h"
#include "joint/option.h"
#include "prove/result.h"

enum { ADVICE_WIDTH = 31, WORKLOAD_WIDTH = 11, INDENT = ADVICE_WIDTH + WORKLOAD_WIDTH };

/* Parts of it are the program's. */
static void add_shown(const char *words, unsigned column, struct text *text)
{
	cleanup_text struct text shown = TEXT_INIT;

	plan_text_shown(&shown, words);
	text->failed |= shown.failed;
	option_wrap(text, shown.data ? shown.data : "", column, INDENT);
}

static void add_row(const struct prove_row *row, const struct colour *colour, struct text *text)
{
	const enum prove_verdict verdict = row->trial->judgement.verdict;
	const bool differs = verdict == PROVE_WORTH_IT || verdict == PROVE_HARMFUL;
	cleanup_text struct text workload = TEXT_INIT, words = TEXT_INIT;
	const char *begin = differs ? colour->bold : verdict == PROVE_NOT_POSSIBLE ? colour->dim : "";

	plan_text_shown(&workload, row->workload);
	prove_verdict_text(row->trial, &words);
	text->failed |= workload.failed | words.failed;
	text_add(text, "%s%-*s%s%-*.*s", begin, ADVICE_WIDTH, row->experiment->advice, *begin ? colour->off : "",
		 WORKLOAD_WIDTH, WORKLOAD_WIDTH - 1, workload.data ? workload.data : "");
	add_shown(words.data ? words.data : "", INDENT, text);
}

/* What "together" is made of. */
static void add_joined(const struct prove_row *row, struct text *text)
{
	cleanup_text struct text line = TEXT_INIT;

	if (!row->joined || !row->joined->count)
		return;
	text_add(&line, "together in %s:", row->workload);
	for (size_t i = 0; i < row->joined->count; i++)
		text_add(&line, "%s %s", i ? "," : "", row->joined->items[i]);
	text->failed |= line.failed;
	add_shown(line.data ? line.data : "", 0, text);
}

void prove_text(const struct prove_result *result, const struct colour *colour, struct text *text)
{
	const double noise = prove_noise(result);

	text_add(text, "%s%-*s%-*s%s%s\n", colour->bold, ADVICE_WIDTH, "advice", WORKLOAD_WIDTH, "workload",
		 "verdict, how many times as fast", colour->off);
	for (size_t i = 0; i < result->count; i++)
		add_row(&result->rows[i], colour, text);
	text_add(text, "\n");
	for (size_t i = 0; i < result->count; i++)
		add_joined(&result->rows[i], text);
	if (noise >= 0)
		text_add(text, "noise: the same against itself came to within %.1f %%\n", 100 * noise);
	prove_text_short(result, text);
}

void prove_text_short(const struct prove_result *result, struct text *text)
{
	size_t counts[PROVE_VERDICT_COUNT] = { 0 };
	const char *separator = "";

	for (size_t i = 0; i < result->count; i++)
		counts[result->rows[i].trial->judgement.verdict]++;
	for (enum prove_verdict verdict = 0; verdict < PROVE_VERDICT_COUNT; verdict++) {
		if (!counts[verdict])
			continue;
		text_add(text, "%s%zu %s", separator, counts[verdict], prove_verdict_words[verdict]);
		separator = ", ";
	}
	text_add(text, "%s%s\n", result->ended ? "; " : "", result->ended ? result->ended : "");
}

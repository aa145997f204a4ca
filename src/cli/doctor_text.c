/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor_text.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/plan_text.h"
#include "joint/option.h"
#include "report/doctor.h"

#include <string.h>

enum { WIDTH = 80, TEXT_COLUMN = 8, WORDS_COLUMN = 18, UNKNOWN_SHOWN = 8 };

void doctor_text_summary(const struct doctor *doctor, struct text *text)
{
	static const struct {
		const char *one, *many;
	} words[DOCTOR_VERDICT_COUNT] = {
		[DOCTOR_COSTS] = { "thing costs speed", "things cost speed" },
		[DOCTOR_BLOCKED] = { "is refused or missing", "are refused or missing" },
		[DOCTOR_UNKNOWN] = { "is not known", "are not known" },
		[DOCTOR_GOOD] = { "is good", "are good" },
	};
	const char *separator = "";

	for (enum doctor_verdict verdict = 0; verdict < DOCTOR_VERDICT_COUNT; verdict++) {
		const size_t count = doctor_count(doctor, verdict);

		if (!count && verdict != DOCTOR_COSTS)
			continue;
		if (count)
			text_add(text, "%s%zu %s", separator, count,
				 count == 1 ? words[verdict].one : words[verdict].many);
		else
			text_add(text, "nothing known costs speed");
		separator = ", ";
	}
	text_add(text, "\n");
}

/* "  label     words", wrapped. Words may come from files. */
static void add_line(const char *label, const char *words, struct text *text)
{
	cleanup_text struct text shown = TEXT_INIT;

	plan_text_shown(&shown, words);
	text->failed |= shown.failed;
	text_add(text, "%*s%-*s", TEXT_COLUMN, "", WORDS_COLUMN - TEXT_COLUMN, label);
	option_wrap(text, shown.data ? shown.data : "", WORDS_COLUMN, WORDS_COLUMN);
}

/*
 * A command that is cut in two cannot be copied: one too long for the place behind its label gets a line of its own.
 * What a row says about it stands behind it, in "   (...)".
 */
static void add_remedy(const char *remedy, struct text *text)
{
	const char *const note = strstr(remedy, "   (");
	cleanup_free char *command = note ? strndup(remedy, (size_t)(note - remedy)) : strdup(remedy);
	const size_t length = command ? strlen(command) : 0;

	text->failed |= !command;
	if (length > WIDTH - WORDS_COLUMN && length <= WIDTH - TEXT_COLUMN) {
		text_add(text, "%*schange\n%*s", TEXT_COLUMN, "", TEXT_COLUMN, "");
		plan_text_shown(text, command);
		text_add(text, "\n");
	} else {
		add_line("change", command ? command : "", text);
	}
	if (note)
		add_line("", note + strspn(note, " "), text);
}

/* The verdict at the start of a line: what is wrong stands out, what is well stands back. */
static void add_verdict(enum doctor_verdict verdict, const struct colour *colour, struct text *text)
{
	const bool bad = verdict == DOCTOR_COSTS || verdict == DOCTOR_BLOCKED;

	text_add(text, "%s%-*s%s", bad ? colour->bold : colour->dim, TEXT_COLUMN, doctor_verdict_words[verdict],
		 colour->off);
}

static void add_judgement(const struct doctor_judgement *judgement, const struct colour *colour, struct text *text)
{
	cleanup_text struct text words = TEXT_INIT, shown = TEXT_INIT;

	text_add(&words, "%s: %s", judgement->id, judgement->text);
	plan_text_shown(&shown, words.data ? words.data : "");
	text->failed |= words.failed || shown.failed;
	add_verdict(judgement->verdict, colour, text);
	option_wrap(text, shown.data ? shown.data : "", TEXT_COLUMN, TEXT_COLUMN);
	for (size_t i = 0; i < judgement->evidence_count; i++)
		add_line(i ? "" : "seen", judgement->evidence[i], text);
	if (judgement->cost)
		add_line("may cost", judgement->cost, text);
	if (judgement->remedy)
		add_remedy(judgement->remedy, text);
}

/* What is left to know, in one paragraph; of a file that is nearly all. */
static void add_unknown(const struct doctor *doctor, const struct colour *colour, struct text *text)
{
	cleanup_text struct text line = TEXT_INIT;
	const size_t count = doctor_count(doctor, DOCTOR_UNKNOWN);

	if (count > UNKNOWN_SHOWN) {
		add_verdict(DOCTOR_UNKNOWN, colour, text);
		text_add(text, "%zu rules lack what it takes to judge (-v names them)\n", count);
		return;
	}

	for (size_t i = 0; i < doctor->count; i++) {
		if (doctor->items[i].verdict == DOCTOR_UNKNOWN)
			text_add(&line, "%s%s", line.length ? ", " : "", doctor->items[i].text);
	}
	text->failed |= line.failed;
	if (!line.length)
		return;
	add_verdict(DOCTOR_UNKNOWN, colour, text);
	option_wrap(text, line.data, TEXT_COLUMN, TEXT_COLUMN);
}

void doctor_text(const struct doctor *doctor, bool verbose, const struct colour *colour, struct text *text)
{
	for (size_t i = 0; i < doctor->count; i++) {
		const struct doctor_judgement *judgement = &doctor->items[i];

		if (verbose || judgement->verdict == DOCTOR_COSTS || judgement->verdict == DOCTOR_BLOCKED)
			add_judgement(judgement, colour, text);
	}
	if (!verbose)
		add_unknown(doctor, colour, text);
	doctor_text_summary(doctor, text);
}

void doctor_proved_text(const json_t *proved, struct text *text)
{
	const char *date = json_string_value(json_object_get(proved, "date"));
	const json_t *trial;
	size_t i;

	json_array_foreach(json_object_get(proved, "trials"), i, trial)
	{
		const char *verdict = json_string_value(json_object_get(trial, "verdict"));
		const char *advice = json_string_value(json_object_get(trial, "advice"));
		const char *workload = json_string_value(json_object_get(trial, "workload"));
		cleanup_text struct text line = TEXT_INIT;

		if (!verdict || !advice || !workload ||
		    (strcmp(verdict, "worth-it") != 0 && strcmp(verdict, "harmful") != 0))
			continue;
		text_add(&line, "%s: %s %.2fx [%.2f, %.2f] in '%s' (fettle prove, %s)", advice, verdict,
			 json_number_value(json_object_get(trial, "ratio")),
			 json_number_value(json_object_get(trial, "low")),
			 json_number_value(json_object_get(trial, "high")), workload, date ? date : "no date");
		text_add(text, "%-*s", TEXT_COLUMN, "proved");
		text->failed |= line.failed;
		option_wrap(text, line.data ? line.data : "", TEXT_COLUMN, TEXT_COLUMN);
	}
}

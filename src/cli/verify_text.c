/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verify_text.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/plan_text.h"
#include "report/findings.h"

#include <string.h>

enum { FINDINGS_SHOWN = 6, CHECKS_SHOWN = 8, ROOM = 28 };

static const char begin[] = "fettle: ";

/* Words may come from files and from other programs. */
static void add_shown(const char *words, struct text *text)
{
	cleanup_text struct text shown = TEXT_INIT;

	plan_text_shown(&shown, words);
	text->failed |= shown.failed;
	text_add(text, "%s", shown.data ? shown.data : "");
}

static void add_heading(const char *word, bool stands_out, const struct colour *colour, struct text *text)
{
	text_add(text, "%s%s%-9s%s", begin, stands_out ? colour->bold : colour->dim, word, colour->off);
}

static void add_evidence(const struct words *evidence, struct text *text)
{
	for (size_t i = 0; i < evidence->count; i++) {
		text_add(text, "%s%9s  ", begin, "");
		add_shown(evidence->items[i], text);
		text_add(text, "\n");
	}
}

/* Has an instance before it the same trouble? */
static bool is_repeated(const struct report *report, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (strcmp(report->findings[k].id, report->findings[i].id) == 0)
			return true;
	}
	return false;
}

/* "instances 0-3: ", from the first of them on. */
static void add_instances(const struct report *report, size_t first, struct text *text)
{
	cleanup_bitmap hwloc_bitmap_t instances = hwloc_bitmap_alloc();
	cleanup_free char *list = NULL;

	for (size_t i = first; instances && i < report->finding_count; i++) {
		if (report->findings[i].instance >= 0 &&
		    strcmp(report->findings[i].id, report->findings[first].id) == 0)
			(void)hwloc_bitmap_set(instances, (unsigned)report->findings[i].instance);
	}
	list = instances ? cpulist_text(instances) : NULL;
	if (list && *list)
		text_add(text, "instance%s %s: ", hwloc_bitmap_weight(instances) > 1 ? "s" : "", list);
}

/* What several instances have is told of the first. */
static void add_finding(const struct report *report, size_t i, bool verbose, const struct colour *colour,
			struct text *text)
{
	const struct finding *finding = &report->findings[i];

	add_heading(severity_words[finding->severity], finding->severity != SEVERITY_NOTE, colour, text);
	add_instances(report, i, text);
	text_add(text, "%s: ", finding->id);
	add_shown(finding->text, text);
	text_add(text, "\n");
	if (verbose)
		add_evidence(&finding->evidence, text);
	if (!finding->remedy)
		return;
	text_add(text, "%s%9schange: ", begin, "");
	add_shown(finding->remedy, text);
	text_add(text, "\n");
}

static void add_findings(const struct report *report, bool verbose, const struct colour *colour, struct text *text)
{
	size_t shown = 0, left = 0;

	for (size_t i = 0; i < report->finding_count; i++) {
		if (is_repeated(report, i) || (report->findings[i].severity == SEVERITY_NOTE && !verbose))
			continue;
		if (shown == FINDINGS_SHOWN && !verbose) {
			left++;
			continue;
		}
		add_finding(report, i, verbose, colour, text);
		shown++;
	}
	if (left)
		text_add(text, "%s%9sand %zu more: -v or --report FILE has them\n", begin, "", left);
}

/* As much of the value as a column has; of a path its end says more. Width 0: it is the last. */
static void add_value(const char *value, unsigned width, struct text *text)
{
	const size_t length = value ? strlen(value) : 0;
	cleanup_text struct text shown = TEXT_INIT;

	if (length > ROOM)
		text_add(&shown, "...%s", value + length - (ROOM - 3));
	else
		text_add(&shown, "%s", length ? value : "-");
	text->failed |= shown.failed;
	text_add(text, "  %-*s", (int)width, shown.data ? shown.data : "");
}

static unsigned widest(const struct report *report, size_t offset, const char *title)
{
	size_t width = strlen(title);

	for (size_t i = 0; i < report->check_count; i++) {
		const char *value;

		memcpy(&value, (const char *)&report->checks[i] + offset, sizeof(value));
		if (report->checks[i].verdict != VERDICT_MET && value && strlen(value) > width)
			width = strlen(value);
	}
	return width > ROOM ? ROOM : (unsigned)width;
}

static void add_checks(const struct report *report, enum verdict verdict, unsigned *left, bool verbose,
		       const struct colour *colour, struct text *text)
{
	const unsigned asked = widest(report, offsetof(struct check, asked), "asked");
	const unsigned granted = widest(report, offsetof(struct check, granted), "granted");
	const unsigned seen = widest(report, offsetof(struct check, seen), "seen");

	for (size_t i = 0; i < report->check_count && *left; i++) {
		const struct check *check = &report->checks[i];
		bool explained;

		if (check->verdict != verdict)
			continue;
		--*left;
		add_heading(verdict_words[verdict], verdict == VERDICT_DIFFERS, colour, text);
		text_add(text, "%-11s  %8d", check->name, check->instance);
		add_value(check->asked, asked, text);
		add_value(check->granted, granted, text);
		/* Of one that differs the finding above tells. */
		explained = verdict == VERDICT_UNKNOWN && !verbose && check->evidence.count;
		add_value(check->seen, explained ? seen : 0, text);
		if (explained) {
			text_add(text, "  ");
			add_shown(check->evidence.items[check->evidence.count - 1], text);
		}
		text_add(text, "\n");
		if (verbose)
			add_evidence(&check->evidence, text);
	}
}

static size_t count_checks(const struct report *report, enum verdict verdict)
{
	size_t count = 0;

	for (size_t i = 0; i < report->check_count; i++)
		count += report->checks[i].verdict == verdict;
	return count;
}

/* `quiet`: what differs, and nothing else. */
static void add_table(const struct report *report, bool quiet, bool verbose, const struct colour *colour,
		      struct text *text)
{
	const size_t other =
		count_checks(report, VERDICT_DIFFERS) + (quiet ? 0 : count_checks(report, VERDICT_UNKNOWN));
	unsigned left = verbose ? (unsigned)report->check_count : CHECKS_SHOWN;

	if (!other && !verbose)
		return;
	text_add(text, "%s%9s%-11s  %8s  %-*s  %-*s  seen\n", begin, "", "check", "instance",
		 (int)widest(report, offsetof(struct check, asked), "asked"), "asked",
		 (int)widest(report, offsetof(struct check, granted), "granted"), "granted");
	add_checks(report, VERDICT_DIFFERS, &left, verbose, colour, text);
	if (!quiet)
		add_checks(report, VERDICT_UNKNOWN, &left, verbose, colour, text);
	if (verbose)
		add_checks(report, VERDICT_MET, &left, verbose, colour, text);
	else if (other > CHECKS_SHOWN)
		text_add(text, "%s%9sand %zu more: -v or --report FILE has them\n", begin, "", other - CHECKS_SHOWN);
}

static void add_met(const struct report *report, size_t instances, const struct colour *colour, struct text *text)
{
	const size_t notes = report_count(report, SEVERITY_NOTE);
	const char *separator = "";

	add_heading(verdict_words[VERDICT_MET], false, colour, text);
	for (size_t i = 0; i < report->check_count; i++) {
		bool named = report->checks[i].verdict != VERDICT_MET;

		for (size_t k = 0; k < i && !named; k++)
			named = strcmp(report->checks[k].name, report->checks[i].name) == 0;
		if (named)
			continue;
		text_add(text, "%s%s", separator, report->checks[i].name);
		separator = ", ";
	}
	if (instances > 1)
		text_add(text, " of %zu instances", instances);
	if (notes)
		text_add(text, " (%zu note%s: -v shows %s)", notes, notes == 1 ? "" : "s", notes == 1 ? "it" : "them");
	text_add(text, "\n");
}

void verify_text(const struct report *report, size_t instances, bool quiet, bool verbose, const struct colour *colour,
		 struct text *text)
{
	const size_t told = report->finding_count - (verbose ? 0 : report_count(report, SEVERITY_NOTE));
	const bool all_met = !told && count_checks(report, VERDICT_MET) == report->check_count;

	if (all_met && !verbose) {
		if (!quiet)
			add_met(report, instances, colour, text);
		return;
	}
	add_findings(report, verbose, colour, text);
	add_table(report, quiet, verbose, colour, text);
}

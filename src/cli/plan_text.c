/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plan_text.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/record.h"
#include "base/text.h"
#include "cli/colour.h"
#include "joint/option.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "settings/settings.h"

#include <string.h>

const char *const origin_words[] = { "plan", "user", "profile", "option" };
static const char *const numbers_words[] = { "no", "in the rounding only", "yes" };

/* More instances than this, and settings are shown for the first only. */
enum { INSTANCES_SHOWN = 4 };

void plan_text_shown(struct text *text, const char *words)
{
	for (; *words; words++) {
		if ((unsigned char)*words < 0x20 || *words == 0x7f)
			text_add(text, "\\x%02x", (unsigned char)*words);
		else
			text_add_bytes(text, words, 1);
	}
}

static void add_list(struct text *text, hwloc_const_bitmap_t set)
{
	cleanup_free char *list = cpulist_text(set);

	if (list)
		text_add(text, "%s", *list ? list : "none");
	else
		text->failed = true;
}

static void table_row(const struct plan_instance *instance, struct text *text)
{
	const bool placed = instance->memory_policy != MEMORY_NONE && instance->memory_policy != MEMORY_LOCAL;
	cleanup_text struct text memory = TEXT_INIT;

	text_add(&memory, "%s ", memory_policy_words[instance->memory_policy]);
	if (placed)
		add_list(&memory, instance->nodes_os);
	text_add(text, "  %8u  ", instance->index);
	if (instance->cores)
		text_add(text, "%5u", instance->cores);
	else
		text_add(text, "%5s", "-");
	text_add(text, "  %7u  %-8s  %-13s ", instance->threads, pin_words[instance->pin],
		 memory.data ? memory.data : "");
	text->failed |= memory.failed;
	add_list(text, instance->pus_os);
	if (!hwloc_bitmap_isequal(instance->pus_os, instance->mask_os)) {
		text_add(text, " (may use ");
		add_list(text, instance->mask_os);
		text_add(text, ")");
	}
	text_add(text, "\n");
}

void plan_text_table(const struct machine *machine, const struct plan *plan, const struct colour *colour,
		     struct text *text)
{
	cleanup_free char *summary = machine_summary(machine);

	if (!summary)
		text->failed = true;
	else
		option_wrap(text, summary, 0, 2);
	text_add(text, "\n%s  instance  cores  threads  pin       memory        CPUs%s\n", colour->bold, colour->off);
	for (size_t i = 0; i < plan->instance_count; i++)
		table_row(&plan->instances[i], text);
	if (!hwloc_bitmap_iszero(plan->unused_pus_os)) {
		text_add(text, "%s  %8s%41s", colour->dim, "unused", "");
		add_list(text, plan->unused_pus_os);
		text_add(text, "%s\n", colour->off);
	}
}

static void add_notes(const struct plan_notes *notes, const char *title, const struct colour *colour, struct text *text)
{
	if (notes->count)
		text_add(text, "\n%s%s%s\n", colour->bold, title, colour->off);
	for (size_t i = 0; i < notes->count; i++) {
		const struct plan_note *note = &notes->items[i];
		cleanup_text struct text words = TEXT_INIT;

		plan_text_shown(&words, note->text);
		if (note->evidence) {
			text_add(&words, " [");
			plan_text_shown(&words, note->evidence);
			text_add(&words, "]");
		}
		text->failed |= words.failed;
		text_add(text, "  %-16s ", note->id);
		option_wrap(text, words.data ? words.data : "", 19, 19);
	}
}

static void add_setting(const struct setting *setting, bool verbose, struct text *text)
{
	text_add(text, "  %-22s %-8s ", setting->name, origin_words[setting->origin]);
	plan_text_shown(text, setting->value ? setting->value : "(taken out)");
	if (setting->instance != EVERY_INSTANCE)
		text_add(text, "  (instance %d)", setting->instance);
	text_add(text, "\n");
	if (!verbose)
		return;
	text_add(text, "      ");
	option_wrap(text, setting->why, 6, 6);
	if (setting->risk) {
		text_add(text, "      risk: ");
		option_wrap(text, setting->risk, 12, 12);
	}
}

void plan_text_reasons(const struct plan *plan, const struct settings *settings, bool verbose,
		       const struct colour *colour, struct text *text)
{
	const bool fold = !verbose && plan->instance_count > INSTANCES_SHOWN;
	bool folded = false;

	add_notes(&plan->reasons, "Why", colour, text);
	if (settings->count)
		text_add(text, "\n%sSettings%s\n", colour->bold, colour->off);
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->items[i];

		if (!verbose && strcmp(setting->name, RECORD_VARIABLE) == 0)
			continue; /* says only what stands here already */
		if (fold && setting->instance > 0)
			folded = true;
		else
			add_setting(setting, verbose, text);
	}
	if (folded)
		text_add(text, "  (the other instances have their own values: -v shows them)\n");
	add_notes(&plan->warnings, "Warnings", colour, text);
}

static void explain_setting(const struct setting *setting, struct text *text)
{
	text_add(text, "%s=", setting->name);
	plan_text_shown(text, setting->value ? setting->value : " (taken out of the environment)");
	if (setting->instance != EVERY_INSTANCE)
		text_add(text, " for instance %d", setting->instance);
	text_add(text, "\n  family:  %s\n  origin:  %s\n  why:     ", setting->family, origin_words[setting->origin]);
	option_wrap(text, setting->why, 11, 11);
	text_add(text, "  risk:    ");
	option_wrap(text, setting->risk ? setting->risk : "none known", 11, 11);
	text_add(text, "  changes numbers: %s\n", numbers_words[setting->changes_numbers]);
}

static bool explain_notes(const struct plan_notes *notes, const char *kind, const char *name, struct text *text)
{
	bool found = false;

	for (size_t i = 0; i < notes->count; i++) {
		const struct plan_note *note = &notes->items[i];

		if (strcmp(note->id, name) != 0)
			continue;
		text_add(text, "%s (%s)\n  why:      ", note->id, kind);
		option_wrap(text, note->text, 12, 12);
		if (note->evidence)
			text_add(text, "  evidence: %s\n", note->evidence);
		found = true;
	}
	return found;
}

/* Each name once, in order. */
static void list_name(struct text *names, const char *name)
{
	const size_t length = strlen(name);

	for (const char *p = names->data; p && (p = strstr(p, name)); p += length) {
		const bool starts = p == names->data || p[-1] == ' ';

		if (starts && (p[length] == ',' || !p[length]))
			return;
	}
	text_add(names, "%s%s", names->length ? ", " : "", name);
}

static int no_such_name(const struct plan *plan, const struct settings *settings, const char *name, struct err *err)
{
	cleanup_text struct text names = TEXT_INIT;

	for (size_t i = 0; i < settings->count; i++)
		list_name(&names, settings->items[i].name);
	for (size_t i = 0; i < plan->reasons.count; i++)
		list_name(&names, plan->reasons.items[i].id);
	for (size_t i = 0; i < plan->warnings.count; i++)
		list_name(&names, plan->warnings.items[i].id);
	if (names.failed)
		return err_nomem(err);
	return err_set(err, -EINVAL, "option '--why': nothing in this plan is called '%s'; there are %s", name,
		       names.data ? names.data : "no names");
}

int plan_text_why(const struct plan *plan, const struct settings *settings, const char *name, struct text *text,
		  struct err *err)
{
	bool found = false;

	for (size_t i = 0; i < settings->count; i++) {
		if (strcmp(settings->items[i].name, name) == 0) {
			explain_setting(&settings->items[i], text);
			found = true;
		}
	}
	found |= explain_notes(&plan->reasons, "reason", name, text);
	found |= explain_notes(&plan->warnings, "warning", name, text);
	return found ? 0 : no_such_name(plan, settings, name, err);
}

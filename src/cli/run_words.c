/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_words.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/plan_text.h"
#include "joint/decide.h"
#include "joint/options.h"
#include "launch/supervise.h"
#include "plan/plan.h"
#include "settings/settings.h"

#include <string.h>

/* "threads" when all have as many, else the smallest and the largest. */
static void add_threads(struct text *text, const struct launch_child *children, size_t count)
{
	unsigned least = children[0].instance->threads, most = least;

	for (size_t i = 1; i < count; i++) {
		const unsigned threads = children[i].instance->threads;

		least = threads < least ? threads : least;
		most = threads > most ? threads : most;
	}
	if (count > 1)
		text_add(text, "%zu instances of ", count);
	if (least != most)
		text_add(text, "%u to ", least);
	text_add(text, "%u %s", most, most == 1 ? "thread" : "threads");
}

static void add_cpus(struct text *text, const struct launch_child *children, size_t count)
{
	cleanup_bitmap hwloc_bitmap_t all = hwloc_bitmap_alloc();
	cleanup_free char *list = NULL;

	for (size_t i = 0; all && i < count; i++)
		hwloc_bitmap_or(all, all, children[i].instance->pus_os);
	list = all ? cpulist_text(all) : NULL;
	if (list)
		text_add(text, " on CPUs %s", list);
}

static void say_settings(const struct decision *decision)
{
	const struct settings *settings = decision->settings;

	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->items[i];
		struct text where = TEXT_INIT;
		cleanup_free char *only = NULL;

		if (setting->instance != EVERY_INSTANCE)
			text_add(&where, " for instance %d", setting->instance);
		only = text_take(&where);
		output_line("%s=%s%s (%s: %s)", setting->name, setting->value ? setting->value : " taken out",
			    only ? only : "", origin_words[setting->origin], setting->why);
	}
}

void run_words_plan(const struct options *options, const struct decision *decision, const struct launch_child *children,
		    size_t count)
{
	const struct plan_instance *first = children[0].instance;
	const struct setting *tunables = settings_find(decision->settings, "GLIBC_TUNABLES", first->index);
	const struct setting *allocator = settings_find(decision->settings, "allocator", first->index);
	cleanup_text struct text line = TEXT_INIT;

	if (options->quiet)
		return;
	add_threads(&line, children, count);
	add_cpus(&line, children, count);
	if (first->pin == PIN_THREADS)
		text_add(&line, ", one CPU each");
	else if (first->pin == PIN_NONE)
		text_add(&line, ", not bound");
	if (first->memory_policy != MEMORY_NONE)
		text_add(&line, ", memory %s", memory_policy_words[first->memory_policy]);
	if (tunables && tunables->origin == ORIGIN_PLAN && tunables->value)
		text_add(&line, ", tuned glibc");
	if (allocator)
		text_add(&line, ", %s", allocator->value);
	if (settings_find(decision->settings, "flush-denormals", first->index))
		text_add(&line, ", denormals are zero");
	if (line.data)
		output_line("%s; 'fettle plan' says why", line.data);
	if (options->verbose)
		say_settings(decision);
}

/* By default the first warning stands for all: a second line is as much as a program's output can bear. */
void run_words_warnings(const struct options *options, const struct decision *decision, const char *refused)
{
	const struct plan_notes *warnings = &decision->plan->warnings;
	const bool has_refused = refused && *refused;
	const char *first = has_refused ? refused : warnings->count ? warnings->items[0].text : NULL;
	const size_t more = warnings->count - (warnings->count && !has_refused);

	if (options->quiet || !first)
		return;
	if (options->verbose) {
		if (has_refused)
			output_line("warning: %s", refused);
		for (size_t i = 0; i < warnings->count; i++)
			output_line("warning: %s", warnings->items[i].text);
	} else if (more) {
		output_line("warning: %s (and %zu more: -v shows them)", first, more);
	} else {
		output_line("warning: %s", first);
	}
}

static void add_end(struct text *line, unsigned index, const struct launch_end *end)
{
	if (end->signal)
		text_add(line, "instance %u was ended by signal %d (%s)", index, end->signal, strsignal(end->signal));
	else
		text_add(line, "instance %u failed: exit code %d", index, end->exit_code);
}

void run_words_restarts(unsigned index, const struct launch_end *end, uint64_t delay_ms)
{
	cleanup_text struct text line = TEXT_INIT;

	add_end(&line, index, end);
	if (line.data)
		output_line("%s; restart %u in %.1f s", line.data, end->restarts, (double)delay_ms / 1000);
}

void run_words_failed(unsigned index, const struct launch_end *end)
{
	cleanup_text struct text line = TEXT_INIT;

	add_end(&line, index, end);
	if (line.data)
		output_line("%s", line.data);
}

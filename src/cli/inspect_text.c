/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inspect_text.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/fact.h"
#include "base/shown.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/plan_text.h"
#include "joint/option.h"
#include "observe/observation.h"
#include "report/findings.h"

#include <string.h>

enum { TEXT_COLUMN = 9, WORDS_COLUMN = 19, COMMAND_ROOM = 60, GAPS_SHOWN = 4 };

/* "         label     words", wrapped. Words may come from files. */
static void add_line(const char *label, const char *words, struct text *text)
{
	cleanup_text struct text shown = TEXT_INIT;

	plan_text_shown(&shown, words);
	text->failed |= shown.failed;
	text_add(text, "%*s%-*s", TEXT_COLUMN, "", WORDS_COLUMN - TEXT_COLUMN, label);
	option_wrap(text, shown.data ? shown.data : "", WORDS_COLUMN, WORDS_COLUMN);
}

static void add_heading(const char *word, bool stands_out, const char *words, const struct colour *colour,
			struct text *text)
{
	cleanup_text struct text shown = TEXT_INIT;

	plan_text_shown(&shown, words);
	text->failed |= shown.failed;
	text_add(text, "%s%-*s%s", stands_out ? colour->bold : colour->dim, TEXT_COLUMN, word, colour->off);
	option_wrap(text, shown.data ? shown.data : "", TEXT_COLUMN, TEXT_COLUMN);
}

/* A command that is cut in two cannot be copied: it stands on a line of its own; what is said of it, behind. */
static void add_remedy(const char *remedy, struct text *text)
{
	const char *const note = strstr(remedy, "   (");
	cleanup_free char *command = note ? strndup(remedy, (size_t)(note - remedy)) : strdup(remedy);

	text->failed |= !command;
	add_line("change", command ? command : "", text);
	if (note)
		add_line("", note + strspn(note, " "), text);
}

static void add_finding(const struct finding *finding, const struct colour *colour, struct text *text)
{
	cleanup_text struct text words = TEXT_INIT;

	text_add(&words, "%s: %s", finding->id, finding->text);
	text->failed |= words.failed;
	add_heading(severity_words[finding->severity], finding->severity != SEVERITY_NOTE, words.data ? words.data : "",
		    colour, text);
	for (size_t i = 0; i < finding->evidence.count; i++)
		add_line(i ? "" : "seen", finding->evidence.items[i], text);
	if (finding->remedy)
		add_remedy(finding->remedy, text);
}

static const char *file_name(const char *path)
{
	const char *const slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void add_owner(const char *what, const struct observed_process *process, enum observed_symbol symbol,
		      struct text *text)
{
	const struct observed_owner *owner = &process->owners[symbol];

	if (owner->known && owner->object_idx >= 0)
		text_add(text, ", %s: %s", what, file_name(process->objects[owner->object_idx].path));
}

/* "instance 0 of 2, CPUs 0-3, pin threads" */
static void add_plan(const struct planned *planned, struct text *text)
{
	cleanup_free char *list = planned->pus_os ? cpulist_text(planned->pus_os) : NULL;

	if (!list)
		text_add(text, "no plan to compare with");
	else if (planned->known && !planned->threads)
		text_add(text, "planned: instance %u of %u, threads and CPUs left to the ranks that it starts",
			 planned->index, planned->count);
	else if (planned->known)
		text_add(text, "planned: instance %u of %u, %u thread%s%s on CPUs %s, pin %s", planned->index,
			 planned->count, planned->threads, planned->shared && planned->threads == 1 ? "" : "s",
			 planned->shared ? " a process" : "", list, pin_words[planned->pin]);
	else
		text_add(text, "not started by fettle, which would plan %u threads on CPUs %s", planned->threads, list);
}

/* Threads that compute, CPUs that they used, memory and who answers. */
static void add_seen(const struct observation *observation, int instance, struct text *text)
{
	const struct observed_process *main = &observation->processes[observation->instances[instance].main_idx];
	const uint64_t window_ms = observation_window_ns(observation) / 1000000;
	unsigned threads = 0, computing = 0, processes = 0;
	unsigned long ran_milli = 0;

	for (size_t i = 0; i < observation->process_count; i++) {
		const struct observed_process *process = &observation->processes[i];

		if (process->instance_idx != instance || process->gone)
			continue;
		processes++;
		for (size_t k = 0; k < process->thread_count; k++) {
			threads += !process->threads[k].gone;
			computing += !process->threads[k].gone && thread_computes(observation, &process->threads[k]);
			ran_milli += thread_ran_milli(observation, &process->threads[k]);
		}
	}
	text_add(text, "seen for %.1f s: %u of %u threads in %u process%s compute, %.2f CPUs used",
		 (double)window_ms / 1000, computing, threads, processes, processes == 1 ? "" : "es",
		 (double)ran_milli / 1000);
	if (observation->stops.asked)
		text_add(text, ", %u of %u threads stopped, the longest for about %.3f ms (--denormals)",
			 observation->stops.read, observation->stops.asked,
			 (double)observation->stops.longest_ns / 1000000);
	if (main->rss_bytes.state == FACT_KNOWN) {
		text_add(text, ", ");
		shown_size(text, &main->rss_bytes);
	}
	add_owner("malloc", main, SYMBOL_MALLOC, text);
	add_owner("OpenMP", main, main->owners[SYMBOL_GOMP].definers ? SYMBOL_GOMP : SYMBOL_KMPC, text);
}

static void add_instance(const struct observation *observation, int i, const struct colour *colour, struct text *text)
{
	const struct observed_instance *instance = &observation->instances[i];
	const struct observed_process *main = &observation->processes[instance->main_idx];
	const char *const command = main->command ? main->command : main->name;
	cleanup_text struct text line = TEXT_INIT, shown = TEXT_INIT;

	text_add(&line, "%.*s%s", COMMAND_ROOM, command, strlen(command) > COMMAND_ROOM ? "..." : "");
	plan_text_shown(&shown, line.data ? line.data : "");
	text_add(text, "%s%-*d%s%s%s\n", colour->bold, TEXT_COLUMN, (int)main->pid, shown.data ? shown.data : "",
		 colour->off, main->own_mounts ? " (in another mount namespace)" : "");
	text->failed |= line.failed || shown.failed;
	text_clear(&line);
	add_plan(&instance->planned, &line);
	text_add(text, "%*s", TEXT_COLUMN, "");
	option_wrap(text, line.data ? line.data : "", TEXT_COLUMN, TEXT_COLUMN);
	text->failed |= line.failed;
	text_clear(&line);
	add_seen(observation, i, &line);
	text_add(text, "%*s", TEXT_COLUMN, "");
	option_wrap(text, line.data ? line.data : "", TEXT_COLUMN, TEXT_COLUMN);
	text->failed |= line.failed;
}

/* Those that ran at all. */
static void add_threads(const struct observation *observation, int instance, struct text *text)
{
	for (size_t i = 0; i < observation->process_count; i++) {
		const struct observed_process *process = &observation->processes[i];

		for (size_t k = 0; process->instance_idx == instance && k < process->thread_count; k++) {
			const struct observed_thread *thread = &process->threads[k];
			cleanup_free char *list = thread->allowed_os ? cpulist_text(thread->allowed_os) : NULL;
			const unsigned ran = thread_ran_milli(observation, thread);
			cleanup_text struct text line = TEXT_INIT;

			if (thread->gone || !ran)
				continue;
			text_add(&line, "%d '%s' ran %u.%u %%, waited %u %%, on CPU %u of %s%s%s", (int)thread->tid,
				 thread->name, ran / 10, ran % 10,
				 (thread_wanted_milli(observation, thread) - ran) / 10, thread->last.cpu_os,
				 list ? list : "?", thread->pool ? ", pool of " : "",
				 thread->pool ? pool_names[thread->pool] : "");
			text->failed |= line.failed;
			add_line("thread", line.data ? line.data : "", text);
		}
	}
}

static void add_checks(const struct report *report, int instance, bool verbose, const struct colour *colour,
		       struct text *text)
{
	cleanup_text struct text met = TEXT_INIT;

	for (size_t i = 0; i < report->check_count; i++) {
		const struct check *check = &report->checks[i];
		cleanup_text struct text line = TEXT_INIT;

		if (check->instance != instance)
			continue;
		if (check->verdict == VERDICT_MET && !verbose) {
			text_add(&met, "%s%s", met.length ? ", " : "", check->name);
			continue;
		}
		text_add(&line, "%s", check->name);
		if (check->asked)
			text_add(&line, "; asked %s", check->asked);
		if (check->granted)
			text_add(&line, "; granted %s", check->granted);
		if (check->seen)
			text_add(&line, "; seen %s", check->seen);
		text->failed |= line.failed;
		add_heading(verdict_words[check->verdict], check->verdict == VERDICT_DIFFERS,
			    line.data ? line.data : "", colour, text);
		for (size_t k = 0; (verbose || check->verdict != VERDICT_DIFFERS) && k < check->evidence.count; k++)
			add_line(k ? "" : "because", check->evidence.items[k], text);
	}
	text->failed |= met.failed;
	if (met.length)
		add_heading(verdict_words[VERDICT_MET], false, met.data, colour, text);
}

static void add_gaps(const struct observation *observation, bool verbose, const struct colour *colour,
		     struct text *text)
{
	for (size_t i = 0; i < observation->gap_count; i++) {
		const struct observed_gap *gap = &observation->gaps[i];
		cleanup_text struct text line = TEXT_INIT;

		if (i == GAPS_SHOWN && !verbose) {
			text_add(&line, "and %zu more files that could not be read (-v names them)",
				 observation->gap_count - i);
			add_heading("", false, line.data ? line.data : "", colour, text);
			return;
		}
		text_add(&line, "%s (%s: %s)", gap->what, gap->path, strerror(-gap->code));
		text->failed |= line.failed;
		add_heading("unknown", false, line.data ? line.data : "", colour, text);
	}
}

void inspect_text_summary(const struct observation *observation, const struct report *report, struct text *text)
{
	const char *separator = "";

	for (enum severity severity = 0; severity < SEVERITY_COUNT; severity++) {
		const size_t count = report_count(report, severity);

		if (!count)
			continue;
		text_add(text, "%s%zu %s%s", separator, count, severity_words[severity], count == 1 ? "" : "s");
		separator = ", ";
	}
	if (!report->finding_count)
		text_add(text, "nothing is wrong that can be seen");
	text_add(text, " in %zu instance%s\n", observation->instance_count,
		 observation->instance_count == 1 ? "" : "s");
}

void inspect_text(const struct observation *observation, const struct report *report, bool verbose,
		  const struct colour *colour, struct text *text)
{
	for (int i = 0; i < (int)observation->instance_count; i++) {
		add_instance(observation, i, colour, text);
		if (verbose)
			add_threads(observation, i, text);
		for (size_t k = 0; k < report->finding_count; k++) {
			if (report->findings[k].instance == i)
				add_finding(&report->findings[k], colour, text);
		}
		add_checks(report, i, verbose, colour, text);
	}
	add_gaps(observation, verbose, colour, text);
	inspect_text_summary(observation, report, text);
}

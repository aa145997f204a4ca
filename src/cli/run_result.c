/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_result.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/command.h"
#include "cli/run_hook.h"
#include "cli/run_table.h"
#include "cli/run_watch.h"
#include "cli/start.h"
#include "cli/verify_text.h"
#include "joint/plan_document.h"
#include "launch/clock.h"
#include "observe/observation.h"
#include "plan/plan.h"
#include "report/run.h"

#include <string.h>
#include <sys/stat.h>

/* A regular file, or none yet: that comes to be whole or not at all. Anything else is written to in the end. */
static int begin_report(const char *path, struct output_file *ret_file, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_errno(err, -EISDIR, "cannot write '%s'", path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return 0;
	return output_open(path, ret_file, err);
}

int run_result_begin(const struct options *options, size_t count, struct run_result *ret_result, struct err *err)
{
	const char *report = options->supervision.report;
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	struct run_result *result = ret_result;
	int r = 0;

	*result = (struct run_result){ .report = OUTPUT_FILE_INIT, .begin_ns = clock_now_ns(), .count = count };
	result->table = !options->quiet && (count > 1 || options->verbose || options->supervision.collect);
	if (!result->table && !options_watch(options))
		return 0;
	result->starts = calloc(count, sizeof(*result->starts));
	result->ends = calloc(count, sizeof(*result->ends));
	if (!result->starts || !result->ends)
		r = err_nomem(err);
	if (r == 0)
		r = sysroot_open(&root, "/", err);
	if (r == 0 && throttle_open(&root, &result->throttle) < 0)
		r = err_nomem(err);
	if (r == 0 && report)
		r = begin_report(report, &result->report, err);
	throttle_read(&result->throttle, &result->begin);
	return r;
}

void run_result_clear(struct run_result *result)
{
	output_discard(&result->report);
	throttle_close(&result->throttle);
	free(result->starts);
	free(result->ends);
}

void run_result_note(struct run_result *result, const struct launch_event *event)
{
	if (!result->starts)
		return;
	if (event->kind == LAUNCH_STARTS && !event->ends[event->index].pid) {
		throttle_read(&result->throttle, &result->starts[event->index]);
	} else if (event->kind == LAUNCH_ENDED) {
		result->ends[event->index] = result->starts[event->index];
		throttle_read(&result->throttle, &result->ends[event->index]);
	}
}

static void fill_instance(const struct run_result *result, const struct run_watch *watch, size_t i,
			  const struct launch_child *child, const struct launch_end *end, struct run_instance *instance)
{
	const struct run_hook *hook = result->hooks && result->hooks->items ? &result->hooks->items[i] : NULL;
	const char *path;

	*instance = (struct run_instance){
		.index = child->instance->index,
		.pid = end->pid,
		.exit_code = end->exit_code,
		.signal = end->signal,
		.stopped = end->stopped_by_us,
		.restarts = end->restarts,
		.cpus = child->instance->threads,
		.wall_ns = end->usage.wall_ns,
		.cpu_ns = end->usage.cpu_ns,
		.max_rss_bytes = end->usage.max_rss_bytes,
		.collected = end->collected,
		.number = end->number,
		.agent = watch->scribes ? watch->scribes[i].agent : NULL,
		.hooked = hook && hook->asked,
		.hook = hook ? hook->told : NULL,
	};
	(void)throttle_between(&result->throttle, &result->starts[i], &result->ends[i], &instance->throttled_periods,
			       &instance->throttled_ns, &path);
}

static int write_report(struct run_result *result, const struct options *options, const struct start *start,
			const struct run *run, struct err *err)
{
	const struct decision *decision = &start->decision;
	cleanup_free char *text = NULL;
	json_t *plan = NULL, *report;
	int r = plan_document_to_json(decision->machine, &decision->workload, start->request, decision->plan,
				      decision->settings, &plan, err);

	if (r < 0)
		return r;
	report = run_to_json(run, plan);
	text = report ? json_document_text(report) : NULL;
	json_decref(report);
	if (!text)
		return err_nomem(err);
	if (!result->report.path)
		return output_write(options->supervision.report, text, err);
	r = output_put(&result->report, text, err);
	return r < 0 ? r : output_commit(&result->report, err);
}

/* What --verify shows. */
static void show(const struct options *options, const struct report *report, size_t instances)
{
	cleanup_text struct text text = TEXT_INIT;

	verify_text(report, instances, options->quiet, options->verbose, colour_of_stderr(), &text);
	if (text.data && !text.failed)
		(void)output_bytes(STDERR_FILENO, text.data, text.length);
}

/* What --require says; one line at most. True: something is not as required. */
static bool tell_required(const struct options *options, const struct run_watch *watch)
{
	const struct report *report = &watch->gathered.report;
	cleanup_free char *words = NULL;
	struct required required;

	if (watch->unmet) /* that was said when it was seen */
		return true;
	if (require_unmet(&watch->require, report, &required)) {
		words = required_words(&required,
				       required.finding ? required.finding->instance : required.check->instance);
		output_line("not as required: %s", words ? words : "memory ran out");
		return true;
	}
	if (!options->quiet && watch->require.elsewhere)
		output_line("required, and not known: %s: oneDNN's own stream tells it alone; see 'fettle onednn run'",
			    watch->require.elsewhere);
	if (!options->quiet && !options->supervision.verify && require_unknown(&watch->require, report, &required)) {
		words = required_words(&required, required.check->instance);
		output_line("required, and not known: %s", words ? words : "memory ran out");
	}
	return false;
}

int run_result_tell(struct run_result *result, const struct options *options, const struct start *start,
		    const struct launch_end *ends, const struct launch_outcome *outcome, struct run_watch *watch,
		    int *exit_code, struct err *err)
{
	cleanup_free struct run_instance *instances = calloc(start->count, sizeof(*instances));
	struct run run = { .instances = instances,
			   .count = start->count,
			   .wall_ns = clock_now_ns() - result->begin_ns,
			   .collect = options->supervision.collect,
			   .timed_out = outcome->timed_out,
			   .judged = &watch->gathered.report,
			   .gaps = watch->observation ? watch->observation->gaps : NULL,
			   .gap_count = watch->observation ? watch->observation->gap_count : 0 };
	struct throttle_counts now = result->begin;

	if (!result->starts)
		return 0;
	if (!instances)
		return err_nomem(err);
	for (size_t i = 0; i < start->count; i++)
		fill_instance(result, watch, i, &start->children[i], &ends[i], &instances[i]);
	throttle_read(&result->throttle, &now);
	run.throttle_known = throttle_between(&result->throttle, &result->begin, &now, &run.throttled_periods,
					      &run.throttled_ns, &run.throttle_path);
	if (run_add_throttled(&run, &watch->gathered.report, err) < 0)
		return err->code;
	if (result->table)
		run_table_print(&run);
	if (options->supervision.verify)
		show(options, run.judged, start->count);
	if (tell_required(options, watch) && *exit_code == EXIT_OK)
		*exit_code = EXIT_DIFFERS;
	run.exit_code = *exit_code;
	return options->supervision.report ? write_report(result, options, start, &run, err) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/decide.h"
#include "cli/dry_run.h"
#include "cli/output.h"
#include "cli/plan_document.h"
#include "cli/run_words.h"
#include "cli/saved_plan.h"
#include "launch/launch.h"
#include "plan/plan.h"
#include "settings/settings.h"
#include "target/target.h"

#include <string.h>

/* Everything that is to be started. */
struct start {
	struct decision decision;
	json_t *request; /* of a saved plan */
	struct launch_program program;
	struct launch_child *children;
	size_t count;
};

static void start_clear(struct start *start)
{
	for (size_t i = 0; i < start->count; i++)
		environment_free((char **)start->children[i].environment);
	free(start->children);
	if (start->request)
		json_decref(start->request);
	decision_clear(&start->decision);
}
#define cleanup_start cleanup_(start_clear)

/* Options that contradict each other, before anything is read. */
static int check_options(const struct invocation *inv, struct err *err)
{
	static const struct option_table *const not_with_plan[] = { &planning_options, &settings_options };
	const struct options *options = &inv->options;
	const struct option_table *const *tables = inv->command->tables;

	if (!inv->word_count)
		return err_set(err, -EINVAL, "no program to run; try 'fettle run --help'");
	if (options->json && !options->dry_run)
		return err_set(err, -EINVAL,
			       "'run --json' needs '--dry-run': standard output is the program's (what happened in a "
			       "run will be told by '--report', which is still to come)");
	if (options->output && !options->dry_run)
		return err_set(err, -EINVAL, "'run --output' needs '--dry-run': standard output is the program's");
	if (options->machine && strcmp(options->machine, "live") != 0 && !options->dry_run)
		return err_set(err, -EINVAL,
			       "machine '%s' can be planned for, not launched on; add '--dry-run' or use 'fettle plan'",
			       options->machine);
	for (size_t t = 0; options->plan_file && tables[t]; t++) {
		for (size_t i = 0; i < ARRAY_SIZE(not_with_plan); i++) {
			if (tables[t] == not_with_plan[i] && inv->found.first[t])
				return err_set(err, -EINVAL,
					       "options '--plan' and '--%s' do not go together: the plan is made",
					       inv->found.first[t]->name);
		}
	}
	return 0;
}

static int decide(const struct invocation *inv, struct start *start, struct err *err)
{
	const struct options *options = &inv->options;
	struct decision *decision = &start->decision;
	/* Another machine's program need not be on this one. */
	const bool needed = !options->machine || strcmp(options->machine, "live") == 0;
	int r = decide_workload(options, (const char *const *)environ, inv->words[0], needed, decision, err);

	if (r == 0)
		r = decide_machine(options, true, decision, err);
	if (r == 0 && options->plan_file)
		return saved_plan_take(options, decision, &start->request, err);
	return r < 0 ? r : decide_plan(decision, err);
}

static int prepare(const struct invocation *inv, struct start *start, struct err *err)
{
	const struct request *request = &inv->options.request;
	const struct plan *plan = start->decision.plan;
	const size_t first = request->has_instance ? request->instance : 0;
	const size_t count = request->has_instance ? 1 : plan->instance_count;

	start->program.path = start->decision.target ? start->decision.target->path : inv->words[0];
	start->program.argv = inv->words;
	start->children = calloc(count, sizeof(*start->children));
	if (!start->children)
		return err_nomem(err);
	for (size_t i = 0; i < count; i++) {
		struct launch_child *child = &start->children[i];
		char **environment;
		int r = settings_environment(start->decision.settings, plan->instances[first + i].index,
					     (const char *const *)environ, &environment, err);

		if (r < 0)
			return r;
		child->instance = &plan->instances[first + i];
		child->environment = environment;
		start->count++;
	}
	return 0;
}

static int dry_run(const struct invocation *inv, const struct start *start)
{
	const struct decision *decision = &start->decision;
	cleanup_free char *result = NULL;
	struct text text = TEXT_INIT;
	json_t *document = NULL;
	struct err err = { 0 };

	if (!inv->options.json) {
		dry_run_text(decision, &start->program, start->children, start->count, &text);
		result = text_take(&text);
	} else if (plan_document_to_json(decision->machine, &decision->workload, start->request, decision->plan,
					 decision->settings, &document, &err) < 0) {
		return output_failure(EXIT_OWN, &err);
	} else {
		result = json_document_text(document);
		json_decref(document);
	}
	return output_result(inv, result);
}

static int exit_code_of_start(int code)
{
	switch (code) {
	case -ENOENT:
		return EXIT_NOT_FOUND;
	case -EACCES:
	case -ENOEXEC:
		return EXIT_NOT_EXECUTABLE;
	default:
		return EXIT_OWN;
	}
}

/* One instance and nothing to wait for: nothing of us stays. */
static int become(const struct invocation *inv, const struct start *start)
{
	const struct launch_child *child = &start->children[0];
	cleanup_grant struct launch_grant grant = { 0 };
	cleanup_text struct text refused = TEXT_INIT;
	struct err err = { 0 };

	if (launch_bind(child->instance, &grant, &err) < 0)
		return output_failure(EXIT_OWN, &err);
	if (!inv->options.quiet) {
		run_words_refused(&grant, &refused);
		run_words_plan(&inv->options, &start->decision, start->children, 1);
		run_words_warnings(&inv->options, &start->decision, refused.data);
	}
	return output_failure(exit_code_of_start(launch_exec(&start->program, child->environment, &err)), &err);
}

/* What a supervised start is told about. */
struct telling {
	const struct invocation *inv;
	const struct start *start;
};

/* Two lines: the plan, then what was refused and warned of. The first refusal stands for all: they asked the same
 * kernel. */
static void tell_started(const struct launch_end *ends, size_t count, const void *context)
{
	const struct telling *telling = context;
	const struct start *start = telling->start;
	cleanup_text struct text refused = TEXT_INIT;

	for (size_t i = 0; i < count && !refused.length; i++)
		run_words_refused(&ends[i].grant, &refused);
	run_words_plan(&telling->inv->options, &start->decision, start->children, start->count);
	run_words_warnings(&telling->inv->options, &start->decision, refused.data);
}

static int exit_code_of_ends(const struct start *start, const struct launch_end *ends, int first_failed)
{
	const struct launch_end *end;

	if (first_failed < 0)
		return EXIT_OK;
	end = &ends[first_failed];
	run_words_failed(start->children[first_failed].instance->index, end);
	return end->signal ? EXIT_SIGNAL + end->signal : end->exit_code;
}

static int supervise(const struct invocation *inv, const struct start *start)
{
	const struct telling telling = { .inv = inv, .start = start };
	const struct launch_watch watch = { .started = tell_started, .context = &telling };
	struct launch_end *ends = calloc(start->count, sizeof(*ends));
	struct err err = { 0 };
	int first_failed = -1, exit_code, r;

	if (!ends) {
		(void)err_nomem(&err);
		return output_failure(EXIT_OWN, &err);
	}
	r = launch_supervise(&start->program, start->children, start->count, &watch, ends, &first_failed, &err);
	if (r < 0) {
		if (first_failed >= 0)
			(void)err_wrap(&err, "instance %u", start->children[first_failed].instance->index);
		exit_code = output_failure(exit_code_of_start(r), &err);
	} else {
		exit_code = exit_code_of_ends(start, ends, first_failed);
	}
	for (size_t i = 0; i < start->count; i++)
		launch_grant_clear(&ends[i].grant);
	free(ends);
	return exit_code;
}

int cmd_run(struct invocation *inv)
{
	cleanup_start struct start start = { .request = NULL };
	struct err err = { 0 };

	if (check_options(inv, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	if (decide(inv, &start, &err) < 0 || prepare(inv, &start, &err) < 0)
		return output_failure(start.decision.exit_code ? start.decision.exit_code : EXIT_OWN, &err);
	if (inv->options.dry_run)
		return dry_run(inv, &start);
	return start.count == 1 ? become(inv, &start) : supervise(inv, &start);
}

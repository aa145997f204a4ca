/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/dry_run.h"
#include "cli/grant_words.h"
#include "cli/output.h"
#include "cli/run_words.h"
#include "cli/saved_plan.h"
#include "cli/start.h"
#include "cli/supervise.h"
#include "cli/workload_path.h"
#include "joint/plan_document.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "settings/settings.h"
#include "target/target.h"

#include <string.h>

static void start_clear(struct start *start)
{
	for (size_t i = 0; i < start->count; i++) {
		environment_free((char **)start->children[i].environment);
		environment_free((char **)start->children[i].unpinned);
	}
	free(start->children);
	if (start->request)
		json_decref(start->request);
	decision_clear(&start->decision);
}
#define cleanup_start cleanup_(start_clear)

/* Options that contradict each other, before anything is read. */
static int check_options(const struct invocation *inv, struct err *err)
{
	static const struct option_table *const not_with_plan[] = { &planning_options, &settings_options,
								    &purpose_options };
	const struct options *options = &inv->options;
	const struct option_table *const *tables = inv->command->tables;
	struct launch_orders orders;

	if (!inv->word_count)
		return err_set(err, -EINVAL, "no program to run; try 'fettle run --help'");
	if (options->json && !options->dry_run)
		return err_set(err, -EINVAL,
			       "'%s --json' needs '--dry-run': standard output is the program's; 'run --report FILE' "
			       "tells what happened in a run",
			       inv->command->name);
	if (options->output && !options->dry_run)
		return err_set(err, -EINVAL, "'%s --output' needs '--dry-run': standard output is the program's",
			       inv->command->name);
	if (options->machine && strcmp(options->machine, "live") != 0 && !options->dry_run)
		return err_set(err, -EINVAL,
			       "machine '%s' can be planned for, not launched on; add '--dry-run' or use 'fettle plan'",
			       options->machine);
	if (options->plan_file && options->each.count)
		return err_set(err, -EINVAL,
			       "options '--plan' and '--each' do not go together: the plan has its settings");
	for (size_t t = 0; options->plan_file && tables[t]; t++) {
		for (size_t i = 0; i < ARRAY_SIZE(not_with_plan); i++) {
			if (tables[t] == not_with_plan[i] && inv->found.first[t])
				return err_set(err, -EINVAL,
					       "options '--plan' and '--%s' do not go together: the plan is made",
					       inv->found.first[t]->name);
		}
	}
	return supervise_orders(options, &orders, err);
}

/* Does fettle stay, or become the program? */
static bool stays(const struct invocation *inv, size_t count)
{
	return count > 1 || supervise_is_asked(inv);
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
	return r < 0 ? r : decide_plan(options, inv->words, decision, err);
}

/* The environment for a child that does not get its CPUs. */
static int prepare_unpinned(const struct settings *settings, struct launch_child *child, struct err *err)
{
	char **environment;
	int r = settings_environment_unpinned(settings, child->instance->index, (const char *const *)environ,
					      &environment, err);

	if (r == 0)
		child->unpinned = environment;
	return r;
}

/* Instances of the plan that are to be started. The caller frees the set; NULL when memory ran out. */
static hwloc_bitmap_t chosen_instances(const struct request *request, const struct plan *plan)
{
	hwloc_bitmap_t chosen = NULL;
	struct err err;

	if (request->only)
		return cpulist_parse(request->only, &chosen, &err) < 0 ? NULL : chosen;
	chosen = hwloc_bitmap_alloc();
	if (chosen && (request->has_instance ? hwloc_bitmap_set(chosen, request->instance)
					     : hwloc_bitmap_set_range(chosen, 0, (int)plan->instance_count - 1)) < 0) {
		hwloc_bitmap_free(chosen);
		chosen = NULL;
	}
	return chosen;
}

static int prepare(const struct invocation *inv, struct start *start, struct err *err)
{
	const struct plan *plan = start->decision.plan;
	cleanup_bitmap hwloc_bitmap_t chosen = chosen_instances(&start->decision.workload.request, plan);
	const size_t count = chosen ? (size_t)hwloc_bitmap_weight(chosen) : 0;

	if (!chosen)
		return err_nomem(err);
	start->program.path = start->decision.target ? start->decision.target->path : inv->words[0];
	start->program.argv = inv->words;
	start->children = calloc(count, sizeof(*start->children));
	if (!start->children)
		return err_nomem(err);
	for (int i = hwloc_bitmap_first(chosen); i >= 0; i = hwloc_bitmap_next(chosen, i)) {
		const struct settings *settings = start->decision.settings;
		struct launch_child *child = &start->children[start->count];
		char **environment;
		int r = settings_environment(settings, plan->instances[i].index, (const char *const *)environ,
					     &environment, err);

		if (r < 0)
			return r;
		child->instance = &plan->instances[i];
		child->environment = environment;
		start->count++;
		/* A single one knows what it got before it needs the other. */
		if (stays(inv, count) && child->instance->pin != PIN_NONE)
			r = prepare_unpinned(settings, child, err);
		if (r < 0)
			return r;
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

int start_exit_code(int code)
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

/* Nobody refused us anything: what was planned on is not there any more. */
static bool machine_changed(const struct launch_grant *grant)
{
	return (grant->affinity_unmet && (!grant->affinity_error || grant->affinity_error == -EINVAL)) ||
	       grant->memory_error == -EINVAL;
}

/* Look at the machine again and decide again. On failure `start` stays as it was. */
static int plan_again(const struct invocation *inv, const struct launch_grant *grant, struct start *start,
		      struct err *err)
{
	struct start again = { .request = NULL };
	int r = launch_unbind(grant, start->decision.machine->limits.pus_os, err);

	if (r == 0)
		r = decide(inv, &again, err);
	if (r == 0)
		r = prepare(inv, &again, err);
	if (r == 0 && again.count != 1) /* more nodes than before: that takes a supervisor, and was not said */
		r = err_set(err, -EINVAL, "there would be %zu instances now", again.count);
	if (r != 0) {
		start_clear(&again);
		return r;
	}
	start_clear(start);
	*start = again;
	return 0;
}

/*
 * Bind ourselves, and if the machine changed since it was read, plan for what it is now: once, for it may go on
 * changing. A saved plan is not made again: it says where, not what was wanted. `said` gets what was not granted.
 */
static int bind_ourselves(const struct invocation *inv, struct start *start, struct launch_end *end, struct text *said,
			  struct err *err)
{
	struct err why = { 0 };
	int r = launch_bind(start->children[0].instance, &end->grant, err);

	if (r == 0 && machine_changed(&end->grant) && !inv->options.plan_file) {
		grant_words_again(start->children, end, said);
		if (plan_again(inv, &end->grant, start, &why) != 0)
			text_clear(said);
		launch_grant_clear(&end->grant);
		r = launch_bind(start->children[0].instance, &end->grant, err);
	}
	if (r < 0)
		return r;
	grant_words_add(start->children, end, 1, said);
	if (why.code)
		text_add(said, "%scannot plan again: %s", said->length ? "; " : "", why.text);
	return 0;
}

/* One instance and nothing to wait for: nothing of us stays. */
static int become(const struct invocation *inv, struct start *start)
{
	cleanup_text struct text refused = TEXT_INIT;
	struct launch_end end = { .pid = 0 };
	struct launch_child *child;
	struct err err = { 0 };

	if (bind_ourselves(inv, start, &end, &refused, &err) < 0)
		return output_failure(EXIT_OWN, &err);
	run_words_plan(&inv->options, &start->decision, start->children, 1);
	run_words_warnings(&inv->options, &start->decision, refused.data);
	child = &start->children[0];
	if (end.grant.affinity_unmet && prepare_unpinned(start->decision.settings, child, &err) < 0)
		return output_failure(EXIT_OWN, &err);
	launch_grant_clear(&end.grant);
	return output_failure(start_exit_code(launch_exec(
				      &start->program, child->unpinned ? child->unpinned : child->environment, &err)),
			      &err);
}

/* --demo: the workload, with the words behind the options. The caller frees them. */
static int demonstrate(struct invocation *inv, char ***ret_words, struct err *err)
{
	cleanup_free char *path = workload_path(err);
	char **words = path ? calloc((size_t)inv->word_count + 2, sizeof(*words)) : NULL;

	if (!words)
		return path ? err_nomem(err) : -ENOENT;
	memcpy(words + 1, inv->words, (size_t)inv->word_count * sizeof(*words));
	words[0] = TAKE(path);
	inv->words = *ret_words = words;
	inv->word_count++;
	return 0;
}

static void words_free(char ***words)
{
	if (*words)
		free((*words)[0]);
	free(*words);
}

int cmd_run(struct invocation *inv)
{
	cleanup_start struct start start = { .request = NULL };
	cleanup_(words_free) char **words = NULL;
	struct err err = { 0 };

	if (inv->options.demo && demonstrate(inv, &words, &err) < 0)
		return output_failure(EXIT_NOT_FOUND, &err);
	if (check_options(inv, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	if (decide(inv, &start, &err) < 0 || prepare(inv, &start, &err) < 0)
		return output_failure(start.decision.exit_code ? start.decision.exit_code : EXIT_OWN, &err);
	if (inv->options.dry_run)
		return dry_run(inv, &start);
	return stays(inv, start.count) ? supervise(inv, &start) : become(inv, &start);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* From advice to the words of two commands, and to the reason why there is nothing to try. */
#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "cli/command.h"
#include "cli/prove_session.h"
#include "joint/decide.h"
#include "joint/plan_document.h"
#include "machine/machine.h"

#include <string.h>

/* What a machine is narrowed by, and so are its runs. */
static int add_narrow(const struct options *options, struct words *words)
{
	const struct {
		const char *option, *value;
	} narrow[] = { { "--allowed-cpus", options->narrow.allowed_pus },
		       { "--allowed-nodes", options->narrow.allowed_nodes },
		       { "--cpu-quota", options->narrow.quota_cpus },
		       { "--memory-limit", options->narrow.memory_limit } };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(narrow); i++) {
		if (narrow[i].value)
			r = words_add(words, narrow[i].option) || words_add(words, narrow[i].value) ? -ENOMEM : 0;
	}
	return r;
}

static int add_program(const struct prove_session *session, const struct prove_experiment *experiment, bool with,
		       struct words *program)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < session->program.count; i++)
		r = words_add(program, session->program.items[i]);
	for (const char *const *word = experiment->words; r == 0 && with && *word; word++)
		r = words_add(program, *word);
	if (r == 0 && session->facts.built_in)
		r = words_add(program, experiment->model);
	return r;
}

static int make_arm(const struct prove_session *session, const struct prove_experiment *experiment, bool with,
		    struct prove_arm *arm)
{
	int r = add_narrow(&session->invocation->options, &arm->options);

	if (r == 0)
		r = prove_options(experiment, with, &session->facts, &arm->options);
	return r == 0 ? add_program(session, experiment, with, &arm->program) : r;
}

/* The last options of those with the advice, as they are without a word that stands for a fact, and its words. */
static int make_own(struct prove_entry *entry)
{
	const struct prove_experiment *experiment = entry->experiment;
	size_t own = 0;
	int r = 0;

	while (experiment->with[own])
		own++;
	for (size_t i = entry->with.options.count - own; r == 0 && i < entry->with.options.count; i++)
		r = words_add(&entry->own, entry->with.options.items[i]);
	for (const char *const *word = experiment->words; r == 0 && *word; word++)
		r = words_add(&entry->own, *word);
	return r;
}

/*
 * The instances that 'fettle run' would start with these words: what of a plan a program can notice. Returns 0 and a
 * reference, or -errno.
 */
static int plan_of(const struct prove_session *session, const struct prove_arm *arm, json_t **ret_instances,
		   struct err *err)
{
	const struct command *run = command_find("run", err);
	cleanup_options struct options options = { .machine = session->invocation->options.machine };
	cleanup_decision struct decision decision = { 0 };
	cleanup_free char **words = calloc(arm->program.count + 1, sizeof(*words));
	struct option_found found;
	json_t *document = NULL;
	int r;

	if (!words)
		return err_nomem(err);
	memcpy(words, arm->program.items, arm->program.count * sizeof(*words));
	r = option_parse(run->tables, "run", (int)arm->options.count, (const char *const *)arm->options.items, &options,
			 &found, err);
	if (r == 0)
		r = decide_workload(&options, (const char *const *)environ, words[0], false, &decision, err);
	if (r == 0)
		r = decide_machine(&options, true, &decision, err);
	if (r == 0)
		r = decide_plan(&options, words, &decision, err);
	if (r == 0)
		r = plan_document_to_json(decision.machine, &decision.workload, NULL, decision.plan, decision.settings,
					  &document, err);
	if (r == 0)
		*ret_instances = json_incref(json_object_get(document, "instances"));
	json_decref(document);
	return r;
}

static bool same_words(const struct words *a, const struct words *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = strcmp(a->items[i], b->items[i]) == 0;
	return same;
}

/* What the planner says to both arms: `why` stays empty where they can be told apart. Returns 0 or -ENOMEM. */
static int ask_planner(const struct prove_session *session, const struct prove_entry *entry, struct text *why,
		       struct err *err)
{
	json_t *with = NULL, *without = NULL;
	struct err refused = { 0 };
	int r = plan_of(session, &entry->with, &with, &refused);

	if (r < 0)
		text_add(why, "%s", refused.text);
	if (r == 0)
		r = plan_of(session, &entry->without, &without, &refused);
	if (r < 0 && !why->length)
		text_add(why, "without it: %s", refused.text);
	if (r == 0 && !entry->experiment->control && json_equal(with, without) &&
	    same_words(&entry->with.program, &entry->without.program))
		text_add(why, "the plan is the same with and without it");
	json_decref(with);
	json_decref(without);
	return r == -ENOMEM || why->failed ? err_nomem(err) : 0;
}

static const char *workload_of(const struct prove_session *session, const struct prove_experiment *experiment)
{
	const char *name = session->program.count ? session->program.items[0] : "";
	const char *slash = strrchr(name, '/');

	return session->facts.built_in ? experiment->model : slash ? slash + 1 : name;
}

static int build_entry(const struct prove_session *session, struct prove_entry *entry, struct err *err)
{
	cleanup_text struct text why = TEXT_INIT;
	int r;

	entry->workload = workload_of(session, entry->experiment);
	entry->trial.open = true;
	entry->trial.rank = entry->experiment->rank;
	if (!prove_impossible(entry->experiment, &session->facts, &why)) {
		if (make_arm(session, entry->experiment, true, &entry->with) < 0 ||
		    make_arm(session, entry->experiment, false, &entry->without) < 0 || make_own(entry) < 0)
			return err_nomem(err);
		r = ask_planner(session, entry, &why, err);
		if (r < 0)
			return r;
	}
	if (why.failed || (why.length && prove_trial_close(&entry->trial, true, why.data) < 0))
		return err_nomem(err);
	return 0;
}

static bool has_baseline(const struct prove_team *team, const struct prove_arm *baseline)
{
	return team->baseline && same_words(&team->baseline->options, &baseline->options) &&
	       same_words(&team->baseline->program, &baseline->program);
}

/* The team with this entry's baseline, or a new one, whose arrays are NULL when memory ran out. There is room for one
 * an entry. */
static struct prove_team *team_of(struct prove_session *session, const struct prove_entry *entry)
{
	struct prove_team *team = session->teams;

	for (; team < session->teams + session->team_count; team++) {
		if (has_baseline(team, &entry->without))
			return team;
	}
	team->entries = calloc(session->count, sizeof(struct prove_entry *));
	team->trials = calloc(session->count, sizeof(struct prove_trial *));
	team->baseline = &entry->without;
	team->workload = entry->workload;
	team->group.trials = team->trials;
	session->team_count++;
	return team;
}

static int make_teams(struct prove_session *session)
{
	session->teams = calloc(2 * session->count + 1, sizeof(*session->teams));
	if (!session->teams)
		return -ENOMEM;
	for (size_t i = 0; i < session->count; i++) {
		struct prove_entry *entry = &session->entries[i];
		struct prove_team *team;

		if (!entry->trial.open)
			continue;
		team = team_of(session, entry);
		if (!team || !team->entries || !team->trials)
			return -ENOMEM;
		team->entries[team->group.count] = entry;
		team->trials[team->group.count++] = &entry->trial;
	}
	return 0;
}

int prove_session_build(struct prove_session *session, struct err *err)
{
	const char *only = session->invocation->options.prove.only;
	int r = 0;

	/* One more for each, for what wins together. */
	session->entries = calloc(2 * prove_experiment_count, sizeof(*session->entries));
	if (!session->entries)
		return err_nomem(err);
	for (size_t i = 0; r == 0 && i < prove_experiment_count; i++) {
		if (!prove_only_has(only, &prove_experiments[i]))
			continue;
		session->entries[session->count].experiment = &prove_experiments[i];
		r = build_entry(session, &session->entries[session->count++], err);
	}
	return r == 0 && make_teams(session) < 0 ? err_nomem(err) : r;
}

static void arm_clear(struct prove_arm *arm)
{
	words_clear(&arm->options);
	words_clear(&arm->program);
}

void prove_session_clear(struct prove_session *session)
{
	for (size_t i = 0; i < session->count; i++) {
		arm_clear(&session->entries[i].with);
		arm_clear(&session->entries[i].without);
		words_clear(&session->entries[i].own);
		words_clear(&session->entries[i].joined);
		prove_trial_clear(&session->entries[i].trial);
	}
	for (size_t i = 0; i < session->team_count; i++) {
		free(session->teams[i].entries);
		free(session->teams[i].trials);
	}
	free(session->entries);
	free(session->teams);
	free(session->summary);
	words_clear(&session->program);
	sampler_clear(&session->sampler);
	machine_free(session->machine);
}

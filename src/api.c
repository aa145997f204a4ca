/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The installed API: a facade over the rooms. Options are read by the same
 * tables as the command line's, so that a word means the same in both.
 */
#include "fettle.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "joint/decide.h"
#include "joint/options.h"
#include "joint/plan_document.h"
#include "machine/machine.h"
#include "plan/plan.h"

#include <stdio.h>
#include <string.h>

struct fettle_machine {
	struct decision decision; /* only its machine is set */
};

struct fettle_plan {
	struct plan *plan;
	json_t *document; /* made at once: the machine and the environment it rests on may go away */
};

static int report(int code, const struct err *err, char *error)
{
	if (code < 0 && error)
		(void)snprintf(error, FETTLE_ERROR_SIZE, "%s%s%s", err->text, err->hint[0] ? "; hint: " : "",
			       err->hint);
	return code;
}

/* Every word must be an option of these tables, or belong to one. */
static int parse(const struct option_table *const *tables, const char *const *words, struct options *options,
		 struct err *err)
{
	struct option_found found;
	int count = 0, r;

	while (words && words[count])
		count++;
	r = option_parse(tables, "plan", count, words, options, &found, err);
	if (r == 0 && words && found.next != count)
		r = err_set(err, -EINVAL, "'%s' is no option", words[found.next]);
	return r;
}

const char *fettle_version(void)
{
	return FETTLE_VERSION;
}

int fettle_machine_read(const char *spec, const char *const *limits, struct fettle_machine **ret_machine, char *error)
{
	static const struct option_table *const tables[] = { &machine_options, NULL };
	struct fettle_machine *machine = calloc(1, sizeof(*machine));
	cleanup_options struct options options = { 0 };
	struct err err = { 0 };
	int r = machine ? parse(tables, limits, &options, &err) : err_nomem(&err);

	if (r == 0 && options.machine)
		r = err_set(&err, -EINVAL, "option '--machine' is no limit: the machine is the first argument");
	options.machine = spec;
	if (r == 0)
		r = decide_machine(&options, false, &machine->decision, &err);
	if (r < 0) {
		fettle_machine_free(machine);
		return report(r, &err, error);
	}
	*ret_machine = machine;
	return 0;
}

void fettle_machine_free(struct fettle_machine *machine)
{
	if (machine)
		decision_clear(&machine->decision);
	free(machine);
}

char *fettle_machine_json(const struct fettle_machine *machine)
{
	json_t *document = machine_to_json(machine->decision.machine);
	char *text = document ? json_document_text(document) : NULL;

	json_decref(document);
	return text;
}

int fettle_plan_make(const struct fettle_machine *machine, const char *const *options, const char *const *environment,
		     const char *program, struct fettle_plan **ret_plan, char *error)
{
	static const struct option_table *const tables[] = { &planning_options, &settings_options, NULL };
	struct fettle_plan *plan = calloc(1, sizeof(*plan));
	struct decision decision = { .machine = machine->decision.machine };
	cleanup_options struct options parsed = { 0 };
	char *const words[] = { (char *)program, NULL };
	struct err err = { 0 };
	int r;

	if (!plan)
		return report(err_nomem(&err), &err, error);
	r = parse(tables, options, &parsed, &err);
	parsed.no_cache = true; /* a library leaves nothing in its caller's home */
	if (r == 0)
		r = decide_workload(&parsed, environment, program, false, &decision, &err);
	if (r == 0)
		r = decide_plan(&parsed, words, &decision, &err);
	if (r == 0)
		r = plan_document_to_json(decision.machine, &decision.workload, NULL, decision.plan, decision.settings,
					  &plan->document, &err);
	decision.machine = NULL; /* the caller's */
	if (r < 0) {
		free(plan);
	} else {
		plan->plan = TAKE(decision.plan);
		*ret_plan = plan;
	}
	decision_clear(&decision);
	return report(r, &err, error);
}

void fettle_plan_free(struct fettle_plan *plan)
{
	if (!plan)
		return;
	plan_free(plan->plan);
	json_decref(plan->document);
	free(plan);
}

char *fettle_plan_json(const struct fettle_plan *plan)
{
	return json_document_text(plan->document);
}

unsigned fettle_plan_instances(const struct fettle_plan *plan)
{
	return (unsigned)plan->plan->instance_count;
}

unsigned fettle_plan_threads(const struct fettle_plan *plan, unsigned instance)
{
	return instance < plan->plan->instance_count ? plan->plan->instances[instance].threads : 0;
}

char *fettle_plan_cpus(const struct fettle_plan *plan, unsigned instance)
{
	return instance < plan->plan->instance_count ? cpulist_text(plan->plan->instances[instance].pus_os) : NULL;
}

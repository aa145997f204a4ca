/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/plan_text.h"
#include "emit/emit.h"
#include "joint/decide.h"
#include "joint/plan_document.h"
#include "joint/profile.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "svg/svg.h"
#include "target/target.h"

#include <stdlib.h>
#include <unistd.h>

static char *as_json(const struct decision *decision, struct err *err)
{
	json_t *document = NULL;
	char *text;

	if (plan_document_to_json(decision->machine, &decision->workload, NULL, decision->plan, decision->settings,
				  &document, err) < 0)
		return NULL;
	text = json_document_text(document);
	json_decref(document);
	if (!text)
		(void)err_nomem(err);
	return text;
}

static char *as_form(const struct invocation *invocation, const struct decision *decision, struct err *err)
{
	/* Another machine's files are not ours to look up. */
	const bool here = decision->target && decision->machine->source == MACHINE_LIVE;
	cleanup_free char *folder = here ? getcwd(NULL, 0) : NULL;
	cleanup_text struct text text = TEXT_INIT;
	const struct emit_input input = {
		.machine = decision->machine,
		.workload = &decision->workload,
		.plan = decision->plan,
		.settings = decision->settings,
		.words = invocation->words,
		.path = here ? decision->target->path : NULL,
		.folder = folder,
	};
	char *taken;

	if (emit_form(&input, invocation->options.emit, &text, err) < 0)
		return NULL;
	taken = text_take(&text);
	if (!taken)
		(void)err_nomem(err);
	return taken;
}

static char *as_text(const struct decision *decision, const struct options *options, struct err *err)
{
	const struct colour *colour = colour_of(options);
	cleanup_text struct text text = TEXT_INIT;
	char *taken;

	if (options->why) {
		if (plan_text_why(decision->plan, decision->settings, options->why, &text, err) < 0)
			return NULL;
	} else {
		plan_text_table(decision->machine, decision->plan, colour, &text);
		if (!options->quiet)
			plan_text_reasons(decision->plan, decision->settings, options->verbose, colour, &text);
	}
	taken = text_take(&text);
	if (!taken)
		(void)err_nomem(err);
	return taken;
}

/* The program need not be here: a plan may be made for another machine. But it is said. */
static int note_missing_program(struct decision *decision, const char *program, struct err *err)
{
	if (!program || decision->target)
		return 0;
	if (plan_note(&decision->plan->warnings, "program-unknown", NULL,
		      "'%s' cannot be looked at here; planned as for any program", program) < 0)
		return err_nomem(err);
	return 0;
}

/* Only what a plan could be made of is worth keeping. */
static int save(const struct invocation *invocation)
{
	const struct options *options = &invocation->options;
	cleanup_free char *path = NULL;
	struct err err = { 0 };

	if (!options->save)
		return EXIT_OK;
	if (options->dry_run) {
		output_line("profile '%s' is not written: --dry-run", options->save);
		return EXIT_OK;
	}
	if (profile_save(options->save, options, &invocation->found, &path, &err) < 0)
		return output_failure(err.code == -EINVAL ? EXIT_USAGE : EXIT_FAILED, &err);
	if (!options->quiet)
		output_line("profile written: %s", path);
	return EXIT_OK;
}

static int check_options(const struct options *options, struct err *err)
{
	if (options->why && options->json)
		return err_set(err, -EINVAL,
			       "options '--why' and '--json' do not go together: --why explains in words");
	if (options->has_emit && (options->why || options->json))
		return err_set(err, -EINVAL, "options '--emit' and '--%s' do not go together: both say what is written",
			       options->why ? "why" : "json");
	return 0;
}

static char *result_of(const struct invocation *invocation, const struct decision *decision, struct err *err)
{
	if (invocation->options.has_emit)
		return as_form(invocation, decision, err);
	return invocation->options.json ? as_json(decision, err) : as_text(decision, &invocation->options, err);
}

int cmd_plan(struct invocation *invocation)
{
	const struct options *options = &invocation->options;
	const char *program = invocation->words[0];
	cleanup_decision struct decision decision = { 0 };
	cleanup_free char *result = NULL, *picture = NULL;
	struct err err = { 0 };
	int exit_code;

	if (check_options(options, &err) < 0 || output_check_picture(options, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	if (decide_machine(options, true, &decision, &err) < 0 ||
	    decide_workload(options, (const char *const *)environ, program, false, &decision, &err) < 0 ||
	    decide_plan(options, invocation->words, &decision, &err) < 0 ||
	    note_missing_program(&decision, program, &err) < 0)
		return output_failure(decision.exit_code ? decision.exit_code : EXIT_FAILED, &err);
	result = result_of(invocation, &decision, &err);
	if (!result)
		return output_failure(err.code == -EINVAL ? EXIT_USAGE : EXIT_FAILED, &err);
	exit_code = save(invocation);
	if (exit_code != EXIT_OK)
		return exit_code;
	picture = options->svg ? svg_picture(decision.machine, decision.plan) : NULL;
	return output_with_picture(invocation, picture, result);
}

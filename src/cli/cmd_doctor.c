/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/command.h"
#include "cli/doctor_text.h"
#include "cli/output.h"
#include "cli/prove_kept.h"
#include "joint/decide.h"
#include "joint/plan_document.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "machine/may.h"
#include "report/doctor.h"
#include "target/libraries.h"

#include <string.h>
#include <unistd.h>

/* How long the machine is watched: 50 of the kernel's ticks. */
enum { SAMPLE_MS = 500 };

/* `proved`: what was kept of 'fettle prove', or NULL. */
static char *as_json(const struct doctor *doctor, json_t *proved)
{
	json_t *document = doctor_to_json(doctor);
	char *text = NULL;

	if (document && json_object_set(document, "proved", proved ? proved : json_null()) == 0)
		text = json_document_text(document);

	json_decref(document);
	return text;
}

static char *as_text(const struct doctor *doctor, const struct libraries *libraries, const json_t *proved,
		     const struct options *options)
{
	struct text text = TEXT_INIT;

	if (options->quiet)
		doctor_text_summary(doctor, &text);
	else
		doctor_text(doctor, options->verbose, colour_of(options), &text);
	if (!options->quiet)
		doctor_proved_text(proved, &text);
	if (!options->quiet && libraries && libraries->note)
		text_add(&text, "%s\n", libraries->note);
	return text_take(&text);
}

int cmd_doctor(struct invocation *invocation)
{
	const struct options *options = &invocation->options;
	cleanup_decision struct decision decision = { 0 };
	cleanup_libraries struct libraries *libraries = NULL;
	cleanup_doctor struct doctor *doctor = NULL;
	cleanup_free char *result = NULL;
	struct doctor_input input = { .environment = (const char *const *)environ };
	struct err err = { 0 };
	json_t *proved;
	int code;

	if (invocation->word_count && options->machine && strcmp(options->machine, "live") != 0) {
		output_line(
			"'%s' cannot be looked at for machine '%s': a program's libraries are those of this machine",
			invocation->words[0], options->machine);
		return EXIT_USAGE;
	}
	if (decide_machine(options, false, &decision, &err) < 0 ||
	    machine_read_host(decision.machine, SAMPLE_MS, &err) < 0 || machine_read_may(decision.machine, &err) < 0 ||
	    decide_libraries(options, invocation->words, &decision, &libraries, &err) < 0)
		return output_failure(decision.exit_code ? decision.exit_code : EXIT_FAILED, &err);
	input.machine = decision.machine;
	input.libraries = libraries;
	if (doctor_make(&input, &doctor, &err) < 0)
		return output_failure(EXIT_FAILED, &err);
	/* What was measured was measured here. */
	proved = decision.machine->source == MACHINE_LIVE ? prove_kept_load(decision.machine) : NULL;
	result = options->json ? as_json(doctor, proved) : as_text(doctor, libraries, proved, options);
	json_decref(proved);
	code = output_result(invocation, result);
	return code == EXIT_OK && options->require && doctor_count(doctor, DOCTOR_COSTS) ? EXIT_DIFFERS : code;
}

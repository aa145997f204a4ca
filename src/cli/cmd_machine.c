/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/cmd_machine_capture.h"
#include "cli/cmd_machine_host.h"
#include "cli/cmd_machine_tree.h"
#include "cli/colour.h"
#include "cli/command.h"
#include "cli/libraries_text.h"
#include "cli/output.h"
#include "joint/decide.h"
#include "joint/option.h"
#include "joint/plan_document.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "machine/may.h"
#include "svg/svg.h"
#include "target/libraries.h"

#include <string.h>

/* How long a document watches the machine: 20 of the kernel's ticks, so that one is 5 % of a CPU. */
enum { SAMPLE_MS = 200 };

static char *as_json(const struct machine *machine, const struct libraries *libraries)
{
	json_t *document = machine_to_json(machine);
	char *text = NULL;
	int r = document ? 0 : -1;

	if (r == 0 && libraries) {
		r = json_object_set_new(document, "libraries", libraries_to_json(libraries));
		if (libraries->program)
			r |= json_object_set_new(document, "libraries_of", libraries_of_to_json(libraries));
	}
	if (r == 0)
		text = json_document_text(document);
	json_decref(document);
	return text;
}

static void add_fact(struct text *text, const char *name, const struct fact *fact)
{
	static const char *const states[] = { "unknown", "none", "" };

	text_add(text, "  %-14s %s%s  [%s]\n", name, states[fact->state],
		 fact->state == FACT_KNOWN && fact->raw ? fact->raw : "",
		 fact->source ? fact->source : "not looked for");
}

/* The tree, then the verdict, then the host and a program's libraries; -q: the verdict alone; -v: where all was
 * found. */
static char *as_text(const struct machine *machine, const struct libraries *libraries, const struct options *options)
{
	const struct colour *colour = colour_of(options);
	cleanup_free char *tree = options->quiet ? NULL : machine_tree(machine, colour);
	cleanup_free char *summary = machine_summary(machine);
	struct text text = TEXT_INIT;

	if (!summary || (!tree && !options->quiet))
		return NULL;
	if (tree)
		text_add_bytes(&text, tree, strlen(tree));
	if (options->quiet) {
		text_add(&text, "%s\n", summary);
	} else {
		option_wrap(&text, summary, 0, 2);
		machine_host_lines(machine, &text);
	}
	if (options->verbose) {
		text_add(&text, "\n%sLimits%s\n", colour->bold, colour->off);
		add_fact(&text, "CPUs", &machine->limits.pus);
		add_fact(&text, "nodes", &machine->limits.nodes);
		add_fact(&text, "CPU quota", &machine->limits.quota_milli);
		add_fact(&text, "memory limit", &machine->limits.memory_bytes);
		machine_host_facts(machine, colour, &text);
		machine_may_facts(machine, colour, &text);
	}
	if (libraries && !options->quiet)
		libraries_text(libraries, options->verbose, colour, &text);
	return text_take(&text);
}

/* They take hundreds of files to find: not where nobody would see them. */
static bool wants_libraries(const struct invocation *invocation)
{
	return invocation->word_count || invocation->options.json || invocation->options.verbose;
}

int cmd_machine(struct invocation *invocation)
{
	const struct options *options = &invocation->options;
	cleanup_decision struct decision decision = { 0 };
	cleanup_libraries struct libraries *libraries = NULL;
	cleanup_free char *result = NULL, *picture = NULL;
	struct err err = { 0 };

	if (invocation->word_count && options->machine && strcmp(options->machine, "live") != 0) {
		output_line(
			"'%s' cannot be looked at for machine '%s': a program's libraries are those of this machine",
			invocation->words[0], options->machine);
		return EXIT_USAGE;
	}
	if (options->capture)
		return cmd_machine_capture(invocation);
	if (options->with_hostname) {
		output_line("--with-hostname says something about a capture only; add '--capture FILE'");
		return EXIT_USAGE;
	}
	if (output_check_picture(options, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	if (decide_machine(options, false, &decision, &err) < 0 ||
	    (!options->quiet && (machine_read_host(decision.machine, options->json ? SAMPLE_MS : 0, &err) < 0 ||
				 machine_read_may(decision.machine, &err) < 0)) ||
	    (wants_libraries(invocation) &&
	     decide_libraries(options, invocation->words, &decision, &libraries, &err) < 0))
		return output_failure(decision.exit_code ? decision.exit_code : EXIT_FAILED, &err);
	result = options->json ? as_json(decision.machine, libraries) : as_text(decision.machine, libraries, options);
	picture = options->svg ? svg_picture(decision.machine, NULL) : NULL;
	return output_with_picture(invocation, picture, result);
}

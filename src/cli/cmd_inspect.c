/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/command.h"
#include "cli/inspect_text.h"
#include "cli/inspect_window.h"
#include "cli/output.h"
#include "joint/plan_document.h"
#include "machine/machine.h"
#include "observe/find.h"
#include "observe/observation.h"
#include "report/findings.h"

#include <string.h>
#include <unistd.h>

/* How long a look takes where nobody asked for another: 100 of the kernel's ticks. */
enum { WINDOW_MS = 1000 };

/* Which processes are meant. Returns an exit code. */
static int find(const struct invocation *invocation, const struct sysroot *root, pid_t **ret_pids, size_t *ret_count)
{
	const char *word = invocation->words[0];
	struct err err = { 0 };
	unsigned pid = 0;

	if (invocation->options.all ? invocation->word_count != 0 : invocation->word_count != 1) {
		output_line("inspect takes one process, by number or name, or --all; try 'fettle inspect --help'");
		return EXIT_USAGE;
	}
	if (word && parse_unsigned(word, &pid) == 0) {
		*ret_pids = calloc(1, sizeof(**ret_pids));
		*ret_count = 1;
		if (!*ret_pids)
			return output_failure(EXIT_FAILED, (err_nomem(&err), &err));
		**ret_pids = (pid_t)pid;
		return EXIT_OK;
	}
	if (observe_find(root, word, getpid(), ret_pids, ret_count, &err) < 0)
		return output_failure(EXIT_FAILED, &err);
	if (!*ret_count && word) {
		output_line("no process is called '%s', or /proc does not show it to us", word);
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

static char *as_json(const struct report *report, const struct report_input *input)
{
	json_t *document = report_to_json(report, input);
	char *text = document ? json_document_text(document) : NULL;

	json_decref(document);
	return text;
}

static char *as_text(const struct report *report, const struct report_input *input, const struct options *options)
{
	struct text text = TEXT_INIT;

	if (options->quiet)
		inspect_text_summary(input->observation, report, &text);
	else
		inspect_text(input->observation, report, options->verbose, colour_of(options), &text);
	return text_take(&text);
}

static bool is_wrong(const struct report *report)
{
	return report_count(report, SEVERITY_ERROR) || report_count(report, SEVERITY_WARNING);
}

/* One window. `*ret_ended`: none of the processes is there any more. */
static int look(const struct invocation *invocation, const struct sysroot *root, struct machine *machine,
		const pid_t *pids, size_t count, bool *ret_ended)
{
	const struct options *options = &invocation->options;
	const struct inspect_request asked = { .pids = pids,
					       .count = count,
					       .window_ms = options->watch_s ? options->watch_s * 1000 : WINDOW_MS,
					       .denormals = options->denormals };
	cleanup_observation struct observation *observation = NULL;
	cleanup_report struct report *report = NULL;
	cleanup_free char *result = NULL;
	struct report_input input = { .machine = machine };
	struct err err = { 0 };
	int code;

	if (inspect_window(root, machine, &asked, &observation, &report, &err) < 0) {
		*ret_ended = err.code == -ESRCH;
		return *ret_ended ? EXIT_FAILED : output_failure(EXIT_FAILED, &err);
	}
	input.observation = observation;
	result = options->json ? as_json(report, &input) : as_text(report, &input, options);
	code = output_result(invocation, result);
	if (code == EXIT_OK && observation->stops.refused_pid && !observation->stops.read) {
		output_line("cannot read the floating-point flags of process %d: %s",
			    (int)observation->stops.refused_pid, observation->stops.why);
		return EXIT_FAILED;
	}
	return code == EXIT_OK && options->require && is_wrong(report) ? EXIT_DIFFERS : code;
}

static int say_nobody(const struct invocation *invocation)
{
	cleanup_free char *text = NULL;
	const struct observation none = { .looks = 2 };
	const struct report_input input = { .observation = &none };
	const struct report report = { NULL };

	if (invocation->options.json)
		text = as_json(&report, &input);
	else
		text = strdup("nothing that fettle started runs here, as far as we may see\n");
	return output_result(invocation, text);
}

int cmd_inspect(struct invocation *invocation)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_machine struct machine *machine = NULL;
	cleanup_free pid_t *pids = NULL;
	struct err err = { 0 };
	bool ended = false;
	size_t count = 0;
	int code, worst = EXIT_OK;

	if (sysroot_open(&root, "/", &err) < 0)
		return output_failure(EXIT_FAILED, &err);
	code = find(invocation, &root, &pids, &count);
	if (code != EXIT_OK)
		return code;
	if (!count)
		return say_nobody(invocation);
	if (machine_read(NULL, &machine, &err) < 0)
		return output_failure(EXIT_FAILED, &err);
	code = look(invocation, &root, machine, pids, count, &ended);
	if (ended) {
		output_line("no process %s, or /proc does not show it to us", invocation->words[0]);
		return EXIT_FAILED;
	}
	while (invocation->options.watch_s && (code == EXIT_OK || code == EXIT_DIFFERS)) {
		worst = code == EXIT_DIFFERS ? code : worst;
		code = look(invocation, &root, machine, pids, count, &ended);
		if (ended)
			return worst;
	}
	return code;
}

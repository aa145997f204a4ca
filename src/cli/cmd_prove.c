/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/prove_kept.h"
#include "cli/prove_session.h"
#include "cli/prove_text.h"
#include "cli/workload_path.h"
#include "joint/decide.h"
#include "joint/plan_document.h"
#include "joint/profile.h"
#include "launch/output.h"
#include "machine/host.h"
#include "machine/machine.h"

#include <string.h>

static const char BUDGET_USUAL[] = "10m";

/* Each step of the built-in workload. */
static const char STEP_METRIC[] = "^step [0-9]+: ([0-9.]+) ms";

/* workload/speech.c has 1200 primitives in turn: a power of two above, and one far below. */
enum { SPEECH_OVER = 2048, SPEECH_UNDER = 256 };

/* "90", "90s", "10m", "1.5h". */
static int parse_budget(const char *text, uint64_t *ret_ms, struct err *err)
{
	static const struct {
		char letter;
		unsigned seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 } };
	const size_t length = strlen(text);
	cleanup_free char *number = strdup(text);
	unsigned seconds = 1;
	uint64_t ms;

	if (!number)
		return err_nomem(err);
	for (size_t i = 0; length && i < ARRAY_SIZE(units); i++) {
		if (text[length - 1] != units[i].letter)
			continue;
		seconds = units[i].seconds;
		number[length - 1] = '\0';
	}
	if (parse_milli(number, &ms) < 0 || ms > 1000ULL * 3600 * 24 * 365)
		return err_set(err, -EINVAL, "option '--budget': '%s' is no time; as 90s, 10m or 1h", text);
	*ret_ms = ms * seconds;
	return 0;
}

static bool is_live(const struct options *options)
{
	return !options->machine || strcmp(options->machine, "live") == 0;
}

/* Options that contradict each other or cannot be understood, before anything is read. */
static int check_options(const struct invocation *invocation, uint64_t *ret_budget_ms, struct err *err)
{
	const struct options *options = &invocation->options;
	const struct proving *prove = &options->prove;
	regex_t metric;
	char *path = NULL;
	int r = parse_budget(prove->budget ? prove->budget : BUDGET_USUAL, ret_budget_ms, err);

	if (r < 0)
		return r;
	if (prove->only && prove_only_check(prove->only, err) < 0)
		return -EINVAL;
	if (prove->rate && !prove->metric)
		return err_set(err, -EINVAL, "option '--rate' says how '--metric' is meant, which is missing");
	if (prove->metric && !invocation->word_count)
		return err_set(err, -EINVAL, "option '--metric' is for a program of yours: none is named");
	if (!is_live(options) && !options->dry_run)
		return err_set(err, -EINVAL,
			       "machine '%s' can be planned for, not measured on; add '--dry-run' to see what would be "
			       "tried",
			       options->machine);
	if (options->save && profile_path(options->save, &path, err) < 0)
		return -EINVAL;
	free(path);
	if (!prove->metric)
		return 0;
	if (launch_compile_collect(prove->metric, &metric, err) < 0)
		return err_wrap(err, "option '--metric'");
	regfree(&metric);
	return 0;
}

/* The program: the user's, or ours. A machine that is not this one needs none that is here. */
static int find_program(const struct invocation *invocation, struct prove_session *session, struct err *err)
{
	const bool live = is_live(&invocation->options);
	cleanup_free char *path = NULL;
	int r = 0;

	for (int i = 0; r == 0 && i < invocation->word_count; i++)
		r = words_add(&session->program, invocation->words[i]);
	if (r == 0 && !invocation->word_count) {
		path = workload_path(err);
		if (!path && live && !invocation->options.dry_run)
			return -ENOENT;
		r = words_add(&session->program, path ? path : "fettle-workload");
	}
	session->facts.built_in = !invocation->word_count;
	return r < 0 ? err_nomem(err) : 0;
}

/* How many primitives the program uses in turn, by one run of it under 'fettle onednn run'. */
static int find_working_set(struct prove_session *session, struct err *err)
{
	const struct options *options = &session->invocation->options;
	struct prove_facts *facts = &session->facts;
	static const char nothing[] = "the program printed no line of oneDNN";
	const json_t *cache, *set;
	json_t *document;
	int r;

	facts->no_cache = "it takes a run of the program to know its working set";
	if (facts->built_in) {
		facts->cache_over = SPEECH_OVER;
		facts->cache_under = SPEECH_UNDER;
		return 0;
	}
	if (options->dry_run || !prove_only_wants(options->prove.only, "onednn-cache"))
		return 0;
	r = sample_onednn(&session->sampler, &session->program, &session->told, err);
	if (r < 0)
		return r;
	document = json_load_file(session->sampler.report, 0, NULL);
	cache = json_object_get(document, "cache");
	set = json_object_get(cache, "working_set");
	(void)snprintf(session->no_cache, sizeof(session->no_cache), "%s",
		       document ? json_string_value(json_object_get(cache, "why")) : nothing);
	facts->no_cache = session->no_cache;
	if (json_is_integer(set)) {
		const unsigned recommended =
			(unsigned)json_integer_value(json_object_get(cache, "recommended_capacity"));

		facts->cache_over = recommended > 1024 ? recommended : 0;
		facts->cache_under = (unsigned)json_integer_value(set) / 4;
	}
	json_decref(document);
	return 0;
}

static struct prove_result result_of(const struct prove_session *session, struct prove_row *rows)
{
	for (size_t i = 0; i < session->count; i++) {
		const struct prove_entry *entry = &session->entries[i];

		rows[i] = (struct prove_row){ .experiment = entry->experiment,
					      .workload = entry->workload,
					      .trial = &entry->trial,
					      .own = &entry->own,
					      .joined = &entry->joined };
	}
	return (struct prove_result){ .machine = session->summary,
				      .metric = session->invocation->options.prove.metric,
				      .rows = rows,
				      .count = session->count,
				      .ended = session->ended[0] ? session->ended : NULL };
}

static char *as_json(const struct prove_result *result)
{
	json_t *document = prove_to_json(result);
	char *text = document ? json_document_text(document) : NULL;

	json_decref(document);
	return text;
}

static char *as_text(const struct prove_result *result, const struct options *options)
{
	struct text text = TEXT_INIT;

	if (options->quiet)
		prove_text_short(result, &text);
	else
		prove_text(result, colour_of(options), &text);
	return text_take(&text);
}

/* Show what came out, and keep what won. */
static int tell(struct prove_session *session)
{
	const struct options *options = &session->invocation->options;
	cleanup_free struct prove_row *rows = calloc(session->count + 1, sizeof(*rows));
	cleanup_free char *shown = NULL;
	struct prove_result result;
	struct err err = { 0 };
	int code;

	if (!rows) {
		(void)err_nomem(&err);
		return output_failure(EXIT_FAILED, &err);
	}
	result = result_of(session, rows);
	shown = options->json ? as_json(&result) : as_text(&result, options);
	code = output_result(session->invocation, shown);
	if (code == EXIT_OK && !options->dry_run && prove_kept_store(session, &result, &err) < 0)
		output_line("what was found cannot be kept for 'fettle doctor': %s", err.text);
	if (code == EXIT_OK && options->save && prove_profile_save(session, options->save, &err) < 0)
		return output_failure(EXIT_FAILED, &err);
	return code == EXIT_OK && session->told ? EXIT_SIGNAL + session->told : code;
}

static int measure(struct prove_session *session, uint64_t budget_ms)
{
	struct err err = { 0 };

	if (session->invocation->options.dry_run)
		(void)snprintf(session->ended, sizeof(session->ended), "not measured (--dry-run)");
	/* Without time it closes what is open. */
	if (prove_session_run(session, session->invocation->options.dry_run ? 0 : budget_ms, &err) < 0)
		return output_failure(EXIT_FAILED, &err);
	return tell(session);
}

int cmd_prove(struct invocation *invocation)
{
	const struct options *options = &invocation->options;
	cleanup_prove_session struct prove_session session = { .invocation = invocation };
	cleanup_decision struct decision decision = { 0 };
	struct err err = { 0 };
	const char *pattern;
	uint64_t budget_ms = 0;
	regex_t metric;
	int code;

	if (check_options(invocation, &budget_ms, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	if (decide_machine(options, true, &decision, &err) < 0 || machine_read_host(decision.machine, 0, &err) < 0)
		return output_failure(decision.exit_code ? decision.exit_code : EXIT_FAILED, &err);
	session.machine = TAKE(decision.machine);
	session.facts.machine = session.machine;
	session.summary = machine_summary(session.machine);
	if (!session.summary || find_program(invocation, &session, &err) < 0)
		return output_failure(EXIT_FAILED, &err);
	pattern = session.facts.built_in ? STEP_METRIC : options->prove.metric;
	if (pattern && launch_compile_collect(pattern, &metric, &err) < 0)
		return output_failure(EXIT_FAILED, &err);
	if (sampler_open(pattern ? &metric : NULL, options->prove.rate, &session.sampler, &err) < 0 ||
	    find_working_set(&session, &err) < 0 || prove_session_build(&session, &err) < 0)
		code = output_failure(EXIT_FAILED, &err);
	else
		code = measure(&session, budget_ms);
	if (pattern)
		regfree(&metric);
	return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of 'fettle prove': what is tried on which machine, by which words, and how it is told. */
#include "base/cleanup.h"
#include "base/err.h"
#include "cli/command.h"
#include "cli/doctor_text.h"
#include "cli/prove_progress.h"
#include "cli/prove_session.h"
#include "machine/machine.h"
#include "machine/narrow.h"
#include "prove/result.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

static const struct prove_experiment *row_of(const char *advice)
{
	for (size_t i = 0; i < prove_experiment_count; i++) {
		if (strcmp(prove_experiments[i].advice, advice) == 0)
			return &prove_experiments[i];
	}
	fail_msg("no advice '%s'", advice);
	return NULL;
}

static struct machine *machine_of(const char *spec, const struct machine_narrow *narrow)
{
	struct machine *machine;
	struct err err = { 0 };

	if (machine_read(spec, &machine, &err) < 0)
		fail_msg("%s", err.text);
	if (narrow && machine_narrow(machine, narrow, &err) < 0)
		fail_msg("%s", err.text);
	return machine;
}

/* The words, with blanks between. */
static char *words_of(const char *advice, bool with, const struct prove_facts *facts)
{
	cleanup_words struct words words = { .items = NULL };
	struct text text = TEXT_INIT;

	assert_int_equal(prove_options(row_of(advice), with, facts, &words), 0);
	for (size_t i = 0; i < words.count; i++)
		text_add(&text, "%s%s", i ? " " : "", words.items[i]);
	return text_take(&text);
}

#define BASE "--pin none --memory none --allocator glibc"

static void both_sides_differ_in_the_advice_alone(void **state)
{
	cleanup_machine struct machine *machine =
		machine_of("synthetic:pack:1 core:6 pu:2", &(struct machine_narrow){ .quota_cpus = "2.5" });
	const struct prove_facts facts = { .machine = machine, .cache_over = 3072, .cache_under = 700 };
	static const struct {
		const char *advice, *with, *without;
	} rows[] = {
		{ "threads=cores", BASE, BASE " --smt" },
		{ "threads=quota", BASE, BASE " --threads 6" },
		{ "binding=threads", BASE " --pin threads", BASE },
		{ "allocator=tcmalloc", BASE " --allocator tcmalloc", BASE },
		{ "onednn-cache=over", BASE " --onednn-cache 3072", BASE },
		{ "onednn-cache=under", BASE " --onednn-cache 700", BASE },
		{ "layout=channels-last", BASE, BASE },
		{ "nothing", BASE, BASE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *with = words_of(rows[i].advice, true, &facts);
		cleanup_free char *without = words_of(rows[i].advice, false, &facts);

		assert_string_equal(with, rows[i].with);
		assert_string_equal(without, rows[i].without);
	}
}

/* Of every row: 'fettle run' takes its words, it has a reason, and its name is its family's or one of its own. */
static void every_row_is_one_that_run_understands(void **state)
{
	static const struct option_table *const tables[] = { &planning_options, &settings_options, NULL };
	cleanup_machine struct machine *machine = machine_of("synthetic:pack:2 core:4 pu:2", NULL);
	const struct prove_facts facts = { .machine = machine, .cache_over = 2048, .cache_under = 256 };

	(void)state;
	for (size_t i = 0; i < prove_experiment_count; i++) {
		const struct prove_experiment *row = &prove_experiments[i];

		for (int with = 0; with < 2; with++) {
			cleanup_options struct options options = { .machine = NULL };
			cleanup_words struct words words = { .items = NULL };
			struct option_found found;
			struct err err = { 0 };

			assert_int_equal(prove_options(row, with, &facts, &words), 0);
			if (option_parse(tables, "run", (int)words.count, (const char *const *)words.items, &options,
					 &found, &err) < 0)
				fail_msg("%s: %s", row->advice, err.text);
			assert_int_equal(found.next, words.count);
		}
		assert_non_null(row->about);
		assert_non_null(row->model);
		assert_true(row->control || row->with[0] || row->without[0] || row->words[0]);
		assert_true(prove_only_has(row->family, row) && prove_only_has(row->advice, row));
	}
}

static void assert_impossible(const char *advice, const struct prove_facts *facts, const char *why)
{
	cleanup_text struct text text = TEXT_INIT;
	const bool impossible = prove_impossible(row_of(advice), facts, &text);

	if (impossible != (why != NULL) || (why && strcmp(text.data, why) != 0))
		fail_msg("%s: %s", advice, impossible ? text.data : "possible");
}

static void what_a_machine_has_not_cannot_be_tried(void **state)
{
	cleanup_machine struct machine *small = machine_of("synthetic:core:4 pu:1", NULL);
	cleanup_machine struct machine *large = machine_of("synthetic:pack:2 numa:1 core:4 pu:2", NULL);
	cleanup_machine struct machine *tight =
		machine_of("synthetic:core:4 pu:1", &(struct machine_narrow){ .quota_cpus = "1.5" });
	cleanup_machine struct machine *wide =
		machine_of("synthetic:core:4 pu:1", &(struct machine_narrow){ .quota_cpus = "9" });
	cleanup_machine struct machine *half =
		machine_of("synthetic:pack:2 numa:1 core:4 pu:2", &(struct machine_narrow){ .allowed_nodes = "1" });

	(void)state;
	assert_impossible("threads=cores", &(struct prove_facts){ .machine = small },
			  "one usable hardware thread a core");
	assert_impossible("threads=cores", &(struct prove_facts){ .machine = large }, NULL);
	assert_impossible("threads=quota", &(struct prove_facts){ .machine = tight }, NULL);
	assert_impossible("threads=quota", &(struct prove_facts){ .machine = wide },
			  "the CPU quota is no tighter than the cores are");
	assert_impossible("memory=interleave", &(struct prove_facts){ .machine = small }, "one NUMA node");
	assert_impossible("memory=interleave", &(struct prove_facts){ .machine = large }, NULL);
	assert_impossible("memory=interleave", &(struct prove_facts){ .machine = half }, "one usable NUMA node");
	assert_impossible("layout=channels-last", &(struct prove_facts){ .machine = small },
			  "the program decides it itself, no option of a start does");
	assert_impossible("layout=channels-last", &(struct prove_facts){ .machine = small, .built_in = true }, NULL);
	assert_impossible("onednn-cache=over", &(struct prove_facts){ .machine = small, .no_cache = "it keeps them" },
			  "it keeps them");
	assert_impossible("onednn-cache=under", &(struct prove_facts){ .machine = small, .cache_under = 3 }, NULL);
	assert_impossible("fpmath=bf16", &(struct prove_facts){ .machine = small },
			  "what the processor can is not known");
}

static void lists_are_checked_whole(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(prove_only_check("threads,allocator=jemalloc,nothing", &err), 0);
	assert_int_equal(prove_only_check("threads,alocator", &err), -EINVAL);
	assert_non_null(strstr(err.text, "'alocator' is no advice, nearest is 'allocator'"));
	assert_int_equal(prove_only_check("threads,,wait", &err), -EINVAL);
	assert_false(prove_only_has("allocator=jemalloc", row_of("allocator=jemalloc-aggressive")));
	assert_false(prove_only_has("alloc", row_of("allocator=jemalloc")));
	assert_false(prove_only_has(NULL, row_of("nothing")));
	assert_true(prove_only_has("wait,nothing", row_of("nothing")));
	assert_true(prove_only_wants(NULL, "onednn-cache") && !prove_only_wants("wait", "onednn-cache"));
}

static struct prove_trial trial_of(enum prove_verdict verdict, size_t blocks)
{
	return (struct prove_trial){
		.blocks = blocks,
		.judgement = { .verdict = verdict,
			       .ratio = 1.3699,
			       .low = 1.314,
			       .high = 1.444,
			       .chance = 0.002,
			       .noise = 0.0178,
			       .blocks = blocks },
	};
}

static void verdicts_read_as_they_are_promised(void **state)
{
	static char node[] = "one NUMA node", budget[] = "the budget ended";
	struct prove_trial trials[] = { trial_of(PROVE_WORTH_IT, 24), trial_of(PROVE_NO_DIFFERENCE, 13),
					trial_of(PROVE_NOT_POSSIBLE, 0), trial_of(PROVE_UNDECIDED, 5),
					trial_of(PROVE_UNDECIDED, 0) };
	static const char *const words[] = { "worth-it 1.37x [1.31, 1.44]", "no-difference (noise 1.8 %)",
					     "not-possible: one NUMA node",
					     "undecided 1.37x [1.31, 1.44]: the budget ended",
					     "undecided: the budget ended" };

	(void)state;
	trials[2].why = node;
	trials[3].why = trials[4].why = budget;
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		cleanup_text struct text text = TEXT_INIT;

		prove_verdict_text(&trials[i], &text);
		assert_string_equal(text.data, words[i]);
	}
}

static double number(const json_t *object, const char *key)
{
	assert_true(json_is_number(json_object_get(object, key)));
	return json_number_value(json_object_get(object, key));
}

static void the_document_and_the_doctor_say_the_same(void **state)
{
	const struct prove_trial worth = trial_of(PROVE_WORTH_IT, 24), none = trial_of(PROVE_NOT_POSSIBLE, 0);
	const struct prove_row rows[] = { { row_of("allocator=tuned-glibc"), "cnn", &worth },
					  { row_of("memory=local"), "cnn", &none } };
	const struct prove_result result = { .machine = "a machine", .rows = rows, .count = 2 };
	json_t *document = prove_to_json(&result);
	const json_t *first = json_array_get(json_object_get(document, "trials"), 0);
	const json_t *second = json_array_get(json_object_get(document, "trials"), 1);
	cleanup_text struct text text = TEXT_INIT;

	(void)state;
	assert_string_equal(json_string_value(json_object_get(document, "schema")), "fettle.prove/1");
	assert_true(fabs(number(document, "noise") - 0.0178) < 1e-12);
	assert_string_equal(json_string_value(json_object_get(first, "advice")), "allocator=tuned-glibc");
	assert_string_equal(json_string_value(json_object_get(first, "verdict")), "worth-it");
	assert_true(number(first, "low") < number(first, "ratio") && number(first, "ratio") < number(first, "high"));
	assert_int_equal(json_integer_value(json_object_get(first, "samples")), 24);
	assert_true(json_is_null(json_object_get(second, "ratio")));
	assert_int_equal(json_object_set_new(document, "date", json_string("2026-11-26")), 0);
	doctor_proved_text(document, &text);
	assert_string_equal(text.data, "proved  allocator=tuned-glibc: worth-it 1.37x [1.31, 1.44] in 'cnn' (fettle\n"
				       "        prove, 2026-11-26)\n");
	text_clear(&text);
	doctor_proved_text(NULL, &text);
	assert_int_equal(text.length, 0);
	json_decref(document);
}

static void the_bar_fits_and_tells_how_far_it_is(void **state)
{
	char line[160];

	(void)state;
	prove_progress_bar(6, 24, 300, 600, "attention", 7, line, sizeof(line));
	assert_string_equal(line, "[############............] 6 of 24 decided, attention block 7, at most 5:00 left");
	prove_progress_bar(24, 24, 599.2, 600, "a-very-long-name.py", 0, line, sizeof(line));
	assert_string_equal(line,
			    "[########################] 24 of 24 decided, a-very-long- warm-up, at most 10:00 left");
	prove_progress_bar(0, 0, 0, 0, "x", 1, line, sizeof(line));
	assert_true(strlen(line) < 100);
}

/* Entries that won, of one workload, by these ratios. */
static void winner(struct prove_entry *entry, const char *advice, double ratio)
{
	*entry = (struct prove_entry){ .experiment = row_of(advice),
				       .workload = "cnn",
				       .trial = trial_of(PROVE_WORTH_IT, 8) };
	entry->trial.judgement.ratio = ratio;
	assert_int_equal(words_add(&entry->own, "--a-word"), 0);
}

static void the_best_of_each_family_wins_and_no_change_of_results_unasked(void **state)
{
	struct prove_entry entries[5];
	struct invocation invocation = { .word_count = 0 };
	const struct prove_session session = { .invocation = &invocation, .entries = entries, .count = 5 };

	(void)state;
	winner(&entries[0], "allocator=tcmalloc", 1.2);
	winner(&entries[1], "allocator=tuned-glibc", 1.3);
	winner(&entries[2], "wait=active", 1.1);
	winner(&entries[3], "denormals=flush", 3);
	winner(&entries[4], "binding=threads", 1.5);
	entries[4].trial.judgement.verdict = PROVE_UNDECIDED;
	assert_false(prove_session_wins(&session, &entries[0]));
	assert_true(prove_session_wins(&session, &entries[1]));
	assert_true(prove_session_wins(&session, &entries[2]));
	assert_false(prove_session_wins(&session, &entries[3]));
	assert_false(prove_session_wins(&session, &entries[4]));
	invocation.options.prove.only = "denormals,allocator";
	assert_true(prove_session_wins(&session, &entries[3]));
	/* Another model may have another best. */
	entries[0].workload = "speech";
	assert_true(prove_session_wins(&session, &entries[0]));
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		words_clear(&entries[i].own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_differ_in_the_advice_alone),
		cmocka_unit_test(every_row_is_one_that_run_understands),
		cmocka_unit_test(what_a_machine_has_not_cannot_be_tried),
		cmocka_unit_test(lists_are_checked_whole),
		cmocka_unit_test(verdicts_read_as_they_are_promised),
		cmocka_unit_test(the_document_and_the_doctor_say_the_same),
		cmocka_unit_test(the_best_of_each_family_wins_and_no_change_of_results_unasked),
		cmocka_unit_test(the_bar_fits_and_tells_how_far_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

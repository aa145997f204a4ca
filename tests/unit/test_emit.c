/* SPDX-License-Identifier: Apache-2.0 */
/* Plans in other tools' words: quoting, comments, and what follows from a plan made by hand. */
#include "settings_scene.h"

#include "base/cleanup.h"
#include "base/quote.h"
#include "base/text.h"
#include "base/utf8.h"
#include "emit/emit.h"
#include "emit/form.h"
#include "emit/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void utf8_is_what_the_rfc_says(void **state)
{
	static const char *const good[] = {
		"", "a", "\x7f", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"
	};
	static const char *const bad[] = {
		"\x80", "\xc1\xbf", "\xc3", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "a\xe2\x82",
	};
	uint32_t code = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(utf8_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(utf8_valid(bad[i]));
	assert_int_equal(utf8_at("\xf0\x9f\x98\x80", &code), 4);
	assert_int_equal(code, 0x1f600);
}

static void a_script_quotes_without_escapes(void **state)
{
	static const struct {
		const char *word, *quoted;
	} rows[] = {
		{ "", "''" },
		{ "plain-word_1.2:3", "plain-word_1.2:3" },
		{ "it's", "'it'\\''s'" },
		{ "''", "''\\'''\\'''" },
		{ "a\nb\x01\xff", "'a\nb\x01\xff'" },
		{ "$(id)`", "'$(id)`'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_text struct text text = TEXT_INIT;

		quote_in_script(&text, rows[i].word);
		assert_string_equal(text.data, rows[i].quoted);
	}
}

static void yaml_is_ascii_whatever_the_string(void **state)
{
	static const struct {
		const char *word, *quoted;
		bool dollar;
	} rows[] = {
		{ "", "\"\"", false },
		{ "a\"b\\c\n\t", "\"a\\\"b\\\\c\\n\\t\"", false },
		{ "$A", "\"$A\"", false },
		{ "$A$$", "\"$$A$$$$\"", true },
		{ "\x01\x7f", "\"\\x01\\x7f\"", false },
		{ "\xc2\x85\xe2\x80\xa8\xf0\x9f\x98\x80", "\"\\x85\\u2028\\U0001f600\"", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_text struct text text = TEXT_INIT;

		yaml_add(&text, rows[i].word, rows[i].dollar);
		assert_string_equal(text.data, rows[i].quoted);
	}
}

static void comments_keep_their_mark_and_their_width(void **state)
{
	cleanup_text struct text text = TEXT_INIT;

	(void)state;
	comment_add(&text, "\t", "%s",
		    "a\nb\xc2\x85"
		    "c \\");
	assert_string_equal(text.data, "\t# a?b??c \\\n");
	text_clear(&text);
	comment_add(&text, "", "%s %080d end", "one", 0);
	assert_string_equal(text.data,
			    "# one\n# 0000000000000000000000000000000000000000000000000000000000000000000000000"
			    "0000000\n# end\n");
}

/* The form of the scene's plan, which stands on 16 cores in one node; what is refused is in scene->err. */
static char *emitted(struct scene *scene, enum emit_kind kind, int expected)
{
	static char program[] = "/bin/prog";
	char *const words[] = { program, NULL };
	cleanup_machine struct machine *machine = NULL;
	struct text text = TEXT_INIT;
	struct emit_input in = { .workload = &scene->workload, .plan = &scene->plan, .words = words };

	assert_int_equal(scene_decide(scene), 0);
	assert_int_equal(machine_read("synthetic:numa:1 core:16 pu:1", &machine, &scene->err), 0);
	in.machine = machine;
	in.settings = scene->settings;
	assert_int_equal(emit_form(&in, kind, &text, &scene->err), expected);
	return text_take(&text);
}

static void one_of_several_is_written_as_one(void **state)
{
	struct scene *scene = *state;
	cleanup_free char *text = NULL;

	scene_instances(scene, 3, PIN_THREADS);
	scene->workload.request.has_instance = true;
	scene->workload.request.instance = 2;
	text = emitted(scene, EMIT_TASKSET, 0);
	assert_non_null(strstr(text, "#!/bin/sh\n"));
	assert_non_null(strstr(text, "\nexec taskset -c 8-11 env \\\n"));
	assert_null(strstr(text, "instance 0"));
}

static void slurm_binds_by_masks_and_leaves_to_the_task_what_it_cannot(void **state)
{
	struct scene *scene = *state;
	cleanup_free char *bound = NULL, *mixed = NULL;

	scene_instances(scene, 2, PIN_THREADS);
	scene->instances[0].memory_policy = scene->instances[1].memory_policy = MEMORY_BIND;
	bound = emitted(scene, EMIT_SLURM, 0);
	assert_non_null(strstr(bound, "--cpu-bind=mask_cpu:0xf,0xf0 "));
	assert_non_null(strstr(bound, "--mem-bind=mask_mem:0x1,0x1 "));
	assert_null(strstr(bound, "numactl"));
	scene->instances[1].memory_policy = MEMORY_LOCAL;
	mixed = emitted(scene, EMIT_SLURM, 0);
	assert_non_null(strstr(mixed, "--mem-bind=none "));
	assert_non_null(strstr(mixed, "with_memory --membind=0 env"));
	assert_non_null(strstr(mixed, "with_memory --localalloc env"));
}

static void a_pod_gets_nothing_that_names_cpus(void **state)
{
	struct scene *scene = *state;
	cleanup_free char *text = NULL;

	scene_instances(scene, 1, PIN_THREADS);
	scene->environment[0] = "LD_PRELOAD=/a.so";
	scene->environment[1] = "GOMP_CPU_AFFINITY=0-3";
	text = emitted(scene, EMIT_KUBERNETES, 0);
	assert_non_null(strstr(text, "- name: \"LD_PRELOAD\"\n          value: \"/a.so\"\n"));
	assert_null(strstr(text, "- name: \"OMP_PLACES\""));
	assert_null(strstr(text, "- name: \"GOMP_CPU_AFFINITY\""));
	assert_null(strstr(text, "- name: \"FETTLE_PLAN\""));
	assert_non_null(strstr(text, "cpu: \"4\"\n"));
}

static void what_a_pod_cannot_do_is_refused(void **state)
{
	struct scene *scene = *state;
	cleanup_free char *text = NULL;

	scene->workload.request.flush_denormals = true;
	text = emitted(scene, EMIT_KUBERNETES, -EINVAL);
	assert_string_equal(text, "");
	assert_non_null(strstr(scene->err.text, "cannot emit kubernetes: --flush-denormals"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(utf8_is_what_the_rfc_says),
		cmocka_unit_test(a_script_quotes_without_escapes),
		cmocka_unit_test(yaml_is_ascii_whatever_the_string),
		cmocka_unit_test(comments_keep_their_mark_and_their_width),
		cmocka_unit_test_setup_teardown(one_of_several_is_written_as_one, scene_setup, scene_teardown),
		cmocka_unit_test_setup_teardown(slurm_binds_by_masks_and_leaves_to_the_task_what_it_cannot, scene_setup,
						scene_teardown),
		cmocka_unit_test_setup_teardown(a_pod_gets_nothing_that_names_cpus, scene_setup, scene_teardown),
		cmocka_unit_test_setup_teardown(what_a_pod_cannot_do_is_refused, scene_setup, scene_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

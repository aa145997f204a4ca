/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN's variables: only when asked, and never against a word of the user's, under whatever name. */
#include "settings_scene.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const char capacity[] = "ONEDNN_PRIMITIVE_CACHE_CAPACITY";

static void nothing_is_set_unasked(void **state)
{
	struct scene *scene = *state;

	scene_decide_in(scene, "DNNL_MAX_CPU_ISA=AVX2", NULL);
	for (size_t i = 0; i < scene->settings->count; i++)
		assert_string_not_equal(scene->settings->items[i].family, "onednn");
}

static void what_is_asked_is_set_and_says_what_it_does_to_numbers(void **state)
{
	struct scene *scene = *state;

	scene->workload.request.onednn_cache = 65536;
	scene->workload.request.max_isa = ISA_AVX512_CORE_AMX;
	scene->workload.request.fpmath = FPMATH_TF32;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, capacity, "65536");
	assert_seen(scene, 0, "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX");
	assert_seen(scene, 0, "ONEDNN_DEFAULT_FPMATH_MODE", "TF32");
	assert_int_equal(row_of(scene, capacity, 0)->origin, ORIGIN_OPTION);
	assert_int_equal(row_of(scene, capacity, 0)->changes_numbers, NUMBERS_SAME);
	assert_int_equal(row_of(scene, "ONEDNN_MAX_CPU_ISA", 0)->changes_numbers, NUMBERS_ROUNDING);
	assert_int_equal(row_of(scene, "ONEDNN_DEFAULT_FPMATH_MODE", 0)->changes_numbers, NUMBERS_CHANGED);
}

static void an_older_name_is_the_users_word(void **state)
{
	static const struct {
		const char *first, *second, *row, *value; /* which variable stays, and its value */
	} rows[] = {
		{ "ONEDNN_PRIMITIVE_CACHE_CAPACITY=7", "DNNL_PRIMITIVE_CACHE_CAPACITY=9", capacity, "7" },
		{ "DNNL_PRIMITIVE_CACHE_CAPACITY=7", NULL, "DNNL_PRIMITIVE_CACHE_CAPACITY", "7" },
		{ "DNNL_PRIMITIVE_CACHE_CAPACITY=7", "MKLDNN_PRIMITIVE_CACHE_CAPACITY=9",
		  "MKLDNN_PRIMITIVE_CACHE_CAPACITY", "9" },
	};
	struct scene *scene = *state;

	scene->workload.request.onednn_cache = 8;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene_decide_in(scene, rows[i].first, rows[i].second);
		assert_string_equal(value_of(scene, rows[i].row, 0), rows[i].value);
		assert_int_equal(row_of(scene, rows[i].row, 0)->origin, ORIGIN_USER);
		assert_non_null(strstr(row_of(scene, rows[i].row, 0)->why, "fettle would have set 8, as asked"));
		assert_non_null(strstr(note(&scene->plan.warnings, "user-variable"), rows[i].row));
		assert_seen(scene, 0, rows[i].row, rows[i].value);
		if (rows[i].row != capacity)
			assert_seen(scene, 0, capacity, NULL);
	}
	scene_decide_in(scene, "DNNL_PRIMITIVE_CACHE_CAPACITY=8", NULL);
	assert_null(note(&scene->plan.warnings, "user-variable"));
	scene->unset[0] = "DNNL_PRIMITIVE_CACHE_CAPACITY";
	scene->workload.wishes.unset_count = 1;
	scene_decide_in(scene, "DNNL_PRIMITIVE_CACHE_CAPACITY=7", NULL);
	assert_seen(scene, 0, "DNNL_PRIMITIVE_CACHE_CAPACITY", NULL);
	assert_seen(scene, 0, capacity, "8");
}

static void two_words_on_one_command_line_are_refused(void **state)
{
	static const char *const names[] = { "ONEDNN_PRIMITIVE_CACHE_CAPACITY=9", "DNNL_PRIMITIVE_CACHE_CAPACITY=9" };
	struct scene *scene = *state;

	scene->workload.request.onednn_cache = 8;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		scene->set[0] = names[i];
		scene->workload.wishes.set_count = 1;
		assert_int_equal(scene_decide(scene), -EINVAL);
		assert_non_null(strstr(scene->err.text, "--onednn-cache and --set"));
	}
	scene->workload.wishes.set_count = 0;
	scene->unset[0] = capacity;
	scene->workload.wishes.unset_count = 1;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--unset"));
}

static void what_onednn_has_not_got_is_refused(void **state)
{
	struct scene *scene = *state;

	scene->workload.request.onednn_cache = 65537;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.hint, "65536"));
	scene->workload.request.onednn_cache = 0;
	scene->workload.request.max_isa = ISA_AVX2;
	scene->machine.architecture = (char[]){ "aarch64" };
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "aarch64"));
	scene->machine.architecture = (char[]){ "x86_64" };
	assert_int_equal(scene_decide(scene), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_set_unasked),
		TEST(what_is_asked_is_set_and_says_what_it_does_to_numbers),
		TEST(an_older_name_is_the_users_word),
		TEST(two_words_on_one_command_line_are_refused),
		TEST(what_onednn_has_not_got_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The user's word, a fettle inside a fettle, and what comes out: environment and JSON. */
#include "settings_scene.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void options_are_the_last_word(void **state)
{
	struct scene *scene = *state;

	scene_instances(scene, 1, PIN_THREADS);
	scene->set[0] = "OMP_NUM_THREADS=2";
	scene->set[1] = "MKL_NUM_THREADS=1";
	scene->set[2] = "OMP_NUM_THREADS=4";
	scene->set[3] = "EMPTY=";
	scene->set[4] = "LD_PRELOAD=/x=y.so";
	scene->workload.wishes.set_count = 5;
	scene->unset[0] = "OPENBLAS_NUM_THREADS";
	scene->unset[1] = "HOME";
	scene->workload.wishes.unset_count = 2;
	scene_decide_in(scene, "MKL_NUM_THREADS=8", "HOME=/root");
	assert_int_equal(row_of(scene, "MKL_NUM_THREADS", 0)->origin, ORIGIN_OPTION);
	assert_string_equal(row_of(scene, "MKL_NUM_THREADS", 0)->family, "user");
	assert_int_equal(rows_of(scene, "OMP_NUM_THREADS"), 1);
	assert_seen(scene, 0, "OMP_NUM_THREADS", "4");
	assert_seen(scene, 0, "MKL_NUM_THREADS", "1");
	assert_seen(scene, 0, "EMPTY", "");
	assert_seen(scene, 0, "LD_PRELOAD", "/x=y.so");
	assert_non_null(note(&scene->plan.warnings, "agent-not-loaded"));
	assert_seen(scene, 0, "OPENBLAS_NUM_THREADS", NULL);
	assert_seen(scene, 0, "HOME", NULL);
	assert_null(row_of(scene, "HOME", 0)->value);
}

static void options_are_bent_around_as_the_environment_is(void **state)
{
	struct scene *scene = *state;

	scene_instances(scene, 1, PIN_THREADS);
	scene->set[0] = "OMP_THREAD_LIMIT=1";
	scene->workload.wishes.set_count = 1;
	scene->workload.request.repair = true;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.hint, "--set OMP_THREAD_LIMIT=4"));
	scene->set[0] = "OMP_THREAD_LIMIT=4";
	scene->unset[0] = "OMP_PLACES";
	scene->workload.wishes.unset_count = 1;
	scene_decide_in(scene, NULL, NULL);
	assert_non_null(note(&scene->plan.warnings, "user-binding"));
	assert_seen(scene, 0, "OMP_PLACES", NULL);
	assert_seen(scene, 0, "OMP_PROC_BIND", NULL);
	scene->set[0] = "GOMP_CPU_AFFINITY=0";
	scene->workload.wishes.unset_count = 0;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "GOMP_CPU_AFFINITY", "0");
	assert_seen(scene, 0, "OMP_PLACES", NULL);
}

static void rows_of_a_profile_say_so(void **state)
{
	static const char *const of_profile[] = { "onednn-cache", "flush-denormals", NULL };
	struct scene *scene = *state;

	scene->workload.of_profile = of_profile;
	scene->workload.request.onednn_cache = 8;
	scene->workload.request.flush_denormals = true;
	scene->workload.request.fpmath = FPMATH_BF16;
	scene->set[0] = "A=1";
	scene->set[1] = "B=2";
	scene->unset[0] = "C";
	scene->unset[1] = "D";
	scene->workload.wishes.set_count = scene->workload.wishes.unset_count = 2;
	scene->workload.wishes.set_of_profile = scene->workload.wishes.unset_of_profile = 1;
	scene_decide_in(scene, "A=0", NULL);
	assert_int_equal(row_of(scene, "ONEDNN_PRIMITIVE_CACHE_CAPACITY", 0)->origin, ORIGIN_PROFILE);
	assert_int_equal(row_of(scene, "flush-denormals", 0)->origin, ORIGIN_PROFILE);
	assert_int_equal(row_of(scene, "ONEDNN_DEFAULT_FPMATH_MODE", 0)->origin, ORIGIN_OPTION);
	assert_int_equal(row_of(scene, "A", 0)->origin, ORIGIN_PROFILE);
	assert_int_equal(row_of(scene, "B", 0)->origin, ORIGIN_OPTION);
	assert_int_equal(row_of(scene, "C", 0)->origin, ORIGIN_PROFILE);
	assert_int_equal(row_of(scene, "D", 0)->origin, ORIGIN_OPTION);
	assert_seen(scene, 0, "A", "1");
}

static void training_keeps_tokenizers_from_a_pool(void **state)
{
	struct scene *scene = *state;

	scene->workload.request.purpose = PURPOSE_TRAINING;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "TOKENIZERS_PARALLELISM", "false");
	scene->workload.request.purpose = PURPOSE_INFERENCE;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "TOKENIZERS_PARALLELISM", NULL);
}

static void wishes_that_make_no_sense_are_refused_by_name(void **state)
{
	static const struct {
		const char *set, *unset, *without, *named;
	} rows[] = {
		{ "FOO", NULL, NULL, "'FOO'" },
		{ "=1", NULL, NULL, "'=1'" },
		{ "", NULL, NULL, "''" },
		{ "FETTLE_PLAN=1;", NULL, NULL, "FETTLE_PLAN" },
		{ "memory-policy=bind", NULL, NULL, "memory-policy" },
		{ NULL, "", NULL, "empty" },
		{ NULL, "A=B", NULL, "'A=B'" },
		{ NULL, "FETTLE_PLAN", NULL, "FETTLE_PLAN" },
		{ "A=1", "A", NULL, "'A'" },
		{ NULL, NULL, "openm", "'openm'" },
		{ NULL, NULL, "record", "'record'" },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene->set[0] = rows[i].set;
		scene->unset[0] = rows[i].unset;
		scene->without[0] = rows[i].without;
		scene->workload.wishes.set_count = rows[i].set != NULL;
		scene->workload.wishes.unset_count = rows[i].unset != NULL;
		scene->workload.wishes.without_count = rows[i].without != NULL;
		assert_int_equal(scene_decide(scene), -EINVAL);
		assert_null(scene->settings);
		assert_non_null(strstr(scene->err.text, rows[i].named));
		if (rows[i].without)
			assert_non_null(strstr(scene->err.hint, "openmp, pools, allocator"));
		if (rows[i].without && strcmp(rows[i].without, "openm") == 0)
			assert_non_null(strstr(scene->err.hint, "did you mean 'openmp'"));
	}
}

static void a_family_left_out_is_left_out_of_the_plan_too(void **state)
{
	static const char *const families[] = { "openmp",   "pools",   "allocator", "affinity",   "memory", "agent",
						"denormal", "preload", "onednn",    "huge-pages", "pytorch" };
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		scene_instances(scene, 1, PIN_THREADS);
		scene->instances[0].memory_policy = MEMORY_PREFERRED;
		scene->without[0] = families[i];
		scene->workload.wishes.without_count = 1;
		scene->workload.request.repair = true;
		scene_decide_in(scene, "OMP_THREAD_LIMIT=1", NULL);
		for (size_t k = 0; k < scene->settings->count; k++)
			assert_string_not_equal(scene->settings->items[k].family, families[i]);
		assert_int_equal(scene->instances[0].memory_policy,
				 strcmp(families[i], "memory") == 0 ? MEMORY_NONE : MEMORY_PREFERRED);
		assert_int_equal(scene->instances[0].pin, strcmp(families[i], "openmp") == 0     ? PIN_INSTANCE
							  : strcmp(families[i], "affinity") == 0 ? PIN_NONE
												 : PIN_THREADS);
		assert_int_equal(note(&scene->plan.warnings, "agent-not-loaded") != NULL,
				 strcmp(families[i], "agent") == 0 || strcmp(families[i], "preload") == 0);
		assert_seen(scene, 0, "OMP_THREAD_LIMIT", strcmp(families[i], "openmp") == 0 ? "1" : "4");
	}
}

/* Decide, then decide again in the environment that the first decision made, with another pin. */
static void decide_nested(struct scene *scene, enum pin outer, enum pin inner)
{
	char **environment = NULL;

	scene_instances(scene, 1, outer);
	assert_int_equal(scene_decide(scene), 0);
	assert_int_equal(settings_environment(scene->settings, 0, scene->environment, &environment, &scene->err), 0);
	scene_instances(scene, 1, inner);
	scene_forget(scene);
	scene->workload.environment = (const char *const *)environment;
	assert_int_equal(scene_decide(scene), 0);
	scene->workload.environment = scene->environment;
	environment_free(environment);
}

static char *printed(const struct scene *scene)
{
	json_t *json = settings_to_json(scene->settings);
	char *text = json_dumps(json, 0);

	assert_non_null(text);
	json_decref(json);
	return text;
}

static void a_nested_fettle_plans_its_own_variables_anew(void **state)
{
	static const char *const users[][3] = {
		{ NULL },
		{ "GLIBC_TUNABLES=glibc.malloc.check=3", "LD_PRELOAD=/a.so" },
		{ "GLIBC_TUNABLES=glibc.malloc.trim_threshold=5", "LD_PRELOAD=/a.so /b.so" },
		{ "GLIBC_TUNABLES=glibc.malloc.mmap_threshold=7:glibc.malloc.trim_threshold=5" },
		{ "GLIBC_TUNABLES=glibc.malloc.top_pad=7", "OMP_NUM_THREADS=2" },
		{ "GLIBC_TUNABLES=glibc.malloc.top_pad=7:glibc.malloc.mmap_threshold=8", "MKL_NUM_THREADS=2" },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		cleanup_free char *direct = NULL, *nested = NULL;

		memcpy(scene->environment, users[i], sizeof(users[i]));
		scene_instances(scene, 1, PIN_THREADS);
		assert_int_equal(scene_decide(scene), 0);
		direct = printed(scene);
		decide_nested(scene, PIN_THREADS, PIN_THREADS);
		nested = printed(scene);
		assert_string_equal(nested, direct);
	}
}

static void what_an_outer_fettle_set_and_this_one_does_not_is_cleared(void **state)
{
	struct scene *scene = *state;

	scene->environment[0] = "LD_PRELOAD=/a.so";
	decide_nested(scene, PIN_THREADS, PIN_INSTANCE);
	assert_non_null(row_of(scene, "OMP_PLACES", 0));
	assert_null(row_of(scene, "OMP_PLACES", 0)->value);
	assert_null(row_of(scene, "OMP_PROC_BIND", 0)->value);
	assert_null(strstr(value_of(scene, "FETTLE_PLAN", 0), "OMP_PLACES"));
	assert_string_equal(value_of(scene, "LD_PRELOAD", 0), "/a.so");
	scene->environment[0] = NULL;
	decide_nested(scene, PIN_THREADS, PIN_INSTANCE);
	assert_non_null(row_of(scene, "LD_PRELOAD", 0));
	assert_null(row_of(scene, "LD_PRELOAD", 0)->value);
	/* A version it does not know is no plan: the variables are the user's. */
	scene_decide_in(scene, "FETTLE_PLAN=2;set=MKL_NUM_THREADS", "MKL_NUM_THREADS=9");
	assert_int_equal(row_of(scene, "MKL_NUM_THREADS", 0)->origin, ORIGIN_USER);
}

static void an_environment_keeps_what_is_not_touched(void **state)
{
	static const char *const base[] = { "Z=1",
					    "NEW",
					    "MKL_NUM_THREADS=1",
					    "A=\xff\n",
					    "=odd",
					    "OMP_NUM=x",
					    "HOME=/a",
					    "OMP_NUM_THREADS=7",
					    "HOME=/b",
					    "OMP_NUM_THREADS=8",
					    "Z=2",
					    "MKL_NUM_THREADS=3",
					    NULL };
	static const char *const expected[] = {
		"Z=1",       "NEW",     "MKL_NUM_THREADS=1", "A=\xff\n", "=odd",
		"OMP_NUM=x", "HOME=/c", "OMP_NUM_THREADS=4", "Z=2",      "MKL_NUM_THREADS=3"
	};
	struct scene *scene = *state;
	char **environment = NULL;
	size_t count = 0;

	memcpy(scene->environment, base, sizeof(base));
	scene->set[0] = "HOME=/c";
	scene->set[1] = "OMP_NUM_THREADS=4";
	scene->set[2] = "NEW=1";
	scene->workload.wishes.set_count = 3;
	assert_int_equal(scene_decide(scene), 0);
	assert_int_equal(settings_environment(scene->settings, 0, base, &environment, &scene->err), 0);
	for (; count < ARRAY_SIZE(expected); count++)
		assert_string_equal(environment[count], expected[count]);
	for (; environment[count]; count++)
		assert_null(strchr("ZAH=", environment[count][0]));
	environment_free(environment);
	environment_free(NULL);
}

/* The environment of instance 1 of two, unpinned, as one text. */
static char *unpinned(struct scene *scene, enum pin pin)
{
	struct text text = TEXT_INIT;
	char **environment = NULL;

	scene_instances(scene, 2, pin);
	assert_int_equal(scene_decide(scene), 0);
	assert_int_equal(
		settings_environment_unpinned(scene->settings, 1, scene->environment, &environment, &scene->err), 0);
	for (char **entry = environment; *entry; entry++)
		text_add(&text, "\n%s", *entry);
	environment_free(environment);
	return text_take(&text);
}

static void unpinned_only_what_fettle_pins_with_is_gone(void **state)
{
	struct scene *scene = *state;
	cleanup_free char *ours = NULL, *users = NULL, *options = NULL;

	scene->environment[0] = "OMP_PLACES_OF_MINE=1";
	ours = unpinned(scene, PIN_THREADS);
	assert_null(strstr(ours, "\nOMP_PLACES="));
	assert_null(strstr(ours, "\nOMP_PROC_BIND="));
	assert_non_null(strstr(ours, "\nOMP_PLACES_OF_MINE=1"));
	assert_non_null(strstr(ours, "\nOMP_NUM_THREADS=4"));
	assert_non_null(strstr(ours, ";set=OMP_NUM_THREADS,MKL_NUM_THREADS,"));
	scene->environment[1] = "OMP_PROC_BIND=true";
	users = unpinned(scene, PIN_THREADS);
	assert_null(strstr(users, "\nOMP_PLACES="));
	assert_non_null(strstr(users, "\nOMP_PROC_BIND=true"));
	scene->environment[1] = NULL;
	scene->set[0] = "OMP_PLACES=sockets";
	scene->workload.wishes.set_count = 1;
	options = unpinned(scene, PIN_THREADS);
	assert_non_null(strstr(options, "\nOMP_PLACES=sockets"));
}

static void unpinned_no_runtime_is_to_try_affinity(void **state)
{
	static const enum pin pins[] = { PIN_THREADS, PIN_INSTANCE };
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
		cleanup_free char *ours = unpinned(scene, pins[i]), *users = NULL, *taken_out = NULL;

		assert_non_null(strstr(ours, "\nKMP_AFFINITY=disabled"));
		assert_non_null(strstr(strstr(ours, ";set=OMP_NUM_THREADS,MKL_NUM_THREADS,"), ",KMP_AFFINITY\n"));
		scene->environment[0] = "KMP_AFFINITY=compact";
		users = unpinned(scene, pins[i]);
		assert_non_null(strstr(users, "\nKMP_AFFINITY=compact"));
		assert_null(strstr(users, "KMP_AFFINITY=disabled"));
		assert_null(strstr(users, ",KMP_AFFINITY"));
		scene->environment[0] = NULL;
		scene->unset[0] = "KMP_AFFINITY";
		scene->workload.wishes.unset_count = 1;
		taken_out = unpinned(scene, pins[i]);
		assert_null(strstr(taken_out, "KMP_AFFINITY"));
		scene->workload.wishes.unset_count = 0;
	}
}

static void settings_print_what_they_parse(void **state)
{
	struct scene *scene = *state;
	struct settings *parsed = NULL;
	json_t *first, *again;

	scene_instances(scene, 2, PIN_THREADS);
	scene->instances[0].memory_policy = MEMORY_PREFERRED;
	scene->set[0] = "NAME=value \"quoted\"";
	scene->workload.wishes.set_count = 1;
	scene->unset[0] = "GONE";
	scene->workload.wishes.unset_count = 1;
	scene_decide_in(scene, "MKL_NUM_THREADS=1", NULL);
	first = settings_to_json(scene->settings);
	assert_int_equal(settings_from_json(first, &parsed, &scene->err), 0);
	again = settings_to_json(parsed);
	assert_int_equal(json_equal(first, again), 1);
	assert_int_equal(parsed->count, scene->settings->count);
	for (size_t i = 0; i < parsed->count; i++)
		assert_ptr_equal(parsed->items[i].risk, scene->settings->items[i].risk);
	settings_free(parsed);
	json_decref(first);
	json_decref(again);
}

static void bytes_that_are_no_text_do_not_stop_printing(void **state)
{
	struct scene *scene = *state;
	json_t *json;

	scene_instances(scene, 1, PIN_THREADS);
	scene_decide_in(scene, "LD_PRELOAD=/caf\xe9.so", NULL);
	assert_seen(scene, 0, "LD_PRELOAD", SCENE_AGENT ":/caf\xe9.so");
	json = settings_to_json(scene->settings);
	assert_non_null(json);
	json_decref(json);
}

static void rows_that_are_wrong_are_refused_by_key(void **state)
{
	static const struct {
		const char *key, *json;
	} rows[] = {
		{ "family", "\"nonsense\"" },
		{ "family", "3" },
		{ "name", "\"\"" },
		{ "name", "\"A=B\"" },
		{ "name", "\"A\\u0000\"" },
		{ "value", "7" },
		{ "instance", "-1" },
		{ "instance", "\"0\"" },
		{ "origin", "\"moon\"" },
		{ "why", "null" },
		{ "changes_numbers", "true" },
		{ "environment", "1" },
	};
	struct scene *scene = *state;

	scene_decide_in(scene, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct settings *parsed = NULL;
		json_t *array = settings_to_json(scene->settings);
		json_t *bad = json_loads(rows[i].json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

		assert_non_null(bad);
		assert_int_equal(json_object_set_new(json_array_get(array, 1), rows[i].key, bad), 0);
		assert_int_equal(settings_from_json(array, &parsed, &scene->err), -EINVAL);
		assert_null(parsed);
		assert_non_null(strstr(scene->err.text, rows[i].key));
		assert_non_null(strstr(scene->err.text, "settings[1]"));
		json_decref(array);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(options_are_the_last_word),
		TEST(options_are_bent_around_as_the_environment_is),
		TEST(rows_of_a_profile_say_so),
		TEST(training_keeps_tokenizers_from_a_pool),
		TEST(wishes_that_make_no_sense_are_refused_by_name),
		TEST(a_family_left_out_is_left_out_of_the_plan_too),
		TEST(a_nested_fettle_plans_its_own_variables_anew),
		TEST(what_an_outer_fettle_set_and_this_one_does_not_is_cleared),
		TEST(an_environment_keeps_what_is_not_touched),
		TEST(unpinned_only_what_fettle_pins_with_is_gone),
		TEST(unpinned_no_runtime_is_to_try_affinity),
		TEST(settings_print_what_they_parse),
		TEST(bytes_that_are_no_text_do_not_stop_printing),
		TEST(rows_that_are_wrong_are_refused_by_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

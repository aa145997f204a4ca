/* SPDX-License-Identifier: Apache-2.0 */
/* LD_PRELOAD: several libraries of ours, the user's own, and those of an outer fettle. */
#include "settings_scene.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define RUNTIME "/opt/intel/libiomp5.so"
#define MKL     "/opt/fettle/libfettle-mkl.so"

static void each_library_of_ours_is_there_once_and_in_order(void **state)
{
	static const struct {
		const char *entry, *value;
	} rows[] = {
		{ NULL, SCENE_AGENT ":" RUNTIME },
		{ "LD_PRELOAD=/a.so", SCENE_AGENT ":" RUNTIME ":/a.so" },
		{ "LD_PRELOAD=" RUNTIME, SCENE_AGENT ":" RUNTIME },
		{ "LD_PRELOAD=" RUNTIME " /a.so:" SCENE_AGENT, SCENE_AGENT ":" RUNTIME ":/a.so" },
		{ "LD_PRELOAD=/b/libiomp5.so", SCENE_AGENT ":" RUNTIME ":/b/libiomp5.so" },
	};
	struct scene *scene = *state;

	scene_instances(scene, 1, PIN_THREADS);
	scene->workload.openmp_preload = RUNTIME;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene_decide_in(scene, rows[i].entry, NULL);
		assert_seen(scene, 0, "LD_PRELOAD", rows[i].value);
		assert_int_equal(rows_of(scene, "LD_PRELOAD"), 1);
	}
	assert_non_null(strstr(row_of(scene, "LD_PRELOAD", 0)->why, "fettle's agent gives"));
	assert_non_null(strstr(row_of(scene, "LD_PRELOAD", 0)->why, "; the OpenMP runtime"));
}

static void mkl_is_answered_where_torch_is_and_nobody_chose(void **state)
{
	static const struct {
		const char *framework, *entry, *without;
		bool exact, answered;
	} rows[] = {
		{ "torch", NULL, NULL, false, true },
		{ "torch", "MKL_NUM_THREADS=2", NULL, false, true },
		{ "jaxlib", NULL, NULL, false, false },
		{ "torch", NULL, NULL, true, false },
		{ "torch", NULL, "mkl", false, false },
		{ "torch", NULL, "preload", false, false },
		{ "torch", "MKL_CBWR=AVX2", NULL, false, false },
		{ "torch", "MKL_ENABLE_INSTRUCTIONS=AVX2", NULL, false, false },
	};
	struct scene *scene = *state;

	scene->workload.mkl_answer = MKL;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene->workload.framework = rows[i].framework;
		scene->workload.request.exact = rows[i].exact;
		scene->workload.wishes.without_count = rows[i].without != NULL;
		scene->without[0] = rows[i].without;
		scene_decide_in(scene, rows[i].entry, NULL);
		assert_seen(scene, 0, "LD_PRELOAD", rows[i].answered ? MKL : NULL);
		assert_string_equal(value_of(scene, "mkl-kernels", 0), rows[i].answered ? "avx512" : "(none)");
		if (rows[i].answered)
			assert_int_equal(row_of(scene, "mkl-kernels", 0)->changes_numbers, NUMBERS_ROUNDING);
	}
}

static void each_instance_gets_what_it_needs(void **state)
{
	struct scene *scene = *state;

	scene_instances(scene, 2, PIN_THREADS);
	scene->instances[1].pin = PIN_INSTANCE;
	scene->workload.openmp_preload = RUNTIME;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "LD_PRELOAD", SCENE_AGENT ":" RUNTIME);
	assert_seen(scene, 1, "LD_PRELOAD", RUNTIME);
}

static void a_family_left_out_takes_only_its_own_library_along(void **state)
{
	struct scene *scene = *state;

	scene_instances(scene, 1, PIN_THREADS);
	scene->workload.openmp_preload = RUNTIME;
	scene->workload.wishes.without_count = 1;
	scene->without[0] = "agent";
	scene_decide_in(scene, "LD_PRELOAD=/a.so", NULL);
	assert_seen(scene, 0, "LD_PRELOAD", RUNTIME ":/a.so");
	scene->without[0] = "preload";
	scene_decide_in(scene, "LD_PRELOAD=/a.so", NULL);
	assert_null(row_of(scene, "LD_PRELOAD", 0));
	assert_seen(scene, 0, "LD_PRELOAD", "/a.so");
}

/* Decide with a runtime to preload, then again without one, inside of what the first decision made. */
static void decide_inside(struct scene *scene, const char *users)
{
	char **environment = NULL;

	scene->environment[0] = users;
	scene->workload.openmp_preload = RUNTIME;
	assert_int_equal(scene_decide(scene), 0);
	assert_int_equal(settings_environment(scene->settings, 0, scene->environment, &environment, &scene->err), 0);
	scene->workload.openmp_preload = NULL;
	scene->workload.environment = (const char *const *)environment;
	assert_int_equal(scene_decide(scene), 0);
	scene->workload.environment = scene->environment;
	environment_free(environment);
}

static void a_nested_fettle_takes_out_what_the_outer_one_put_in(void **state)
{
	static const struct {
		const char *users;
		enum pin pin;
		const char *value; /* of the nested one; NULL: taken out altogether */
	} rows[] = {
		{ NULL, PIN_INSTANCE, NULL },
		{ "LD_PRELOAD=/a.so libiomp5.so.1", PIN_INSTANCE, "/a.so libiomp5.so.1" },
		{ "LD_PRELOAD=/a.so libiomp5.so.1", PIN_THREADS, SCENE_AGENT ":/a.so libiomp5.so.1" },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene_instances(scene, 1, rows[i].pin);
		decide_inside(scene, rows[i].users);
		assert_non_null(row_of(scene, "LD_PRELOAD", 0));
		if (rows[i].value)
			assert_string_equal(value_of(scene, "LD_PRELOAD", 0), rows[i].value);
		else
			assert_null(row_of(scene, "LD_PRELOAD", 0)->value);
	}
}

static void the_record_names_what_is_preloaded_besides_the_agent(void **state)
{
	struct scene *scene = *state;

	scene_instances(scene, 1, PIN_THREADS);
	scene->workload.openmp_preload = RUNTIME;
	scene_decide_in(scene, NULL, NULL);
	assert_non_null(strstr(value_of(scene, "FETTLE_PLAN", 0), ";pre=libiomp5.so;set="));
	scene->workload.openmp_preload = NULL;
	scene_decide_in(scene, NULL, NULL);
	assert_null(strstr(value_of(scene, "FETTLE_PLAN", 0), "pre="));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_library_of_ours_is_there_once_and_in_order),
		TEST(mkl_is_answered_where_torch_is_and_nobody_chose),
		TEST(each_instance_gets_what_it_needs),
		TEST(a_family_left_out_takes_only_its_own_library_along),
		TEST(a_nested_fettle_takes_out_what_the_outer_one_put_in),
		TEST(the_record_names_what_is_preloaded_besides_the_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

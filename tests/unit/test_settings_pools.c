/* SPDX-License-Identifier: Apache-2.0 */
/* Pools beside OpenMP's. */
#include "settings_scene.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <string.h>

static void every_pool_has_the_instances_threads(void **state)
{
	static const char *const names[] = { "MKL_NUM_THREADS",
					     "OPENBLAS_NUM_THREADS",
					     "RAYON_NUM_THREADS",
					     "NUMBA_NUM_THREADS",
					     "POLARS_MAX_THREADS",
					     "NUMEXPR_NUM_THREADS",
					     "TF_NUM_INTRAOP_THREADS",
					     "TF_NUM_INTEROP_THREADS",
					     "PJRT_NPROC",
					     "OPENCV_FOR_THREADS_NUM",
					     "GOMAXPROCS" };
	struct scene *scene = *state;

	scene_instances(scene, 2, PIN_THREADS);
	scene->instances[1].threads = 3;
	scene_decide_in(scene, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_seen(scene, 0, names[i], "4");
		assert_seen(scene, 1, names[i], "3");
	}
}

static void processes_that_the_program_starts_share_the_threads(void **state)
{
	static const struct {
		unsigned workers, asked;
		const char *expected;
	} cases[] = { { 1, 0, "4" }, { 2, 0, "2" }, { 3, 0, "1" }, { UINT_MAX, 0, "1" }, { 2, 4, "2" } };
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scene->workload.workers = cases[i].workers;
		scene->workload.request.threads = cases[i].asked;
		scene_decide_in(scene, NULL, NULL);
		assert_seen(scene, 0, "OMP_NUM_THREADS", cases[i].expected);
		assert_seen(scene, 0, "MKL_NUM_THREADS", cases[i].expected);
		assert_int_equal(!strstr(value_of(scene, "FETTLE_PLAN", 0), ";each="),
				 strcmp(cases[i].expected, "4") == 0);
		assert_int_equal(!strstr(row_of(scene, "OMP_NUM_THREADS", 0)->why, "each of the processes"),
				 cases[i].workers == 1);
	}
}

static void tokenizers_go_alone_only_with_one_thread(void **state)
{
	struct scene *scene = *state;

	scene_instances(scene, 2, PIN_THREADS);
	scene->instances[1].threads = 1;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "TOKENIZERS_PARALLELISM", NULL);
	assert_seen(scene, 1, "TOKENIZERS_PARALLELISM", "false");
	scene_decide_in(scene, "TOKENIZERS_PARALLELISM=true", NULL);
	assert_seen(scene, 1, "TOKENIZERS_PARALLELISM", "true");
}

static void an_older_name_keeps_ours_out(void **state)
{
	struct scene *scene = *state;

	scene_decide_in(scene, "GOTO_NUM_THREADS=2", "RAYON_RS_NUM_CPUS=3");
	assert_seen(scene, 0, "OPENBLAS_NUM_THREADS", NULL);
	assert_seen(scene, 0, "RAYON_NUM_THREADS", NULL);
	assert_int_equal(row_of(scene, "GOTO_NUM_THREADS", 0)->origin, ORIGIN_USER);
	assert_non_null(strstr(row_of(scene, "GOTO_NUM_THREADS", 0)->why, "fettle would have set 4"));
	assert_null(note(&scene->plan.warnings, "user-variable"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_pool_has_the_instances_threads),
		TEST(processes_that_the_program_starts_share_the_threads),
		TEST(tokenizers_go_alone_only_with_one_thread),
		TEST(an_older_name_keeps_ours_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

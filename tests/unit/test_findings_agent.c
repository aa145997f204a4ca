/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Of each finding that the agent's record makes: a record in which it and no other speaks, and beside it what must not
 * be taken for it. The program itself has ended where nothing of it was seen.
 */
#include "findings_scene.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/mempolicy.h>
#include <string.h>

enum { ROWS = 3, THREADS = 3 };

static struct findings_scene scene;
static struct observed_agent record;
static struct observed_agent_process rows[ROWS];
static struct observed_agent_thread threads[THREADS];

static void give(hwloc_bitmap_t *set, const char *list)
{
	struct err err = { 0 };

	hwloc_bitmap_free(*set);
	assert_int_equal(cpulist_parse(list, set, &err), 0);
}

static void name(struct words *words, const char *word)
{
	assert_int_equal(words_add(words, word), 0);
}

/* The scene's program as its agent saw it: three workers where the runtime bound them, all as planned. */
static int set_up(void **state)
{
	(void)state;
	scene_begin(&scene);
	for (unsigned i = 0; i < ROWS; i++) {
		rows[i] = (struct observed_agent_process){ .pid = (pid_t)(100 * (i + 1)),
							   .parent = i ? 100 : 1,
							   .parent_idx = i ? 0 : -1,
							   .forked = i > 0,
							   .state = AGENT_ENDED,
							   .policy_first = MPOL_BIND,
							   .policy_last = AGENT_NO_POLICY };
		give(&rows[i].first_os, i ? "0" : "0-3");
		give(&rows[i].given_os, "0-3");
		give(&rows[i].last_os, i ? "0-3" : "0");
	}
	for (unsigned i = 0; i < THREADS; i++) {
		const char list[] = { (char)('1' + i), '\0' };

		threads[i] = (struct observed_agent_thread){ .tid = (pid_t)(101 + i), .of_runtime = true };
		give(&threads[i].first_os, list);
		give(&threads[i].last_os, list);
	}
	rows[0].threads = threads;
	rows[0].thread_count = THREADS;
	rows[0].threads_started = THREADS;
	rows[0].bindings = 1;
	rows[0].malloc_owner = (char *)"/lib/libc.so.6";
	rows[0].gomp_owner = (char *)"/lib/libgomp.so.1";
	rows[0].runtimes[0] = (struct observed_agent_runtime){ (char *)"/lib/libgomp.so.1", THREADS };
	rows[0].runtime_count = 1;
	record = (struct observed_agent){ .processes = rows, .process_count = ROWS };
	scene.instances[0].agent = &record;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROWS; i++) {
		hwloc_bitmap_free(rows[i].first_os);
		hwloc_bitmap_free(rows[i].given_os);
		hwloc_bitmap_free(rows[i].last_os);
		hwloc_bitmap_free(rows[i].chosen_os);
		words_clear(&rows[i].changed);
		words_clear(&rows[i].changed_before);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		hwloc_bitmap_free(threads[i].first_os);
		hwloc_bitmap_free(threads[i].last_os);
	}
	scene.instances[0].agent = NULL;
	scene_end(&scene);
	return 0;
}

static void all_as_planned(void **state)
{
	(void)state;
	scene_expect_nothing(&scene);
	record.process_count = 0;
	scene_expect_nothing(&scene);
}

static void a_thread_that_ended_outside(void **state)
{
	(void)state;
	give(&threads[1].last_os, "0-15");
	threads[1].ended = true;
	scene_expect(&scene, "cpu-escaped", "1 of 3 threads could run outside the plan's CPUs 0-3");
	/* One of which only the beginning is known. */
	hwloc_bitmap_free(threads[1].last_os);
	threads[1].last_os = NULL;
	scene_expect_nothing(&scene);
	give(&threads[1].first_os, "7");
	scene_expect(&scene, "cpu-escaped", "1 of 3 threads");
	scene.instances[0].planned.pin = PIN_NONE;
	scene_expect_nothing(&scene);
}

static void variables(void **state)
{
	struct report *report = NULL;
	const struct finding *finding;

	(void)state;
	name(&rows[2].changed_before, "OMP_NUM_THREADS");
	finding = scene_judge(&scene, "setting-changed", &report);
	assert_non_null(finding);
	assert_int_equal(finding->severity, SEVERITY_NOTE);
	report_free(report);
	name(&rows[0].changed, "OMP_NUM_THREADS");
	name(&rows[0].changed, "OMP_PLACES");
	scene_expect(&scene, "setting-changed", "changed OMP_NUM_THREADS, OMP_PLACES");
	finding = scene_judge(&scene, "setting-changed", &report);
	assert_int_equal(finding->severity, SEVERITY_WARNING);
	assert_int_equal(finding->evidence.count, 3);
	report_free(report);
	/* Of a program that fettle did not plan nobody knows the values. */
	scene.instances[0].planned.known = false;
	scene_expect_nothing(&scene);
}

static void a_mask_of_the_programs_own(void **state)
{
	(void)state;
	rows[0].choices = 1;
	rows[0].chooser = (char *)"/usr/bin/prog";
	/* A pool binds its own workers within the plan. */
	give(&rows[0].chosen_os, "2");
	scene_expect_nothing(&scene);
	/* All that there are, and that the plan has: no change. */
	give(&rows[0].chosen_os, "0-15");
	give(&scene.observation.online_os, "0-3");
	scene_expect_nothing(&scene);
	/* Now and then, and back again. */
	give(&scene.observation.online_os, "0-15");
	scene_expect_nothing(&scene);
	give(&rows[0].last_os, "0-15");
	scene_expect(&scene, "setting-changed", "changed its CPUs (the plan has 0-3)");
	/* Within the plan. */
	give(&rows[0].chosen_os, "2");
	give(&rows[0].last_os, "2");
	scene_expect(&scene, "setting-changed", "its CPUs");
	/* A worker that binds itself within the plan means it. */
	rows[0].choices = 0;
	hwloc_bitmap_free(rows[0].chosen_os);
	rows[0].chosen_os = NULL;
	rows[1].choices = 1;
	give(&rows[1].chosen_os, "1");
	give(&rows[1].last_os, "1");
	scene_expect_nothing(&scene);
}

static void children_with_one_cpu(void **state)
{
	(void)state;
	give(&rows[1].given_os, "0");
	give(&rows[1].last_os, "0");
	scene_expect(&scene, "children-pinned", "1 child process inherited CPU 0");
	/* Its own choice, or its parent's. */
	rows[1].choices = 1;
	scene_expect_nothing(&scene);
	rows[1].choices = 0;
	rows[0].choices = 1;
	scene_expect_nothing(&scene);
	rows[0].choices = 0;
	/* It was widened later, or nobody bound its parent. */
	give(&rows[1].last_os, "0-3");
	scene_expect_nothing(&scene);
	give(&rows[1].last_os, "0");
	rows[0].bindings = 0;
	scene_expect_nothing(&scene);
	rows[0].bindings = 1;
	rows[1].forked = false;
	scene_expect_nothing(&scene);
}

static void who_answers(void **state)
{
	(void)state;
	name(&scene.instances[0].planned.preloads, "libjemalloc.so.2");
	name(&scene.instances[0].planned.preloads, "libiomp5.so");
	rows[0].preloads = 3;
	rows[0].malloc_owner = (char *)"/usr/lib/libjemalloc.so.2";
	rows[0].runtimes[0].path = (char *)"/opt/lib/libiomp5.so";
	scene_expect_nothing(&scene);
	rows[0].preloads = 2;
	scene_expect(&scene, "preload-missing", "libjemalloc.so.2");
	rows[0].preloads = 3;
	rows[0].malloc_owner = (char *)"/usr/bin/prog";
	scene_expect(&scene, "allocator-not-in-charge",
		     "libjemalloc.so.2 is preloaded, but malloc is that of /usr/bin/prog");
	rows[0].malloc_owner = (char *)"/usr/lib/libjemalloc.so.2";
	rows[0].runtimes[0].path = (char *)"/wheel/libgomp-a34b.so.1";
	scene_expect(&scene, "openmp-not-in-charge", "/wheel/libgomp-a34b.so.1 runs the teams");
	/* No team yet: who would run it is not said by the threads. */
	rows[0].runtimes[0].threads = 0;
	scene_expect_nothing(&scene);
	rows[0].malloc_owner = NULL;
	scene_expect_nothing(&scene);
}

static void flushing(void **state)
{
	cleanup_report struct report *report = NULL;
	const struct finding *met;

	(void)state;
	rows[0].not_flushing = 2;
	scene_expect_nothing(&scene);
	scene.instances[0].planned.flush = true;
	scene_expect(&scene, "flush-incomplete", "2 threads did not flush");
	rows[0].not_flushing = 0;
	/* Any call of LAPACK meets one. */
	rows[1].met_denormals = 1;
	scene_expect_nothing(&scene);
	rows[0].met_denormals = 1;
	scene_expect(&scene, "denormals-met", "2 threads have met denormal numbers");
	rows[0].threads_left = 3;
	met = scene_judge(&scene, "denormals-met", &report);
	assert_non_null(met);
	assert_non_null(
		strstr(met->evidence.items[met->evidence.count - 1], "3 threads more were still there at the end"));
}

static void a_memory_policy(void **state)
{
	(void)state;
	rows[0].policy_first = AGENT_NO_POLICY;
	scene_expect_nothing(&scene);
	rows[0].policy_first = MPOL_DEFAULT;
	scene_expect(&scene, "memory-policy-refused", "bind:0");
	scene.instances[0].planned.memory_policy = MEMORY_LOCAL;
	scene_expect_nothing(&scene);
}

static void teams_that_the_program_made_smaller(void **state)
{
	(void)state;
	scene.instances[0].planned.threads = THREADS + 1;
	rows[0].team_last = THREADS + 1;
	scene_expect_nothing(&scene);
	/* It had one as large as planned before. */
	rows[0].team_last = 1;
	scene_expect_nothing(&scene);
	rows[0].runtimes[0].threads = 1;
	scene_expect(&scene, "threads-fewer", "lowered its teams to 1 thread where 4 were planned");
	rows[0].runtime_count = 0;
	scene_expect(&scene, "threads-fewer", "lowered its teams to 1 thread");
	rows[0].state = AGENT_BECAME; /* of it the last is not known */
	scene_expect_nothing(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_as_planned, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_thread_that_ended_outside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(variables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_mask_of_the_programs_own, set_up, tear_down),
		cmocka_unit_test_setup_teardown(children_with_one_cpu, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flushing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_memory_policy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(teams_that_the_program_made_smaller, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

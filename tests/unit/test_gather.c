/* SPDX-License-Identifier: Apache-2.0 */
/* One look after the other at a program: what is told of in the end. */
#include "findings_scene.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "launch/launch.h"
#include "report/gather.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static struct findings_scene scene;
static struct gathered gathered;

static int set_up(void **state)
{
	(void)state;
	scene_begin(&scene);
	scene.instances[0].planned.index = 5; /* the plan's, not its place here */
	gathered = (struct gathered){ .instances = NULL };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gathered_clear(&gathered);
	scene_end(&scene);
	return 0;
}

static void look(unsigned times)
{
	const struct report_input input = { .machine = scene.machine, .observation = &scene.observation };

	for (unsigned i = 0; i < times; i++) {
		cleanup_report struct report *report = NULL;
		struct err err = { 0 };

		assert_int_equal(report_make(&input, &report, &err), 0);
		assert_int_equal(gathered_add(&gathered, report, &input, &err), 0);
	}
}

static void finish(void)
{
	struct err err = { 0 };

	assert_int_equal(gathered_finish(&gathered, &err), 0);
}

static const struct finding *finding(const char *id)
{
	for (size_t i = 0; i < gathered.report.finding_count; i++) {
		if (strcmp(gathered.report.findings[i].id, id) == 0)
			return &gathered.report.findings[i];
	}
	return NULL;
}

static const struct check *check(const char *name)
{
	for (size_t i = 0; i < gathered.report.check_count; i++) {
		if (strcmp(gathered.report.checks[i].name, name) == 0)
			return &gathered.report.checks[i];
	}
	fail_msg("no check '%s'", name);
	return NULL;
}

static void healthy_looks_come_to_one_set_of_checks(void **state)
{
	(void)state;
	look(3);
	finish();
	assert_int_equal(gathered.report.finding_count, 0);
	for (size_t i = 0; i < gathered.report.check_count; i++) {
		assert_int_equal(gathered.report.checks[i].instance, 5);
		assert_int_equal(gathered.report.checks[i].looks, 3);
		if (strcmp(gathered.report.checks[i].name, "memory") != 0) /* the scene knows no pages */
			assert_int_equal(gathered.report.checks[i].verdict, VERDICT_MET);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(gathered.report.checks[k].name, gathered.report.checks[i].name);
	}
	assert_int_equal(gathered_looks(&gathered, 5), 3);
	assert_int_equal(gathered_looks(&gathered, 0), 0);
}

static void what_happened_once_has_happened(void **state)
{
	(void)state;
	look(10);
	scene_set_thread(&scene, 0, 4, "0-15", 12, 10, 0);
	look(1);
	scene_set_thread(&scene, 0, 4, "0-3", 1, 10, 0);
	look(10);
	finish();
	assert_non_null(finding("cpu-escaped"));
	assert_int_equal(finding("cpu-escaped")->instance, 5);
	assert_int_equal(check("cpu-binding")->verdict, VERDICT_DIFFERS);
}

static void what_comes_and_goes_is_told_of_when_it_is_often_seen(void **state)
{
	(void)state;
	look(9);
	scene_set_thread(&scene, 0, 4, "0-3", 1, 500, 500); /* a fifth thread at work */
	look(2);
	finish();
	assert_null(finding("threads-more"));
	assert_int_equal(check("threads")->verdict, VERDICT_MET);
	gathered_clear(&gathered);

	look(4);
	scene_set_thread(&scene, 0, 4, "0-3", 1, 2, 0);
	look(6);
	finish();
	assert_non_null(finding("threads-more"));
	assert_int_equal(check("threads")->verdict, VERDICT_DIFFERS);
	assert_string_equal(finding("threads-more")->evidence.items[finding("threads-more")->evidence.count - 1],
			    "seen in 4 of 10 looks");
}

static void of_libraries_the_last_look_counts(void **state)
{
	(void)state;
	scene_variable(&scene, (char *)"LD_PRELOAD=/lib/libx.so");
	scene.processes[0].preload_count = 1;
	scene.preloads[0] = (struct observed_preload){ .name = (char *)"/lib/libx.so", .object_idx = -1 };
	look(1);
	assert_non_null(finding("preload-missing"));
	/* One that cannot read the libraries takes nothing back. */
	scene.processes[0].objects_known = false;
	look(1);
	assert_non_null(finding("preload-missing"));
	scene.processes[0].objects_known = true;
	scene_object(&scene, 3, (char *)"/lib/libx.so", false, false, false);
	scene.preloads[0].object_idx = 3;
	look(1);
	finish();
	assert_null(finding("preload-missing"));
	assert_int_equal(check("preload")->verdict, VERDICT_MET);
}

static void what_was_met_once_was_met_though_a_later_look_cannot_tell(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		scene_set_thread(&scene, 0, i, "0-3", i, 5, 0); /* nobody computes yet */
	look(1);
	assert_int_equal(check("threads")->verdict, VERDICT_UNKNOWN);
	for (unsigned i = 0; i < 4; i++)
		scene_set_thread(&scene, 0, i, "0-3", i, 950, 0);
	look(1);
	for (unsigned i = 0; i < 4; i++)
		scene_set_thread(&scene, 0, i, "0-3", i, 5, 0);
	look(1);
	finish();
	assert_int_equal(check("threads")->verdict, VERDICT_MET);
	assert_string_equal(check("threads")->seen, "4");
}

static void close_it(const struct observed_process *main, const struct launch_grant *grant,
		     struct observed_agent *agent, const char *why)
{
	const struct observed_instance instance = { .planned = scene.instances[0].planned,
						    .grant = grant,
						    .agent = agent };
	const struct ended ended = { .machine = scene.machine, .instance = &instance, .main = main, .why = why };
	struct err err = { 0 };

	assert_int_equal(gathered_close(&gathered, &ended, &err), 0);
	finish();
}

static void an_instance_that_nobody_saw_says_why_it_is_unknown(void **state)
{
	struct launch_grant grant = { .affinity_unmet = true, .affinity_error = -EPERM };

	(void)state;
	close_it(NULL, NULL, NULL, "it ended at once");
	assert_int_equal(gathered.report.check_count, 4);
	for (size_t i = 0; i < gathered.report.check_count; i++) {
		assert_int_equal(gathered.report.checks[i].verdict, VERDICT_UNKNOWN);
		assert_string_equal(gathered.report.checks[i].evidence.items[0], "it ended at once");
		assert_null(gathered.report.checks[i].seen);
	}
	assert_string_equal(check("cpu-binding")->asked, "0-3");
	gathered_clear(&gathered);

	/* What the kernel refused at the start is known all the same. */
	close_it(NULL, &grant, NULL, "it ended at once");
	assert_int_equal(check("cpu-binding")->verdict, VERDICT_DIFFERS);
	assert_non_null(strstr(check("cpu-binding")->evidence.items[0], "Operation not permitted"));
}

/* What the agent of a team of four wrote, of a program that nobody looked at. */
static void one_that_nobody_saw_is_judged_by_what_its_agent_wrote(void **state)
{
	hwloc_const_bitmap_t mask = scene.instances[0].planned.mask_os;
	struct observed_agent_thread threads[3] = { { .tid = 101, .of_runtime = true, .ended = true } };
	struct observed_agent_process process = { .pid = 100,
						  .parent_idx = -1,
						  .state = AGENT_ENDED,
						  .malloc_owner = (char *)"/lib/libc.so.6",
						  .gomp_owner = (char *)"/lib/libgomp.so.1",
						  .runtimes = { { (char *)"/lib/libgomp.so.1", 3 } },
						  .runtime_count = 1,
						  .threads_started = 3,
						  .threads = threads,
						  .thread_count = 3,
						  .policy_first = AGENT_NO_POLICY,
						  .policy_last = AGENT_NO_POLICY };
	struct observed_agent agent = { .processes = &process, .process_count = 1, .variables = 5 };

	(void)state;
	process.given_os = hwloc_bitmap_dup(mask);
	threads[0].first_os = hwloc_bitmap_dup(mask);
	close_it(NULL, NULL, &agent, "it ended at once");
	assert_int_equal(gathered.report.finding_count, 0);
	assert_int_equal(check("cpu-binding")->verdict, VERDICT_MET);
	assert_string_equal(check("cpu-binding")->seen, "0-3");
	assert_int_equal(check("threads")->verdict, VERDICT_MET);
	assert_string_equal(check("threads")->seen, "4");
	assert_string_equal(check("allocator")->seen, "/lib/libc.so.6");
	assert_string_equal(check("openmp")->seen, "/lib/libgomp.so.1");
	assert_int_equal(check("environment")->verdict, VERDICT_MET);
	assert_int_equal(check("memory")->verdict, VERDICT_UNKNOWN); /* this kernel did not tell */
	assert_string_equal(check("memory")->evidence.items[0], "it ended at once");
	gathered_clear(&gathered);

	/* A team of another size is no proof: it may have grown twice. */
	process.runtimes[0].threads = 5;
	hwloc_bitmap_set(threads[0].first_os, 9);
	close_it(NULL, NULL, &agent, "it ended at once");
	assert_int_equal(check("threads")->verdict, VERDICT_UNKNOWN);
	assert_string_equal(check("threads")->seen, "6");
	assert_int_equal(check("cpu-binding")->verdict, VERDICT_DIFFERS);
	hwloc_bitmap_free(process.given_os);
	hwloc_bitmap_free(threads[0].first_os);
}

static void what_was_seen_stays_when_it_is_over(void **state)
{
	(void)state;
	look(2);
	scene.processes[0].gone = true;
	close_it(&scene.processes[0], NULL, NULL, NULL);
	assert_int_equal(check("cpu-binding")->verdict, VERDICT_MET);
	assert_int_equal(check("threads")->verdict, VERDICT_MET);
	assert_int_equal(check("openmp")->verdict, VERDICT_MET);
}

static void an_instance_that_has_ended_is_not_judged_again(void **state)
{
	(void)state;
	look(1);
	scene.instances[0].ended = true;
	scene_set_thread(&scene, 0, 4, "0-15", 12, 10, 0);
	look(1);
	finish();
	assert_null(finding("cpu-escaped"));
	assert_int_equal(gathered_looks(&gathered, 5), 1);
	assert_int_equal(check("cpu-binding")->verdict, VERDICT_MET);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(healthy_looks_come_to_one_set_of_checks),
		TEST(what_happened_once_has_happened),
		TEST(what_comes_and_goes_is_told_of_when_it_is_often_seen),
		TEST(of_libraries_the_last_look_counts),
		TEST(what_was_met_once_was_met_though_a_later_look_cannot_tell),
		TEST(an_instance_that_nobody_saw_says_why_it_is_unknown),
		TEST(one_that_nobody_saw_is_judged_by_what_its_agent_wrote),
		TEST(what_was_seen_stays_when_it_is_over),
		TEST(an_instance_that_has_ended_is_not_judged_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

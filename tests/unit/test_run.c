/* SPDX-License-Identifier: Apache-2.0 */
/* A run summed up, and what a quota took from it. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "machine/throttle.h"
#include "observe/observed_agent.h"
#include "report/findings.h"
#include "report/run.h"
#include "root_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

static const struct run_instance two[] = {
	{ .index = 0,
	  .pid = 10,
	  .exit_code = 0,
	  .cpus = 2,
	  .wall_ns = 2000000000,
	  .cpu_ns = 3000000000,
	  .max_rss_bytes = 100,
	  .throttled_periods = 3,
	  .throttled_ns = 500000000,
	  .collected = true,
	  .number = 10 },
	{ .index = 1,
	  .pid = 11,
	  .exit_code = -1,
	  .signal = 9,
	  .cpus = 2,
	  .wall_ns = 1000000000,
	  .cpu_ns = 1000000000,
	  .max_rss_bytes = 50,
	  .restarts = 2,
	  .collected = true,
	  .number = -4 },
	{ .index = 2, .exit_code = -1, .cpus = 4 },
};

static bool about(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

static void sums_are_of_all_and_means_of_those_that_told(void **state)
{
	const struct run run = { .instances = two, .count = 3, .wall_ns = 2000000000 };
	struct run_sum sum;

	(void)state;
	run_sum(&run, &sum);
	assert_int_equal(sum.cpus, 8);
	assert_int_equal(sum.cpu_ns, 4000000000);
	assert_int_equal(sum.max_rss_bytes, 150);
	assert_int_equal(sum.restarts, 2);
	assert_int_equal(sum.numbers, 2);
	assert_true(about(sum.sum, 6) && about(sum.mean, 3) && about(sum.least, -4) && about(sum.most, 10));
	assert_true(about(run_share(two[0].cpu_ns, 2, two[0].wall_ns), 0.75));
	assert_true(run_share(1, 2, 0) < 0);
}

static json_t *at(json_t *object, const char *list, size_t index, const char *key)
{
	return json_object_get(json_array_get(json_object_get(object, list), index), key);
}

static void the_report_says_null_where_nothing_is_known(void **state)
{
	struct run run = { .instances = two, .count = 3, .wall_ns = 2000000000, .collect = "x=(.*)", .exit_code = 137 };
	json_t *report = run_to_json(&run, json_object());

	(void)state;
	assert_string_equal(json_string_value(json_object_get(report, "schema")), "fettle.report/1");
	assert_int_equal(json_integer_value(at(report, "instances", 0, "exit_code")), 0);
	assert_true(json_is_null(at(report, "instances", 0, "signal")));
	assert_true(json_is_null(at(report, "instances", 1, "exit_code")));
	assert_int_equal(json_integer_value(at(report, "instances", 1, "signal")), 9);
	assert_true(json_is_null(at(report, "instances", 2, "pid")));
	assert_true(json_is_null(at(report, "instances", 2, "wall_s")));
	assert_true(json_is_null(at(report, "instances", 2, "collected")));
	assert_true(json_is_null(at(report, "instances", 0, "throttled_s")));
	assert_int_equal(json_array_size(json_object_get(report, "unknown")), 2);
	assert_int_equal(json_array_size(json_object_get(report, "findings")), 0);
	json_decref(report);
	run.throttle_known = true;
	report = run_to_json(&run, json_object());
	assert_true(about(json_real_value(at(report, "instances", 0, "throttled_s")), 0.5));
	assert_int_equal(json_array_size(json_object_get(report, "unknown")), 0);
	json_decref(report);
}

static void flags_that_nobody_read_are_unknown_and_say_why(void **state)
{
	struct observed_agent_process processes[] = {
		{ .pid = 7, .state = AGENT_ENDED, .threads_started = 3, .threads_ended = 1, .threads_left = 2 },
		{ .pid = 8, .state = AGENT_RUNS },
		{ .pid = 9, .state = AGENT_ENDED, .threads_started = 2, .threads_ended = 2 },
		{ .pid = 10, .state = AGENT_BECAME },
	};
	struct observed_agent agent = { .processes = processes, .process_count = ARRAY_SIZE(processes) };
	struct run_instance instance = two[0];
	const struct run run = { .instances = &instance, .count = 1, .throttle_known = true };
	json_t *report;

	(void)state;
	instance.agent = &agent;
	report = run_to_json(&run, json_object());
	assert_int_equal(json_array_size(json_object_get(report, "unknown")), 2);
	assert_string_equal(json_string_value(at(report, "unknown", 0, "path")), "agent, process 7");
	assert_non_null(strstr(json_string_value(at(report, "unknown", 0, "what")), "of 2 threads"));
	assert_non_null(
		strstr(json_string_value(at(report, "unknown", 0, "why")), "still there when the process ended"));
	assert_string_equal(json_string_value(at(report, "unknown", 1, "path")), "agent, process 8");
	assert_non_null(strstr(json_string_value(at(report, "unknown", 1, "what")), "of 1 thread"));
	json_decref(report);
}

static void a_run_that_was_throttled_has_the_finding_with_its_evidence(void **state)
{
	struct report judged = { .findings = NULL };
	const struct run run = { .instances = two,
				 .count = 1,
				 .throttle_known = true,
				 .throttled_periods = 7,
				 .throttled_ns = 1500000000,
				 .throttle_path = "/c/cpu.stat",
				 .judged = &judged };
	struct err err = { 0 };
	json_t *report, *evidence;

	(void)state;
	assert_int_equal(run_add_throttled(&run, &judged, &err), 0);
	/* Once is enough, whoever found it. */
	assert_int_equal(run_add_throttled(&run, &judged, &err), 0);
	report = run_to_json(&run, json_object());
	evidence = at(report, "findings", 0, "evidence");
	assert_int_equal(json_array_size(json_object_get(report, "findings")), 1);
	assert_true(json_is_null(at(report, "findings", 0, "instance")));
	assert_string_equal(json_string_value(at(report, "findings", 0, "id")), "quota-throttled");
	assert_string_equal(json_string_value(json_array_get(evidence, 0)), "/c/cpu.stat: nr_throttled +7");
	json_decref(report);
	report_clear(&judged);
}

/* A root of one hierarchy with the group "/a/b", of version 1 or 2. */
static void put_root(const char *dir, bool unified)
{
	root_put(dir, "proc/self/cgroup", unified ? "0::/a/b\n" : "2:cpu,cpuacct:/a/b\n");
	root_put(dir, "proc/self/mountinfo",
		 unified ? "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
			 : "30 1 0:26 / /sys/fs/cgroup rw - cgroup cgroup rw,cpu,cpuacct\n");
}

static void put_stat(const char *dir, const char *group, bool unified, unsigned periods, unsigned long long ns)
{
	char path[64], text[256];

	(void)snprintf(path, sizeof(path), "sys/fs/cgroup%s/cpu.stat", group);
	(void)snprintf(text, sizeof(text), "usage_usec 5\nnr_periods 100\nnr_throttled %u\n%s %llu\n", periods,
		       unified ? "throttled_usec" : "throttled_time", unified ? ns / 1000 : ns);
	root_put(dir, path, text);
}

static void the_group_that_held_most_is_told(void **state)
{
	(void)state;
	for (unsigned unified = 0; unified < 2; unified++) {
		char *dir = root_make();
		cleanup_sysroot struct sysroot root = SYSROOT_INIT;
		struct throttle_counts before = { 0 }, after;
		struct throttle throttle;
		struct err err = { 0 };
		uint64_t periods, ns;
		const char *path;

		put_root(dir, unified);
		put_stat(dir, "/a/b", unified, 50, 9000000000);
		put_stat(dir, "/a", unified, 10, 1000000000);
		assert_int_equal(sysroot_open(&root, dir, &err), 0);
		assert_int_equal(throttle_open(&root, &throttle), 0);
		assert_int_equal(throttle.count, 2);
		throttle_read(&throttle, &before);
		put_stat(dir, "/a/b", unified, 51, 9000001000);
		put_stat(dir, "/a", unified, 14, 1500000000);
		after = before;
		throttle_read(&throttle, &after);
		assert_true(throttle_between(&throttle, &before, &after, &periods, &ns, &path));
		assert_int_equal(periods, 4);
		assert_int_equal(ns, 500000000);
		assert_string_equal(path, "/sys/fs/cgroup/a/cpu.stat");
		throttle_close(&throttle);
		root_remove(dir);
	}
}

static void where_nobody_counts_nothing_is_known(void **state)
{
	char *dir = root_make();
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	struct throttle_counts counts = { 0 };
	struct throttle throttle;
	struct err err = { 0 };
	uint64_t periods, ns;
	const char *path;

	(void)state;
	assert_int_equal(sysroot_open(&root, dir, &err), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(throttle_open(&root, &throttle), 0);
		assert_false(throttle_between(&throttle, &counts, &counts, &periods, &ns, &path));
		throttle_close(&throttle);
		put_root(dir, true); /* the second time there are groups, and no cpu.stat that counts */
		root_put(dir, "sys/fs/cgroup/a/b/cpu.stat", "usage_usec 5\n");
	}
	root_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_are_of_all_and_means_of_those_that_told),
		cmocka_unit_test(the_report_says_null_where_nothing_is_known),
		cmocka_unit_test(flags_that_nobody_read_are_unknown_and_say_why),
		cmocka_unit_test(a_run_that_was_throttled_has_the_finding_with_its_evidence),
		cmocka_unit_test(the_group_that_held_most_is_told),
		cmocka_unit_test(where_nobody_counts_nothing_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

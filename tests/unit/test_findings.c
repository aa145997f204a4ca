/* SPDX-License-Identifier: Apache-2.0 */
/* Of each finding: one scene in which it and no other speaks, and beside it what must not be taken for it. */
#include "findings_scene.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define MIB (1ULL << 20)

static struct findings_scene scene;

static int set_up(void **state)
{
	(void)state;
	scene_begin(&scene);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scene_end(&scene);
	return 0;
}

static void put(struct fact *fact, uint64_t value, const char *source)
{
	assert_int_equal(fact_set(fact, FACT_KNOWN, value, source, NULL), 0);
}

static void give(hwloc_bitmap_t *set, const char *list)
{
	struct err err = { 0 };

	hwloc_bitmap_free(*set);
	assert_int_equal(cpulist_parse(list, set, &err), 0);
}

static void healthy_has_no_finding_and_its_checks_are_met(void **state)
{
	cleanup_report struct report *report = NULL;

	(void)state;
	scene.processes[0].pages_known = true;
	scene.pages[0] = (struct observed_pages){ .node_os = 0, .anonymous_bytes = 100 * MIB };
	scene.processes[0].page_count = 1;
	scene_expect_nothing(&scene);
	assert_null(scene_judge(&scene, "", &report));
	assert_int_equal(report->check_count, 6);
	for (size_t i = 0; i < report->check_count; i++)
		assert_int_equal(report->checks[i].verdict, VERDICT_MET);
	assert_string_equal(report->checks[0].name, "cpu-binding");
	assert_string_equal(report->checks[0].asked, "0-3");
	assert_string_equal(report->checks[0].granted, "0-3");
	assert_string_equal(report->checks[0].seen, "0-3");
}

static void a_thread_outside_its_mask(void **state)
{
	cleanup_report struct report *report = NULL;

	(void)state;
	scene_set_thread(&scene, 0, 4, "0-15", 12, 10, 0);
	scene_expect(&scene, "cpu-escaped", "1 of 5 threads may run outside the plan's CPUs 0-3");
	(void)scene_judge(&scene, "cpu-escaped", &report);
	assert_int_equal(report->checks[0].verdict, VERDICT_DIFFERS);
	/* A program that fettle did not bind may go where it likes. */
	scene.instances[0].planned.pin = PIN_NONE;
	scene_expect_nothing(&scene);
	scene.instances[0].planned.pin = PIN_INSTANCE;
	scene.instances[0].planned.known = false;
	scene_expect_nothing(&scene);
}

static void two_pinned_threads_on_one_cpu(void **state)
{
	(void)state;
	scene_set_thread(&scene, 0, 3, "2", 2, 480, 480);
	scene_set_thread(&scene, 0, 2, "2", 2, 480, 480);
	scene.cpus[3].busy[1] = 0;
	scene.cpus[3].idle[1] = 100;
	scene_expect(&scene, "cpu-shared", "pinned to CPU 2");
	/* One of them idles. */
	scene_set_thread(&scene, 0, 2, "2", 2, 960, 10);
	scene_set_thread(&scene, 0, 3, "2", 2, 5, 0);
	scene_expect_nothing(&scene);
}

static void threads_with_one_cpu_for_all_of_them(void **state)
{
	(void)state;
	give(&scene.instances[0].planned.pus_os, "2");
	give(&scene.instances[0].planned.mask_os, "2");
	for (unsigned i = 0; i < 4; i++)
		scene_set_thread(&scene, 0, i, "2", 2, i < 2 ? 490 : 0, i < 2 ? 100 : 0);
	scene.instances[0].planned.threads = 2;
	scene_expect_nothing(&scene);
}

static void two_plans_over_one_cpu(void **state)
{
	(void)state;
	scene.observation.instance_count = 2;
	scene.observation.process_count = 2;
	scene.processes[1].instance_idx = 1;
	scene.processes[1].parent = 1;
	scene_set_thread(&scene, 1, 0, "3-6", 5, 900, 0);
	scene.instances[1] = (struct observed_instance){ .root_idx = 1, .main_idx = 1 };
	scene.instances[1].planned = (struct planned){ .known = true, .count = 1, .pin = PIN_INSTANCE, .threads = 1 };
	give(&scene.instances[1].planned.pus_os, "3-6");
	give(&scene.instances[1].planned.mask_os, "3-6");
	give(&scene.instances[1].planned.nodes_os, "");
	scene_expect(&scene, "cpu-shared", "CPUs 3 are planned for two");
	give(&scene.instances[1].planned.pus_os, "4-6");
	scene_expect_nothing(&scene);
}

static void two_threads_on_one_core_while_another_is_free(void **state)
{
	(void)state;
	give(&scene.instances[0].planned.mask_os, "0-3,8");
	scene_set_thread(&scene, 0, 3, "8", 8, 990, 0); /* the sibling of CPU 0 */
	scene.cpus[3].busy[1] = 0;
	scene.cpus[3].idle[1] = 100;
	scene_expect(&scene, "smt-shared", "core of CPU 0 while that of CPU 3 is free");
	scene.cpus[3].busy[1] = 100; /* somebody else's core, then */
	scene.cpus[3].idle[1] = 0;
	scene_expect_nothing(&scene);
}

static void threads_on_efficiency_cores(void **state)
{
	struct machine_kind *kinds = scene.machine->kinds;
	struct machine_kind two[2] = { { .small = true }, { .efficiency = 1 } };

	(void)state;
	give(&two[0].pus_os, "4-7,12-15");
	give(&two[1].pus_os, "0-3,8-11");
	scene.machine->kinds = two;
	scene.machine->kind_count = 2;
	scene_expect_nothing(&scene);
	scene.instances[0].planned.known = false;
	scene_set_thread(&scene, 0, 3, "4", 4, 900, 0);
	scene_expect(&scene, "efficiency-core", "1 threads compute on efficiency cores");
	hwloc_bitmap_free(two[0].pus_os);
	hwloc_bitmap_free(two[1].pus_os);
	scene.machine->kinds = kinds;
	scene.machine->kind_count = 1;
}

static void cpus_that_are_gone(void **state)
{
	(void)state;
	give(&scene.observation.online_os, "0-2,4-15");
	scene_expect(&scene, "cpu-offline", "3 offline");
	give(&scene.observation.online_os, "0-15");
	give(&scene.instances[0].cgroup.cpuset_os, "0-1,4-7");
	scene_expect(&scene, "cpu-offline", "2-3 not in its cpuset");
	give(&scene.instances[0].cgroup.cpuset_os, "0-7");
	scene_expect_nothing(&scene);
}

static void assert_remedy(const char *id, const char *part)
{
	struct report *report = NULL;
	const struct finding *finding = scene_judge(&scene, id, &report);

	assert_non_null(finding);
	assert_non_null(strstr(finding->remedy, part));
	report_free(report);
}

/* What the plan gives one of them is too much for all. */
static void more_processes_than_were_planned_for(void **state)
{
	(void)state;
	scene.observation.process_count = 2;
	scene.processes[1].thread_count = 0;
	for (unsigned process = 0; process < 2; process++) {
		for (unsigned i = 0; i < 4; i++)
			scene_set_thread(&scene, process, i, "0-3", i % 4, 490, 500);
	}
	scene_expect(&scene, "oversubscribed", "8 threads of 2 processes want to run");
	assert_remedy("oversubscribed", "--workers 2");
}

static void more_threads_than_cpus(void **state)
{
	(void)state;
	scene.instances[0].planned.known = false;
	for (unsigned i = 0; i < 6; i++)
		scene_set_thread(&scene, 0, i, "0-3", i % 4, 660, 330);
	scene_expect(&scene, "oversubscribed", "6 threads want to run all the time on 4 CPUs (0-3)");
	assert_remedy("oversubscribed", "--threads 4");
	/* They take turns by themselves: none waits. */
	for (unsigned i = 0; i < 6; i++)
		scene_set_thread(&scene, 0, i, "0-3", i % 4, 600, 10);
	scene_expect_nothing(&scene);
}

static void a_quota(void **state)
{
	struct observed_cgroup *cgroup = &scene.instances[0].cgroup;

	(void)state;
	put(&cgroup->quota_milli, 4000, "cpu.max");
	scene_expect_nothing(&scene);
	put(&cgroup->quota_milli, 2500, "cpu.max");
	scene_expect(&scene, "quota-below-threads", "4 threads compute under a quota of 2.50 CPUs");
	put(&cgroup->quota_milli, 4000, "cpu.max");
	put(&cgroup->periods[0], 5, "cpu.stat");
	put(&cgroup->periods[1], 15, "cpu.stat");
	put(&cgroup->throttled[0], 2, "cpu.stat");
	put(&cgroup->throttled[1], 6, "cpu.stat");
	scene_expect(&scene, "quota-throttled", "in 4 of 10 periods");
	put(&cgroup->throttled[1], 2, "cpu.stat");
	scene_expect_nothing(&scene);
}

static void a_team_that_was_made_smaller(void **state)
{
	(void)state;
	scene.processes[0].thread_count = 2;
	scene_variable(&scene, (char *)"OMP_NUM_THREADS=4");
	scene_expect(&scene, "threads-fewer", "a team of 2 threads computes where 4 were planned");
	/* Two of the team run just now, and do not show that they are its. */
	scene_set_thread(&scene, 0, 2, "2", 2, 990, 0);
	scene_set_thread(&scene, 0, 3, "3", 3, 990, 0);
	scene.threads[0][2].pool = scene.threads[0][3].pool = POOL_UNKNOWN;
	scene_expect_nothing(&scene);
	/* The pool is there, and two of it have work: uneven, not made smaller. */
	scene_set_thread(&scene, 0, 2, "2", 2, 0, 0);
	scene_set_thread(&scene, 0, 3, "3", 3, 0, 0);
	scene_expect_nothing(&scene);
}

static void one_thread_alone_is_spoken_of_late_and_low(void **state)
{
	cleanup_report struct report *report = NULL;

	(void)state;
	scene.processes[0].thread_count = 1;
	scene_expect_nothing(&scene);
	scene.threads[0][0].first.run_ns += 9000000000;
	scene.threads[0][0].last.run_ns += 9000000000;
	assert_int_equal(scene_judge(&scene, "threads-fewer", &report)->severity, SEVERITY_NOTE);
	/* In Python the runtime was opened later: what it computes need not be its. */
	scene_owner(&scene, SYMBOL_GOMP, 2, false, 1);
	scene_expect_nothing(&scene);
}

static void a_team_that_never_waits_is_spoken_of_late_and_low(void **state)
{
	cleanup_report struct report *report = NULL;

	(void)state;
	scene.processes[0].thread_count = 2;
	scene.threads[0][1].pool = POOL_UNKNOWN;
	scene_owner(&scene, SYMBOL_GOMP, 2, false, 1);
	scene_expect_nothing(&scene);
	for (unsigned i = 0; i < 2; i++) {
		scene.threads[0][i].first.run_ns += 9000000000;
		scene.threads[0][i].last.run_ns += 9000000000;
	}
	assert_int_equal(scene_judge(&scene, "threads-fewer", &report)->severity, SEVERITY_NOTE);
	scene.threads[0][1].pool = POOL_RAYON;
	scene_expect_nothing(&scene);
}

static void more_threads_than_planned(void **state)
{
	(void)state;
	give(&scene.instances[0].planned.pus_os, "0-1");
	scene.instances[0].planned.threads = 2;
	scene_expect(&scene, "threads-more", "4 threads compute in process 100 where 2 were planned");
	scene.instances[0].planned.threads = 0; /* left to who starts ranks */
	scene_expect_nothing(&scene);
	scene.instances[0].planned.threads = 2;
	/* Two of them at a time, in turn: forward and backward passes. */
	for (unsigned i = 0; i < 4; i++)
		scene_set_thread(&scene, 0, i, "0-3", i, 500, 0);
	scene_expect_nothing(&scene);
}

static void a_child_that_inherited_a_pinned_threads_cpu(void **state)
{
	(void)state;
	scene.observation.process_count = 2;
	scene_set_thread(&scene, 1, 0, "0", 0, 0, 0);
	scene_expect(&scene, "children-pinned", "1 child process inherited CPU 0");
	scene_set_thread(&scene, 1, 0, "0-3", 0, 0, 0);
	scene_expect_nothing(&scene);
	/* Somebody pinned it elsewhere on purpose. */
	scene_set_thread(&scene, 1, 0, "2", 2, 0, 0);
	scene_expect_nothing(&scene);
}

static void two_runtimes_that_both_answer(void **state)
{
	(void)state;
	scene_object(&scene, 3, (char *)"/lib/libiomp5.so", false, true, true);
	scene_owner(&scene, SYMBOL_GOMP, 2, true, 2);
	scene_owner(&scene, SYMBOL_KMPC, 3, true, 1);
	scene_expect(&scene, "openmp-two-runtimes", "two OpenMP runtimes");
	/* Preloaded, it answers for both: libgomp stays mapped and runs nothing. */
	scene_owner(&scene, SYMBOL_GOMP, 3, true, 2);
	scene_expect_nothing(&scene);
	/* Both opened later by Python modules, each for those opened with it. */
	scene.processes[0].owners[SYMBOL_GOMP] = (struct observed_owner){ .object_idx = -1, .definers = 2 };
	scene_owner(&scene, SYMBOL_KMPC, 3, false, 1);
	scene_expect(&scene, "openmp-two-runtimes", "two OpenMP runtimes");
}

static void two_copies_of_one_runtime(void **state)
{
	(void)state;
	scene_object(&scene, 2, (char *)"/a/libgomp-a1.so.1", false, true, false);
	scene_object(&scene, 3, (char *)"/b/libgomp-b2.so.1", false, true, false);
	scene.processes[0].owners[SYMBOL_GOMP] = (struct observed_owner){ .object_idx = -1, .definers = 2 };
	scene_expect(&scene, "openmp-two-copies", "loaded twice");
	scene.objects[3].inode = scene.objects[2].inode; /* one file under two names */
	scene_expect_nothing(&scene);
	scene.objects[3].inode = 99;
	scene_owner(&scene, SYMBOL_GOMP, 2, true, 2); /* one of them comes first for all */
	scene_expect_nothing(&scene);
}

static void preload(unsigned i, const char *name, int object, bool unusable, const char *why)
{
	scene.preloads[i] =
		(struct observed_preload){ .name = (char *)name, .object_idx = object, .unusable = unusable };
	(void)snprintf(scene.preloads[i].why, sizeof(scene.preloads[i].why), "%s", why);
	scene.processes[0].preload_count = i + 1;
}

static void a_preloaded_runtime_that_does_not_answer(void **state)
{
	(void)state;
	scene_object(&scene, 0, (char *)"/usr/bin/prog", false, true, false); /* libgomp is linked into it */
	preload(0, "/lib/libgomp.so.1", 2, false, "");
	scene_owner(&scene, SYMBOL_GOMP, 0, true, 2);
	scene_expect(&scene, "openmp-not-in-charge", "/usr/bin/prog runs the teams");
	scene_owner(&scene, SYMBOL_GOMP, 2, true, 2);
	scene_expect_nothing(&scene);
}

static void a_thread_limit_below_the_threads(void **state)
{
	(void)state;
	scene_variable(&scene, (char *)"OMP_THREAD_LIMIT=2");
	scene_expect_nothing(&scene);
	scene_variable(&scene, (char *)"OMP_NUM_THREADS=4,2");
	scene_expect(&scene, "openmp-limit", "OMP_THREAD_LIMIT=2");
}

static void variables_that_nobody_reads(void **state)
{
	(void)state;
	scene_variable(&scene, (char *)"KMP_BLOCKTIME=1");
	scene_variable(&scene, (char *)"MALLOC_CONF=dirty_decay_ms:-1");
	scene_variable(&scene, (char *)"GOMP_SPINCOUNT=5");
	scene_variable(&scene, (char *)"KMPX=1");
	scene_variable(&scene, (char *)"GLIBC_TUNABLES=glibc.malloc.arena_max=1");
	scene_expect(&scene, "setting-ineffective", "reads KMP_BLOCKTIME, MALLOC_CONF");
	/* jemalloc linked into the program itself, and Intel's runtime opened by a module: both may be read. */
	scene.objects[0].defines[SYMBOL_MALLCTL] = true;
	scene_object(&scene, 3, (char *)"/lib/libiomp5.so", false, false, true);
	scene_owner(&scene, SYMBOL_KMPC, 3, false, 1);
	scene_expect(&scene, "openmp-two-runtimes", "two OpenMP runtimes");
}

static void preloads_that_did_not_arrive(void **state)
{
	(void)state;
	preload(0, "/opt/libx.so", -1, false, "there is no such file");
	scene_expect(&scene, "preload-missing", "/opt/libx.so: there is no such file");
	preload(0, "/opt/libx.so", -1, true, "it is for another architecture");
	scene_expect(&scene, "preload-unusable", "another architecture");
	preload(0, "/lib/libc.so.6", 1, false, "");
	scene_expect_nothing(&scene);
}

static void an_allocator_that_does_not_answer(void **state)
{
	(void)state;
	scene_object(&scene, 3, (char *)"/lib/libjemalloc.so.2", true, false, false);
	preload(0, "libjemalloc.so.2", 3, false, "");
	scene_expect(&scene, "allocator-not-in-charge", "malloc is that of /lib/libc.so.6");
	scene_owner(&scene, SYMBOL_MALLOC, 3, true, 2);
	scene_expect_nothing(&scene);
}

static void pages_on_other_nodes(void **state)
{
	(void)state;
	scene.processes[0].pages_known = true;
	scene.processes[0].page_count = 2;
	scene.pages[0] = (struct observed_pages){ .node_os = 0, .anonymous_bytes = 300 * MIB };
	scene.pages[1] = (struct observed_pages){ .node_os = 1, .anonymous_bytes = 100 * MIB };
	scene_expect(&scene, "memory-remote", "25 % of its memory (100 MiB) is on other nodes than 0");
	/* The page cache lies where its first reader was. */
	scene.pages[1] = (struct observed_pages){ .node_os = 1, .file_bytes = 900 * MIB };
	scene_expect_nothing(&scene);
	scene.pages[1] = (struct observed_pages){ .node_os = 1, .anonymous_bytes = 30 * MIB };
	scene_expect_nothing(&scene);
	scene.pages[1] = (struct observed_pages){ .node_os = 1, .anonymous_bytes = 300 * MIB };
	scene.instances[0].planned.memory_policy = MEMORY_INTERLEAVE;
	scene_expect_nothing(&scene);
}

static void memory_near_its_limit_or_swapped(void **state)
{
	struct observed_cgroup *cgroup = &scene.instances[0].cgroup;

	(void)state;
	put(&cgroup->memory_limit_bytes, 200 * MIB, "memory.max");
	put(&cgroup->used_bytes, 170 * MIB, "memory.stat");
	scene_expect_nothing(&scene);
	put(&scene.processes[0].peak_bytes, 185 * MIB, "/proc/100/status VmHWM");
	scene_expect(&scene, "memory-limit-near", "185 of 200 MiB");
	put(&scene.processes[0].peak_bytes, 10 * MIB, "/proc/100/status VmHWM");
	put(&scene.processes[0].swap_bytes, 8 * MIB, "/proc/100/status VmSwap");
	scene_expect_nothing(&scene);
	put(&scene.processes[0].swap_bytes, 80 * MIB, "/proc/100/status VmSwap");
	scene_expect(&scene, "memory-limit-near", "80 MiB are swapped out");
}

static void the_kernel_moves_pages_of_a_bound_program(void **state)
{
	(void)state;
	put(&scene.observation.numa_balancing, 1, "/proc/sys/kernel/numa_balancing");
	scene_expect_nothing(&scene);
	put(&scene.processes[0].numa_faults, 12, "/proc/100/sched");
	scene_expect(&scene, "numa-balancing", "12 faults");
	put(&scene.observation.numa_balancing, 2, "/proc/sys/kernel/numa_balancing");
	scene_expect_nothing(&scene);
}

static void huge_pages_that_were_asked_for(void **state)
{
	(void)state;
	scene_variable(&scene, (char *)"GLIBC_TUNABLES=glibc.malloc.hugetlb=1");
	scene_expect(&scene, "huge-pages-unused", "150 MiB of memory, none of it in huge pages");
	put(&scene.processes[0].huge_bytes, 2 * MIB, "/proc/100/smaps_rollup");
	scene_expect_nothing(&scene);
	put(&scene.processes[0].huge_bytes, 0, "/proc/100/smaps_rollup");
	put(&scene.processes[0].anonymous_bytes, 20 * MIB, "/proc/100/status RssAnon");
	scene_expect_nothing(&scene);
}

static void a_clock_that_is_held_down(void **state)
{
	(void)state;
	put(&scene.cpus[1].cap_khz, 1200000, "cpufreq/scaling_max_freq");
	put(&scene.cpus[1].hardware_khz, 3400000, "cpufreq/cpuinfo_max_freq");
	scene_expect(&scene, "frequency-low", "CPU 1 is held to 1200 of 3400 MHz");
	put(&scene.cpus[1].cap_khz, 3390000, "cpufreq/scaling_max_freq");
	scene_expect_nothing(&scene);
	(void)snprintf(scene.cpus[2].governor, sizeof(scene.cpus[2].governor), "powersave");
	scene_expect(&scene, "frequency-low", "governor of CPU 2");
	(void)snprintf(scene.cpus[2].driver, sizeof(scene.cpus[2].driver), "intel_pstate");
	scene_expect_nothing(&scene);
}

static void time_that_the_hypervisor_took(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		scene.cpus[i].steal[1] = 5;
	scene_expect(&scene, "cpu-stolen", "took 4 %");
	for (unsigned i = 0; i < 4; i++)
		scene.cpus[i].steal[1] = i == 0;
	scene_expect_nothing(&scene);
}

static void neighbours_on_the_plans_cpus(void **state)
{
	cleanup_report struct report *report = NULL;
	const struct finding *finding;

	(void)state;
	scene.neighbour =
		(struct observed_neighbour){ .pid = 777, .name = "burn", .first = 10, .last = 60, .cpu_os = 1 };
	scene.observation.neighbours = &scene.neighbour;
	scene.observation.neighbour_count = 1;
	scene_set_thread(&scene, 0, 1, "1", 1, 490, 500);
	scene_expect(&scene, "neighbours-busy", "others used 50 % of a CPU there");
	finding = scene_judge(&scene, "neighbours-busy", &report);
	assert_non_null(strstr(finding->evidence.items[1], "'burn' used 50 %"));
	/* They used it, and nobody of ours waited. */
	scene_set_thread(&scene, 0, 1, "1", 1, 490, 10);
	scene_expect_nothing(&scene);
	/* What our own children did is nobody else's. */
	scene_set_thread(&scene, 0, 1, "1", 1, 490, 500);
	scene.processes[0].child_ticks_last = 50;
	scene_expect_nothing(&scene);
}

static void nothing_is_said_of_a_window_that_was_too_short(void **state)
{
	(void)state;
	scene.observation.last_ns = 100000000;
	scene_set_thread(&scene, 0, 3, "2", 2, 480, 480);
	scene_set_thread(&scene, 0, 2, "2", 2, 480, 480);
	scene_expect_nothing(&scene);
}

static void the_document_holds_what_the_contract_says(void **state)
{
	cleanup_report struct report *report = NULL;
	const struct report_input input = { .machine = scene.machine, .observation = &scene.observation };
	json_t *document;

	(void)state;
	scene_set_thread(&scene, 0, 4, "0-15", 12, 10, 0);
	scene.processes[0].name[0] = '\xff'; /* names are bytes, JSON is text */
	(void)scene_judge(&scene, "", &report);
	document = report_to_json(report, &input);
	assert_non_null(document);
	assert_string_equal(json_string_value(json_object_get(document, "schema")), "fettle.report/1");
	assert_true(json_is_true(json_object_get(json_object_get(document, "plan"), "known")));
	assert_int_equal(json_array_size(json_object_get(document, "instances")), 1);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(document, "findings"), 0), "id")),
		"cpu-escaped");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(json_object_get(document, "checks"), 0), "verdict")),
		"differs");
	assert_true(
		json_is_null(json_object_get(json_array_get(json_object_get(document, "instances"), 0), "exit_code")));
	json_decref(document);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(healthy_has_no_finding_and_its_checks_are_met),
		TEST(a_thread_outside_its_mask),
		TEST(two_pinned_threads_on_one_cpu),
		TEST(threads_with_one_cpu_for_all_of_them),
		TEST(two_plans_over_one_cpu),
		TEST(two_threads_on_one_core_while_another_is_free),
		TEST(threads_on_efficiency_cores),
		TEST(cpus_that_are_gone),
		TEST(more_threads_than_cpus),
		TEST(more_processes_than_were_planned_for),
		TEST(a_quota),
		TEST(a_team_that_was_made_smaller),
		TEST(one_thread_alone_is_spoken_of_late_and_low),
		TEST(a_team_that_never_waits_is_spoken_of_late_and_low),
		TEST(more_threads_than_planned),
		TEST(a_child_that_inherited_a_pinned_threads_cpu),
		TEST(two_runtimes_that_both_answer),
		TEST(two_copies_of_one_runtime),
		TEST(a_preloaded_runtime_that_does_not_answer),
		TEST(a_thread_limit_below_the_threads),
		TEST(variables_that_nobody_reads),
		TEST(preloads_that_did_not_arrive),
		TEST(an_allocator_that_does_not_answer),
		TEST(pages_on_other_nodes),
		TEST(memory_near_its_limit_or_swapped),
		TEST(the_kernel_moves_pages_of_a_bound_program),
		TEST(huge_pages_that_were_asked_for),
		TEST(a_clock_that_is_held_down),
		TEST(time_that_the_hypervisor_took),
		TEST(neighbours_on_the_plans_cpus),
		TEST(nothing_is_said_of_a_window_that_was_too_short),
		TEST(the_document_holds_what_the_contract_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about what a program, its allocator and its kernel made of the plan: scenes as in test_findings.c. */
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

static void flags(unsigned thread, bool met, bool flushes)
{
	scene.threads[0][thread].floats = (struct observed_float){ .known = true, .met = met, .flushes = flushes };
}

static void a_library_that_may_not_use_what_the_processor_has(void **state)
{
	static char path[] = "/usr/lib/libdnnl.so.2", others[] = "ATEN_CPU_CAPABILITY=default",
		    older[] = "DNNL_MAX_CPU_ISA=avx512_core", newer[] = "ONEDNN_MAX_CPU_ISA=AVX2";

	(void)state;
	scene_object(&scene, 3, path, false, false, false);
	assert_int_equal(fact_set(&scene.observation.cpu_flags, FACT_KNOWN, 0, "/proc/cpuinfo",
				  " fpu avx2 avx512f avx512bw avx512vl avx512dq"),
			 0);
	scene_variable(&scene, others); /* nobody here reads it */
	scene_variable(&scene, older);  /* no less than it has */
	scene_expect_nothing(&scene);
	scene_variable(&scene, newer);
	scene_expect(&scene, "isa-limited", "oneDNN may not use AVX-512");
	/* fettle was asked for it (--max-isa). */
	assert_int_equal(words_add(&scene.instances[0].planned.set, "ONEDNN_MAX_CPU_ISA"), 0);
	scene_expect_nothing(&scene);
}

static void threads_that_met_denormals(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		flags(i, false, false);
	scene_expect_nothing(&scene);
	flags(2, true, false);
	scene_expect(&scene, "denormals-met", "1 of 4 threads");
	/* What an idle thread met once costs nothing now. */
	scene_set_thread(&scene, 0, 4, "0", 0, 0, 0);
	flags(4, true, false);
	flags(2, false, false);
	scene_expect_nothing(&scene);
	/* Nobody asked. */
	scene.threads[0][2].floats = (struct observed_float){ .met = true };
	scene_expect_nothing(&scene);
}

static void threads_that_do_not_flush(void **state)
{
	cleanup_report struct report *report = NULL;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		flags(i, false, true);
	scene.instances[0].planned.flush = true;
	scene_expect_nothing(&scene);
	flags(3, false, false);
	scene_expect(&scene, "flush-incomplete",
		     "1 of 4 threads that compute do not flush denormal numbers, though "
		     "--flush-denormals was given");
	/* Not planned, but the program did it, in its main thread alone. */
	scene.instances[0].planned.flush = false;
	assert_int_equal(scene_judge(&scene, "flush-incomplete", &report)->severity, SEVERITY_WARNING);
	/* A worker that flushes and a main thread that does not is nobody's wish. */
	flags(0, false, false);
	flags(3, false, true);
	scene_expect_nothing(&scene);
}

static void policy(const char *words)
{
	(void)snprintf(scene.processes[0].memory_policy, sizeof(scene.processes[0].memory_policy), "%s", words);
}

static void a_policy_that_is_not_in_force(void **state)
{
	(void)state;
	scene_expect_nothing(&scene);
	policy("bind:0");
	scene_expect_nothing(&scene);
	policy("default");
	scene_expect(&scene, "memory-policy-refused", "the memory policy of the plan, bind:0, is not in force");
	scene.instances[0].planned.memory_policy = MEMORY_LOCAL;
	scene_expect_nothing(&scene);
	scene.instances[0].planned.memory_policy = MEMORY_NONE;
	scene_expect_nothing(&scene);
}

static void an_allocator_that_keeps_what_is_freed(void **state)
{
	cleanup_report struct report *report = NULL;
	struct observed_cgroup *cgroup = &scene.instances[0].cgroup;

	(void)state;
	put(&cgroup->memory_limit_bytes, 1000 * MIB, "memory.max");
	put(&cgroup->used_bytes, 800 * MIB, "memory.stat");
	put(&scene.processes[0].kept_bytes, 400 * MIB, "/proc/100/mem");
	scene_variable(&scene, (char *)"GLIBC_TUNABLES=glibc.malloc.trim_threshold=4294967296");
	scene_expect_nothing(&scene);
	put(&cgroup->used_bytes, 950 * MIB, "memory.stat");
	put(&scene.processes[0].kept_bytes, 50 * MIB, "/proc/100/mem");
	assert_null(scene_judge(&scene, "allocator-hoards", &report));
	report_free(report);
	report = NULL;
	put(&scene.processes[0].kept_bytes, 400 * MIB, "/proc/100/mem");
	assert_non_null(strstr(scene_judge(&scene, "allocator-hoards", &report)->text,
			       "400 MiB of the 950 MiB in use (limit: 1000 MiB)"));
	report_free(report);
	report = NULL;
	/* Kept by nobody's setting. */
	scene.environment[0] = (char *)"GLIBC_TUNABLES=glibc.malloc.arena_max=1";
	assert_null(scene_judge(&scene, "allocator-hoards", &report));
	report_free(report);
	report = NULL;
	/* The variable of an allocator that does not answer. */
	scene.environment[0] = (char *)"MALLOC_CONF=dirty_decay_ms:-1";
	assert_null(scene_judge(&scene, "allocator-hoards", &report));
	report_free(report);
	report = NULL;
	scene_object(&scene, 3, (char *)"/lib/libjemalloc.so.2", true, false, false);
	scene_owner(&scene, SYMBOL_MALLOC, 3, true, 2);
	assert_int_equal(scene_judge(&scene, "allocator-hoards", &report)->severity, SEVERITY_NOTE);
}

static void a_main_thread_that_was_narrowed(void **state)
{
	(void)state;
	scene.instances[0].planned.pin = PIN_INSTANCE;
	for (unsigned i = 0; i < 4; i++)
		scene_set_thread(&scene, 0, i, i ? "2" : "0-3", 2, 240, 0);
	scene_expect_nothing(&scene); /* workers are their pool's */
	scene_set_thread(&scene, 0, 0, "0-1", 1, 240, 0);
	scene_expect(&scene, "setting-changed", "narrowed the CPUs of 1 thread, and its plan has 0-3");
	scene.threads[0][0].held_to_ns = 0; /* seen once */
	scene_expect_nothing(&scene);
	scene.threads[0][0].held_to_ns = 1000000000;
	/* A nested fettle planned on some of them. */
	scene_variable(&scene, (char *)"FETTLE_PLAN=1;i=0/1;cpus=1;mask=1;pin=instance;mem=none;set=");
	scene_expect_nothing(&scene);
	scene.environment[0] = NULL;
	scene_variable(&scene, (char *)"OMP_PROC_BIND=true");
	scene_expect_nothing(&scene); /* as somebody wished */
	scene.environment[0] = NULL;
	/* The plan's pinning does it to all of them. */
	scene.instances[0].planned.pin = PIN_THREADS;
	scene_expect_nothing(&scene);
}

static void a_thread_whose_cpus_changed_meanwhile(void **state)
{
	(void)state;
	scene.instances[0].planned.pin = PIN_INSTANCE;
	for (unsigned i = 0; i < 4; i++)
		scene_set_thread(&scene, 0, i, "0-3", i, 990, 0);
	scene_set_thread(&scene, 0, 2, "2-3", 2, 990, 0);
	scene_expect_nothing(&scene);
	give(&scene.threads[0][2].before_os, "0-3");
	scene_expect(&scene, "setting-changed", "1 of them while it was looked at");
	scene.threads[0][2].held_from_ns = scene.threads[0][2].held_to_ns - 100000000; /* on its way somewhere */
	scene_expect_nothing(&scene);
	hwloc_bitmap_free(scene.threads[0][2].before_os);
	scene.threads[0][2].before_os = NULL;
	/* The kernel did it, when the cpuset lost CPUs: that is cpu-offline. */
	give(&scene.instances[0].cgroup.cpuset_os, "0-1");
	for (unsigned i = 0; i < 4; i++)
		scene_set_thread(&scene, 0, i, "0-1", i % 2, 490, 0);
	scene_expect(&scene, "cpu-offline", "2-3 not in its cpuset any more");
}

static void an_instance_whose_processes_have_all_ended(void **state)
{
	cleanup_report struct report *report = NULL;

	(void)state;
	scene.processes[0].gone = true;
	(void)scene_judge(&scene, "", &report);
	assert_string_equal(report->checks[0].name, "cpu-binding");
	assert_int_equal(report->checks[0].verdict, VERDICT_UNKNOWN);
	assert_null(report->checks[0].seen);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_library_that_may_not_use_what_the_processor_has),
		TEST(threads_that_met_denormals),
		TEST(threads_that_do_not_flush),
		TEST(a_policy_that_is_not_in_force),
		TEST(an_allocator_that_keeps_what_is_freed),
		TEST(a_main_thread_that_was_narrowed),
		TEST(a_thread_whose_cpus_changed_meanwhile),
		TEST(an_instance_whose_processes_have_all_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenMP family where the runtime in charge is known, and what it waits with. */
#include "settings_scene.h"

#include "base/cleanup.h"
#include "base/fact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static const char *const bindings[] = { "OMP_PLACES", "OMP_PROC_BIND", "KMP_AFFINITY" };

static void only_the_runtime_in_charge_is_told_where_threads_run(void **state)
{
	static const struct {
		enum openmp_kind kind;
		const char *values[ARRAY_SIZE(bindings)];
	} rows[] = {
		{ OPENMP_ANY, { "{9},{1}:3", "close", NULL } },
		{ OPENMP_GNU, { "{9},{1}:3", "close", NULL } },
		{ OPENMP_INTEL, { NULL, NULL, "granularity=fine,proclist=[9,1-3],explicit" } },
		{ OPENMP_LLVM, { NULL, NULL, "granularity=fine,proclist=[9,1-3],explicit" } },
	};
	struct scene *scene = *state;

	scene->places[0][0] = 9;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene->workload.openmp = rows[i].kind;
		scene_instances(scene, 1, PIN_THREADS);
		scene_decide_in(scene, NULL, NULL);
		for (size_t k = 0; k < ARRAY_SIZE(bindings); k++)
			assert_seen(scene, 0, bindings[k], rows[i].values[k]);
		scene_instances(scene, 1, PIN_INSTANCE);
		scene_decide_in(scene, NULL, NULL);
		for (size_t k = 0; k < ARRAY_SIZE(bindings); k++)
			assert_seen(scene, 0, bindings[k], NULL);
	}
}

/* What of the user's this runtime reads keeps ours away; what it does not read keeps nothing away and is said. */
static void a_users_binding_counts_where_it_is_read(void **state)
{
	static const struct {
		enum openmp_kind kind;
		const char *entry;
		bool binds, unread;
	} rows[] = {
		{ OPENMP_GNU, "KMP_AFFINITY=compact", false, true },
		{ OPENMP_GNU, "GOMP_CPU_AFFINITY=7", true, false },
		{ OPENMP_GNU, "OMP_PROC_BIND=spread", false, false },
		{ OPENMP_GNU, "KMP_HW_SUBSET=1t", false, true },
		{ OPENMP_INTEL, "KMP_AFFINITY=compact", true, false },
		{ OPENMP_INTEL, "OMP_PLACES=cores", true, false },
		{ OPENMP_INTEL, "OMP_PROC_BIND=spread", true, false },
		{ OPENMP_INTEL, "GOMP_CPU_AFFINITY=7", true, false },
		{ OPENMP_INTEL, "GOMP_SPINCOUNT=7", false, true },
		{ OPENMP_LLVM, "OMP_PROC_BIND=false", true, false },
		{ OPENMP_ANY, "GOMP_SPINCOUNT=7", false, false },
		{ OPENMP_ANY, "KMP_AFFINITY=compact", true, false },
	};
	struct scene *scene = *state;

	scene_instances(scene, 1, PIN_THREADS);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const bool kmp = openmp_is_kmp(rows[i].kind);
		const struct setting *row;

		scene->workload.openmp = rows[i].kind;
		scene_decide_in(scene, rows[i].entry, NULL);
		row = row_of(scene, kmp ? "KMP_AFFINITY" : "OMP_PLACES", 0);
		assert_int_equal(row && row->origin == ORIGIN_PLAN, !rows[i].binds);
		assert_int_equal(note(&scene->plan.warnings, "user-binding") != NULL, rows[i].binds);
		assert_int_equal(note(&scene->plan.warnings, "setting-ineffective") != NULL, rows[i].unread);
	}
}

static void a_subset_of_the_users_is_shown_and_warned_of_where_it_counts(void **state)
{
	struct scene *scene = *state;

	scene->workload.openmp = OPENMP_INTEL;
	scene_decide_in(scene, "KMP_HW_SUBSET=1c,1t", NULL);
	assert_int_equal(row_of(scene, "KMP_HW_SUBSET", 0)->origin, ORIGIN_USER);
	assert_non_null(note(&scene->plan.warnings, "user-subset"));
	scene->workload.openmp = OPENMP_GNU;
	scene_decide_in(scene, "KMP_HW_SUBSET=1c,1t", NULL);
	assert_null(row_of(scene, "KMP_HW_SUBSET", 0));
	assert_null(note(&scene->plan.warnings, "user-subset"));
}

static const char *const waits[] = { "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME" };

static void idle_threads_do_as_asked_in_the_words_of_their_runtime(void **state)
{
	static const struct {
		enum openmp_kind kind, asked;
		enum wait wait;
		const char *entry;
		const char *values[ARRAY_SIZE(waits)];
	} rows[] = {
		{ OPENMP_GNU, OPENMP_ANY, WAIT_AUTO, NULL, { NULL, NULL, NULL } },
		{ OPENMP_INTEL, OPENMP_ANY, WAIT_AUTO, NULL, { NULL, NULL, NULL } },
		{ OPENMP_INTEL, OPENMP_INTEL, WAIT_AUTO, NULL, { NULL, NULL, "1" } },
		{ OPENMP_LLVM, OPENMP_LLVM, WAIT_AUTO, NULL, { NULL, NULL, NULL } },
		{ OPENMP_ANY, OPENMP_ANY, WAIT_PASSIVE, NULL, { "passive", NULL, NULL } },
		{ OPENMP_GNU, OPENMP_ANY, WAIT_PASSIVE, NULL, { "passive", "0", NULL } },
		{ OPENMP_GNU, OPENMP_GNU, WAIT_ACTIVE, NULL, { "active", "infinite", NULL } },
		{ OPENMP_INTEL, OPENMP_INTEL, WAIT_PASSIVE, NULL, { "passive", NULL, "0" } },
		{ OPENMP_LLVM, OPENMP_ANY, WAIT_ACTIVE, NULL, { "active", NULL, "infinite" } },
		/* What the user set stays, and nothing of ours goes against it. */
		{ OPENMP_INTEL, OPENMP_INTEL, WAIT_AUTO, "KMP_BLOCKTIME=7", { NULL, NULL, "7" } },
		{ OPENMP_INTEL, OPENMP_INTEL, WAIT_AUTO, "OMP_WAIT_POLICY=active", { "active", NULL, NULL } },
		{ OPENMP_GNU, OPENMP_ANY, WAIT_PASSIVE, "OMP_WAIT_POLICY=active", { "active", NULL, NULL } },
		{ OPENMP_GNU, OPENMP_ANY, WAIT_PASSIVE, "GOMP_SPINCOUNT=7", { "passive", "7", NULL } },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene->workload.openmp = rows[i].kind;
		scene->workload.request.openmp = rows[i].asked;
		scene->workload.request.wait = rows[i].wait;
		scene_decide_in(scene, rows[i].entry, NULL);
		for (size_t k = 0; k < ARRAY_SIZE(waits); k++)
			assert_seen(scene, 0, waits[k], rows[i].values[k]);
	}
	assert_null(note(&scene->plan.warnings, "user-wait"));
	scene->workload.request.wait = WAIT_PASSIVE;
	scene_decide_in(scene, "OMP_WAIT_POLICY=active", NULL);
	assert_non_null(note(&scene->plan.warnings, "user-wait"));
	scene_decide_in(scene, NULL, NULL);
	assert_int_equal(row_of(scene, "OMP_WAIT_POLICY", 0)->origin, ORIGIN_OPTION);
}

static void spinning_is_warned_of_where_cpus_are_scarce(void **state)
{
	struct scene *scene = *state;

	scene->workload.request.wait = WAIT_ACTIVE;
	scene_decide_in(scene, NULL, NULL);
	assert_null(note(&scene->plan.warnings, "wait-spins"));
	scene_decide_in(scene, "OMP_NUM_THREADS=5", NULL);
	assert_non_null(strstr(note(&scene->plan.warnings, "wait-spins"), "5 threads on 4 CPUs"));
	assert_int_equal(fact_set(&scene->machine.limits.quota_milli, FACT_KNOWN, 1500, "cpu.max", NULL), 0);
	scene_decide_in(scene, NULL, NULL);
	assert_non_null(strstr(note(&scene->plan.warnings, "wait-spins"), "1.5 CPUs"));
	scene->workload.request.wait = WAIT_PASSIVE;
	scene_decide_in(scene, NULL, NULL);
	assert_null(note(&scene->plan.warnings, "wait-spins"));
	fact_clear(&scene->machine.limits.quota_milli);
}

static void a_schedule_is_set_only_when_asked(void **state)
{
	struct scene *scene = *state;

	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "OMP_SCHEDULE", NULL);
	scene->workload.request.schedule = SCHEDULE_STATIC;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "OMP_SCHEDULE", "static");
	scene_decide_in(scene, "OMP_SCHEDULE=guided", NULL);
	assert_seen(scene, 0, "OMP_SCHEDULE", "guided");
}

static void a_runtime_that_cannot_be_preloaded_is_refused(void **state)
{
	struct scene *scene = *state;

	scene->workload.openmp = scene->workload.request.openmp = OPENMP_INTEL;
	scene->workload.openmp_preload = "/opt/libiomp5.so";
	scene->target.libc = TARGET_LIBC_NONE;
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "--openmp intel: the program is static"));
	scene_forget(scene);
	scene->target.libc = TARGET_LIBC_GLIBC;
	scene->workload.openmp_preload = "/opt/my runtimes/libiomp5.so";
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "LD_PRELOAD cannot"));
	scene_forget(scene);
	scene->workload.openmp_preload = NULL; /* the program's own */
	scene->target.libc = TARGET_LIBC_MUSL;
	assert_int_equal(scene_decide(scene), 0);
}

static void two_runtimes_in_one_process_are_told_of(void **state)
{
	static const struct {
		enum openmp_kind kind, second;
		bool at_start, warned;
		const char *advice;
	} rows[] = {
		{ OPENMP_GNU, OPENMP_LLVM, false, true, "--openmp llvm" },
		{ OPENMP_GNU, OPENMP_INTEL, true, true, "--openmp intel" },
		{ OPENMP_LLVM, OPENMP_GNU, false, true, "--openmp intel" },
		{ OPENMP_INTEL, OPENMP_GNU, true, false, NULL },
		{ OPENMP_GNU, OPENMP_ANY, true, false, NULL },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text;

		scene->workload.openmp = rows[i].kind;
		scene->workload.openmp_at_start = rows[i].at_start;
		scene->workload.openmp_second = rows[i].second;
		scene->workload.openmp_second_by = "sklearn";
		scene_decide_in(scene, NULL, NULL);
		text = note(&scene->plan.warnings, "openmp-two-runtimes");
		assert_int_equal(text != NULL, rows[i].warned);
		if (text && rows[i].advice)
			assert_non_null(strstr(text, rows[i].advice));
		assert_int_equal(note(&scene->plan.reasons, "openmp-second") != NULL,
				 rows[i].second && !rows[i].warned);
	}
}

static void unpinned_a_proclist_of_ours_gives_way(void **state)
{
	struct scene *scene = *state;
	char **environment = NULL;
	unsigned seen = 0;

	scene_instances(scene, 1, PIN_THREADS);
	scene->workload.openmp = OPENMP_LLVM;
	scene_decide_in(scene, NULL, NULL);
	assert_int_equal(
		settings_environment_unpinned(scene->settings, 0, scene->environment, &environment, &scene->err), 0);
	for (char **entry = environment; *entry; entry++) {
		if (strncmp(*entry, "KMP_AFFINITY=", 13) != 0)
			continue;
		seen++;
		assert_string_equal(*entry, "KMP_AFFINITY=disabled");
	}
	assert_int_equal(seen, 1);
	environment_free(environment);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_the_runtime_in_charge_is_told_where_threads_run),
		TEST(a_users_binding_counts_where_it_is_read),
		TEST(a_subset_of_the_users_is_shown_and_warned_of_where_it_counts),
		TEST(idle_threads_do_as_asked_in_the_words_of_their_runtime),
		TEST(spinning_is_warned_of_where_cpus_are_scarce),
		TEST(a_schedule_is_set_only_when_asked),
		TEST(a_runtime_that_cannot_be_preloaded_is_refused),
		TEST(two_runtimes_in_one_process_are_told_of),
		TEST(unpinned_a_proclist_of_ours_gives_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What each family decides. */
#include "settings_scene.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define TUNED                                                                   \
	"glibc.malloc.mmap_threshold=1073741824:glibc.malloc.top_pad=67108864:" \
	"glibc.malloc.trim_threshold=4294967296"

static void every_pool_gets_the_planned_threads(void **state)
{
	static const char *const names[] = { "OMP_NUM_THREADS",       "MKL_NUM_THREADS",     "OPENBLAS_NUM_THREADS",
					     "BLIS_NUM_THREADS",      "NUMEXPR_MAX_THREADS", "NUMEXPR_NUM_THREADS",
					     "VECLIB_MAXIMUM_THREADS" };
	struct scene *scene = *state;

	scene_instances(scene, 2, PIN_INSTANCE);
	scene->instances[1].threads = 3;
	scene_decide_in(scene, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		assert_string_equal(value_of(scene, names[i], 0), "4");
		assert_string_equal(value_of(scene, names[i], 1), "3");
		assert_seen(scene, 1, names[i], "3");
	}
}

static void equal_values_make_one_row(void **state)
{
	struct scene *scene = *state;

	scene_instances(scene, 2, PIN_THREADS);
	scene_decide_in(scene, NULL, NULL);
	assert_int_equal(rows_of(scene, "OMP_NUM_THREADS"), 1);
	assert_int_equal(row_of(scene, "OMP_NUM_THREADS", 1)->instance, EVERY_INSTANCE);
	assert_int_equal(rows_of(scene, "OMP_PLACES"), 2);
	assert_int_equal(row_of(scene, "OMP_PLACES", 1)->instance, 1);
	assert_int_equal(rows_of(scene, "FETTLE_PLAN"), 2);
	/* Pinned in one instance only: a row for that one. */
	scene->instances[0].pin = PIN_INSTANCE;
	scene_decide_in(scene, NULL, NULL);
	assert_null(row_of(scene, "OMP_PROC_BIND", 0));
	assert_int_equal(row_of(scene, "OMP_PROC_BIND", 1)->instance, 1);
}

static void places_follow_thread_order_and_only_when_threads_are_pinned(void **state)
{
	struct scene *scene = *state;

	scene_instances(scene, 1, PIN_THREADS);
	scene->places[0][0] = 9;
	scene_decide_in(scene, NULL, NULL);
	assert_string_equal(value_of(scene, "OMP_PLACES", 0), "{9},{1}:3");
	assert_string_equal(value_of(scene, "OMP_PROC_BIND", 0), "close");
	for (enum pin pin = PIN_INSTANCE; pin <= PIN_NONE; pin++) {
		scene_instances(scene, 1, pin);
		scene_decide_in(scene, NULL, NULL);
		assert_null(row_of(scene, "OMP_PLACES", 0));
		assert_null(row_of(scene, "OMP_PROC_BIND", 0));
		assert_null(row_of(scene, "LD_PRELOAD", 0));
	}
}

static void the_users_variable_stays_and_says_so(void **state)
{
	struct scene *scene = *state;
	const struct setting *row;

	scene_decide_in(scene, "MKL_NUM_THREADS=2", "OMP_NUM_THREADS=4,2");
	row = row_of(scene, "MKL_NUM_THREADS", 0);
	assert_int_equal(row->origin, ORIGIN_USER);
	assert_string_equal(row->value, "2");
	assert_non_null(strstr(row->why, "set 4"));
	assert_seen(scene, 0, "MKL_NUM_THREADS", "2");
	assert_seen(scene, 0, "OMP_NUM_THREADS", "4,2");
	assert_null(note(&scene->plan.warnings, "user-threads"));
}

static void threads_of_the_user_that_differ_from_the_plan_are_warned_of(void **state)
{
	static const char *const entries[] = { "OMP_NUM_THREADS=64", "OMP_NUM_THREADS=all",
					       "OMP_NUM_THREADS=", "OMP_NUM_THREADS=4x",
					       "OMP_NUM_THREADS=99999999999999999999" };
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++) {
		scene_decide_in(scene, entries[i], NULL);
		assert_non_null(note(&scene->plan.warnings, "user-threads"));
		assert_seen(scene, 0, "OMP_NUM_THREADS", strchr(entries[i], '=') + 1);
	}
}

static void a_thread_limit_below_the_threads_is_refused_or_repaired(void **state)
{
	static const struct {
		const char *first, *second;
		bool refused;
		const char *repaired; /* what the program then sees */
		unsigned workers;     /* that have the instance's threads between them */
	} rows[] = {
		{ "OMP_THREAD_LIMIT=3", NULL, true, "4" },
		{ "OMP_THREAD_LIMIT=4", NULL, false, "4" },
		{ "OMP_THREAD_LIMIT=5", "OMP_NUM_THREADS=6", true, "6" },
		{ "OMP_THREAD_LIMIT=many", NULL, false, "many" },
		{ "OMP_THREAD_LIMIT=2", NULL, false, "2", 2 },
		{ "OMP_THREAD_LIMIT=1", NULL, true, "2", 2 },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene->workload.workers = rows[i].workers;
		scene->workload.request.repair = true;
		scene_decide_in(scene, rows[i].first, rows[i].second);
		assert_seen(scene, 0, "OMP_THREAD_LIMIT", rows[i].repaired);
		assert_int_equal(rows_of(scene, "OMP_THREAD_LIMIT"), rows[i].refused);
		if (rows[i].refused)
			assert_int_equal(row_of(scene, "OMP_THREAD_LIMIT", 0)->origin, ORIGIN_OPTION);
		scene->workload.request.repair = false;
		assert_int_equal(scene_decide(scene), rows[i].refused ? -EINVAL : 0);
		if (rows[i].refused) {
			assert_non_null(strstr(scene->err.text, "OMP_THREAD_LIMIT="));
			assert_non_null(strstr(scene->err.hint, "--repair"));
		}
		scene_forget(scene);
	}
}

static void a_users_binding_is_never_contradicted(void **state)
{
	static const struct {
		const char *entry;
		const char *places, *proc_bind; /* what the program sees */
		bool warned;
	} rows[] = {
		{ "OMP_PLACES={7}", "{7}", NULL, true },          { "GOMP_CPU_AFFINITY=7", NULL, NULL, true },
		{ "KMP_AFFINITY=disabled", NULL, NULL, true },    { "OMP_PROC_BIND=false", NULL, "false", true },
		{ "OMP_PROC_BIND=master", NULL, "master", true }, { "OMP_PROC_BIND=SPREAD", "{0}:4", "SPREAD", false },
		{ "OMP_PROC_BIND=true", "{0}:4", "true", false },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *name = strndup(rows[i].entry, strcspn(rows[i].entry, "="));

		scene_instances(scene, 1, PIN_THREADS);
		scene_decide_in(scene, rows[i].entry, NULL);
		assert_int_equal(row_of(scene, name, 0)->origin, ORIGIN_USER);
		assert_seen(scene, 0, "OMP_PLACES", rows[i].places);
		assert_seen(scene, 0, "OMP_PROC_BIND", rows[i].proc_bind);
		assert_int_equal(note(&scene->plan.warnings, "user-binding") != NULL, rows[i].warned);
		/* Nothing of ours to contradict: not a word about it. */
		scene_instances(scene, 1, PIN_INSTANCE);
		scene_decide_in(scene, rows[i].entry, NULL);
		assert_null(row_of(scene, name, 0));
		assert_null(note(&scene->plan.warnings, "user-binding"));
	}
}

static void tunables_are_merged_key_by_key(void **state)
{
	static const struct {
		const char *first, *second, *value;
		enum origin origin;
	} rows[] = {
		{ NULL, NULL, TUNED, ORIGIN_PLAN },
		{ "GLIBC_TUNABLES=", NULL, TUNED, ORIGIN_PLAN },
		{ "GLIBC_TUNABLES=glibc.malloc.check=3", NULL, "glibc.malloc.check=3:" TUNED, ORIGIN_PLAN },
		{ "GLIBC_TUNABLES=glibc.malloc.trim_threshold=5", NULL,
		  "glibc.malloc.trim_threshold=5:glibc.malloc.mmap_threshold=1073741824:glibc.malloc.top_pad=67108864",
		  ORIGIN_PLAN },
		{ "GLIBC_TUNABLES=glibc.malloc.top_pad=1:a=b", "MALLOC_TRIM_THRESHOLD_=9",
		  "glibc.malloc.top_pad=1:a=b:glibc.malloc.mmap_threshold=1073741824", ORIGIN_PLAN },
		{ "GLIBC_TUNABLES=glibc.malloc.top_pad=1:glibc.malloc.mmap_threshold=2", "MALLOC_TRIM_THRESHOLD_=9",
		  "glibc.malloc.top_pad=1:glibc.malloc.mmap_threshold=2", ORIGIN_USER },
		/* A longer key is another key. */
		{ "GLIBC_TUNABLES=xglibc.malloc.top_pad=1", NULL, "xglibc.malloc.top_pad=1:" TUNED, ORIGIN_PLAN },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene_decide_in(scene, rows[i].first, rows[i].second);
		assert_string_equal(value_of(scene, "GLIBC_TUNABLES", 0), rows[i].value);
		assert_int_equal(row_of(scene, "GLIBC_TUNABLES", 0)->origin, rows[i].origin);
		assert_seen(scene, 0, "GLIBC_TUNABLES", rows[i].value);
	}
}

static void nothing_is_merged_when_the_user_says_it_all(void **state)
{
	struct scene *scene = *state;

	scene->environment[2] = "MALLOC_MMAP_THRESHOLD_=1";
	scene->environment[0] = "MALLOC_TRIM_THRESHOLD_=2";
	scene->environment[1] = "MALLOC_TOP_PAD_=3";
	assert_int_equal(scene_decide(scene), 0);
	assert_null(row_of(scene, "GLIBC_TUNABLES", 0));
}

static void malloc_is_tuned_only_where_glibcs_is_used(void **state)
{
	static const struct {
		struct target target;
		const char *entry;
		bool tuned;
	} rows[] = {
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64 }, NULL, true },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64, .foreign = true }, NULL, true },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64 }, "LD_PRELOAD=/x/libfoo.so:libbar.so", true },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 32 }, NULL, false },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64, .set_id = true }, NULL, false },
		{ { .libc = TARGET_LIBC_MUSL, .elf_class = 64 }, NULL, false },
		{ { .libc = TARGET_LIBC_NONE, .elf_class = 64 }, NULL, false },
		{ { .libc = TARGET_LIBC_OTHER, .elf_class = 64 }, NULL, false },
		{ { .libc = TARGET_LIBC_UNKNOWN }, NULL, false },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64 }, "LD_PRELOAD=/x/libfoo.so libjemalloc.so.2", false },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64 }, "LD_PRELOAD=/a/libtcmalloc_minimal.so.4", false },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64 }, "LD_PRELOAD=:/libjemalloc/x.so", true },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64 }, "MALLOC_CONF=narenas:1", false },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene->target = rows[i].target;
		scene_decide_in(scene, rows[i].entry, NULL);
		assert_seen(scene, 0, "GLIBC_TUNABLES", rows[i].tuned ? TUNED : NULL);
		assert_int_equal(note(&scene->plan.reasons, "allocator") == NULL, rows[i].tuned);
	}
	scene->workload.target = NULL;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "GLIBC_TUNABLES", TUNED);
	assert_non_null(strstr(row_of(scene, "GLIBC_TUNABLES", 0)->why, "assumed"));
}

static void kept_memory_is_an_eighth_of_each_instances_share(void **state)
{
	static const struct {
		uint64_t limit;
		size_t instances;
		const char *trim; /* NULL: not tuned */
	} rows[] = {
		{ 64ULL << 30, 1, "=4294967296" },
		{ 32ULL << 30, 1, "=4294967296" },
		{ (32ULL << 30) - 1, 1, "=4293918720" },
		{ 16ULL << 30, 2, "=1073741824" },
		{ 1ULL << 30, 1, "=134217728" },
		{ (1ULL << 30) - 1, 1, NULL },
		{ 4ULL << 30, 4, "=134217728" },
		{ (4ULL << 30) - 8, 4, NULL },
		{ 0, 1, NULL },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *value, *trim;

		scene_instances(scene, rows[i].instances, PIN_NONE);
		scene->machine.limits.memory_bytes = (struct fact){ .state = FACT_KNOWN, .value = rows[i].limit };
		scene_decide_in(scene, NULL, NULL);
		if (!rows[i].trim) {
			assert_null(row_of(scene, "GLIBC_TUNABLES", 0));
			assert_non_null(strstr(note(&scene->plan.reasons, "allocator"), "memory limit"));
			continue;
		}
		value = value_of(scene, "GLIBC_TUNABLES", 0);
		trim = strstr(value, "trim_threshold");
		assert_non_null(trim);
		assert_string_equal(trim + strlen("trim_threshold"), rows[i].trim);
	}
	/* A limit that could not be read is not a limit of nothing. */
	scene->machine.limits.memory_bytes = (struct fact){ .state = FACT_UNKNOWN };
	scene_decide_in(scene, NULL, NULL);
	assert_string_equal(value_of(scene, "GLIBC_TUNABLES", 0), TUNED);
}

static void the_agent_joins_the_users_preloads_once(void **state)
{
	static const struct {
		const char *entry, *value;
	} rows[] = {
		{ NULL, SCENE_AGENT },
		{ "LD_PRELOAD=", SCENE_AGENT },
		{ "LD_PRELOAD=/a.so", SCENE_AGENT ":/a.so" },
		{ "LD_PRELOAD=/a.so b.so", SCENE_AGENT ":/a.so b.so" },
		{ "LD_PRELOAD=" SCENE_AGENT, SCENE_AGENT },
		{ "LD_PRELOAD=/a.so:" SCENE_AGENT ":/b.so", SCENE_AGENT ":/a.so:/b.so" },
		{ "LD_PRELOAD=/a.so " SCENE_AGENT, SCENE_AGENT ":/a.so" },
		{ "LD_PRELOAD=/other/libfettle-agent.so", SCENE_AGENT ":/other/libfettle-agent.so" },
		{ "LD_PRELOAD=" SCENE_AGENT ".old", SCENE_AGENT ":" SCENE_AGENT ".old" },
	};
	struct scene *scene = *state;

	scene_instances(scene, 2, PIN_THREADS);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene_decide_in(scene, rows[i].entry, NULL);
		assert_seen(scene, 1, "LD_PRELOAD", rows[i].value);
		assert_null(note(&scene->plan.warnings, "agent-not-loaded"));
	}
}

/* Programs the agent cannot be loaded into, and agents that cannot be loaded. */
static const struct {
	struct target target;
	const char *agent;
} without_agent[] = {
	{ { .libc = TARGET_LIBC_NONE }, SCENE_AGENT },
	{ { .libc = TARGET_LIBC_MUSL }, SCENE_AGENT },
	{ { .libc = TARGET_LIBC_UNKNOWN }, SCENE_AGENT },
	{ { .libc = TARGET_LIBC_GLIBC, .set_id = true }, SCENE_AGENT },
	{ { .libc = TARGET_LIBC_GLIBC, .foreign = true }, SCENE_AGENT },
	{ { .libc = TARGET_LIBC_GLIBC }, NULL },
	{ { .libc = TARGET_LIBC_GLIBC }, "/opt/my programs/agent.so" },
	{ { .libc = TARGET_LIBC_GLIBC }, "/opt/a:b/agent.so" },
	{ { .libc = TARGET_LIBC_GLIBC }, "/opt/$LIB/agent.so" },
};

static void a_program_that_cannot_take_the_agent_is_warned_of(void **state)
{
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(without_agent); i++) {
		scene->target = without_agent[i].target;
		scene->workload.agent_path = without_agent[i].agent;
		scene_instances(scene, 1, PIN_THREADS);
		scene_decide_in(scene, "LD_PRELOAD=/a.so", NULL);
		assert_non_null(note(&scene->plan.warnings, "agent-not-loaded"));
		assert_seen(scene, 0, "LD_PRELOAD", "/a.so");
		scene_instances(scene, 1, PIN_INSTANCE);
		scene_decide_in(scene, NULL, NULL);
		assert_null(note(&scene->plan.warnings, "agent-not-loaded"));
	}
}

static void denormals_are_flushed_only_when_asked(void **state)
{
	struct scene *scene = *state;
	const struct setting *row;

	scene_instances(scene, 1, PIN_NONE);
	scene_decide_in(scene, NULL, NULL);
	assert_null(row_of(scene, setting_flush, 0));
	assert_null(strstr(value_of(scene, "FETTLE_PLAN", 0), "fp="));
	assert_seen(scene, 0, "LD_PRELOAD", NULL);
	scene->workload.request.flush_denormals = true;
	scene_decide_in(scene, "LD_PRELOAD=/a.so", NULL);
	row = row_of(scene, setting_flush, 0);
	assert_non_null(row);
	assert_int_equal(row->origin, ORIGIN_OPTION);
	assert_int_equal(row->changes_numbers, NUMBERS_CHANGED);
	assert_seen(scene, 0, setting_flush, NULL);
	assert_seen(scene, 0, "LD_PRELOAD", SCENE_AGENT ":/a.so");
	assert_non_null(strstr(value_of(scene, "FETTLE_PLAN", 0), ";fp=flush;set="));
}

static void a_flush_that_nobody_would_carry_out_is_refused(void **state)
{
	struct scene *scene = *state;

	scene_instances(scene, 1, PIN_INSTANCE);
	scene->workload.request.flush_denormals = true;
	for (size_t i = 0; i < ARRAY_SIZE(without_agent); i++) {
		scene->target = without_agent[i].target;
		scene->workload.agent_path = without_agent[i].agent;
		assert_int_equal(scene_decide(scene), -EINVAL);
		assert_non_null(strstr(scene->err.text, "--flush-denormals: "));
		scene_forget(scene);
	}
}

static void binding_is_listed_but_no_variable(void **state)
{
	struct scene *scene = *state;

	scene_instances(scene, 2, PIN_INSTANCE);
	scene->instances[0].memory_policy = MEMORY_PREFERRED;
	scene->instances[1].memory_policy = MEMORY_LOCAL;
	scene_decide_in(scene, "cpu-affinity=mine", NULL);
	assert_string_equal(value_of(scene, "cpu-affinity", 1), "4-7");
	assert_string_equal(value_of(scene, "memory-policy", 0), "preferred:0");
	assert_string_equal(value_of(scene, "memory-policy", 1), "local");
	assert_false(row_of(scene, "cpu-affinity", 0)->environment);
	assert_seen(scene, 0, "cpu-affinity", "mine");
	assert_seen(scene, 0, "memory-policy", NULL);
	scene_instances(scene, 1, PIN_NONE);
	scene->instances[0].memory_policy = MEMORY_NONE;
	scene_decide_in(scene, NULL, NULL);
	assert_null(row_of(scene, "cpu-affinity", 0));
	assert_null(row_of(scene, "memory-policy", 0));
}

static void the_record_tells_the_plan_and_what_is_ours(void **state)
{
	struct scene *scene = *state;
	const char *record;

	scene_instances(scene, 2, PIN_THREADS);
	scene->instances[1].memory_policy = MEMORY_BIND;
	hwloc_bitmap_set(scene->instances[1].mask_os, 11);
	scene->without[0] = "pools";
	scene->workload.wishes.without_count = 1;
	scene->set[0] = "FOO=1";
	scene->workload.wishes.set_count = 1;
	scene_decide_in(scene, "OMP_NUM_THREADS=4", NULL);
	assert_string_equal(value_of(scene, "FETTLE_PLAN", 0),
			    "1;i=0/2;cpus=0-3;mask=0-3;pin=threads;mem=none;"
			    "set=OMP_PLACES,OMP_PROC_BIND,GLIBC_TUNABLES,LD_PRELOAD");
	record = value_of(scene, "FETTLE_PLAN", 1);
	assert_string_equal(record, "1;i=1/2;cpus=4-7;mask=4-7,11;pin=threads;mem=bind:0;"
				    "set=OMP_PLACES,OMP_PROC_BIND,GLIBC_TUNABLES,LD_PRELOAD");
	assert_seen(scene, 1, "FETTLE_PLAN", record);
	assert_string_equal(scene->settings->items[scene->settings->count - 1].name, "FETTLE_PLAN");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_pool_gets_the_planned_threads),
		TEST(equal_values_make_one_row),
		TEST(places_follow_thread_order_and_only_when_threads_are_pinned),
		TEST(the_users_variable_stays_and_says_so),
		TEST(threads_of_the_user_that_differ_from_the_plan_are_warned_of),
		TEST(a_thread_limit_below_the_threads_is_refused_or_repaired),
		TEST(a_users_binding_is_never_contradicted),
		TEST(tunables_are_merged_key_by_key),
		TEST(nothing_is_merged_when_the_user_says_it_all),
		TEST(malloc_is_tuned_only_where_glibcs_is_used),
		TEST(kept_memory_is_an_eighth_of_each_instances_share),
		TEST(the_agent_joins_the_users_preloads_once),
		TEST(a_program_that_cannot_take_the_agent_is_warned_of),
		TEST(denormals_are_flushed_only_when_asked),
		TEST(a_flush_that_nobody_would_carry_out_is_refused),
		TEST(binding_is_listed_but_no_variable),
		TEST(the_record_tells_the_plan_and_what_is_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* --allocator: which malloc is chosen, what is set for it, and what is refused. */
#include "settings_scene.h"

#include "base/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define GIB     ((uint64_t)1 << 30)
#define LIBRARY "/opt/lib/libmalloc.so.4"
#define TUNED   "glibc.malloc.mmap_threshold=1073741824:glibc.malloc.top_pad=67108864:"
#define PLAIN   "oversize_threshold:1,background_thread:true,metadata_thp:auto"
#define KEEPS   ",dirty_decay_ms:9000000000,muzzy_decay_ms:9000000000"

static void limit(struct scene *scene, uint64_t bytes)
{
	scene->machine.limits.memory_bytes = (struct fact){ .state = FACT_KNOWN, .value = bytes };
}

static void ask(struct scene *scene, enum allocator allocator, const char *path, bool proven)
{
	scene->workload.request.allocator = allocator;
	scene->workload.malloc_library = (struct workload_library){ .path = path, .proven = proven };
}

static void each_word_sets_what_it_stands_for(void **state)
{
	static const struct {
		enum allocator allocator;
		const char *row, *preload, *conf;
		bool tuned, slow;
	} rows[] = {
		{ ALLOCATOR_GLIBC, "(none)", NULL, NULL, false, false },
		{ ALLOCATOR_TUNED_GLIBC, "(none)", NULL, NULL, true, false },
		{ ALLOCATOR_JEMALLOC, "jemalloc", LIBRARY, PLAIN, false, true },
		{ ALLOCATOR_JEMALLOC_AGGRESSIVE, "jemalloc-aggressive", LIBRARY, PLAIN KEEPS, false, true },
		{ ALLOCATOR_TCMALLOC, "tcmalloc", LIBRARY, NULL, false, false },
		{ ALLOCATOR_MIMALLOC, "mimalloc", LIBRARY, NULL, false, true },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ask(scene, rows[i].allocator, LIBRARY, true);
		scene_decide_in(scene, NULL, NULL);
		assert_string_equal(value_of(scene, "allocator", 0), rows[i].row);
		assert_seen(scene, 0, "LD_PRELOAD", rows[i].preload);
		assert_seen(scene, 0, "MALLOC_CONF", rows[i].conf);
		assert_seen(scene, 0, "allocator", NULL);
		assert_int_equal(row_of(scene, "GLIBC_TUNABLES", 0) != NULL, rows[i].tuned);
		assert_int_equal(note(&scene->plan.warnings, "allocator-slow") != NULL, rows[i].slow);
		assert_null(note(&scene->plan.warnings, "allocator-unchecked"));
		if (rows[i].preload)
			assert_int_equal(row_of(scene, "allocator", 0)->origin, ORIGIN_OPTION);
	}
}

static void who_asked_and_what_for_is_said(void **state)
{
	static const char *const of_profile[] = { "threads", "allocator", NULL };
	struct scene *scene = *state;

	ask(scene, ALLOCATOR_TCMALLOC, LIBRARY, true);
	scene->workload.of_profile = of_profile;
	scene_decide_in(scene, NULL, NULL);
	assert_int_equal(row_of(scene, "allocator", 0)->origin, ORIGIN_PROFILE);
	ask(scene, ALLOCATOR_AUTO, LIBRARY, true);
	scene->workload.framework = "onnxruntime";
	scene_decide_in(scene, NULL, NULL);
	assert_int_equal(row_of(scene, "allocator", 0)->origin, ORIGIN_PLAN);
	assert_non_null(
		strstr(row_of(scene, "allocator", 0)->why, "onnxruntime is in the program's Python environment"));
}

static void with_best_effort_something_stands_in_for_what_cannot_be_had(void **state)
{
	static const struct {
		enum allocator allocator;
		const char *path, *preload;
		uint64_t limit;
		const char *gets; /* row "allocator" */
		bool tuned;
		const char *why; /* NULL: it is had */
	} rows[] = {
		{ ALLOCATOR_TCMALLOC, LIBRARY, NULL, 0, "tcmalloc", false, NULL },
		{ ALLOCATOR_TCMALLOC, NULL, NULL, 0, "(none)", true,
		  "it is nowhere; to have it: Debian's libtcmalloc" },
		{ ALLOCATOR_JEMALLOC, LIBRARY, "LD_PRELOAD=/x/libtcmalloc.so", 0, "(none)", false, "another malloc" },
		{ ALLOCATOR_JEMALLOC_AGGRESSIVE, LIBRARY, NULL, GIB, "jemalloc", false, "memory limit is too small" },
		{ ALLOCATOR_JEMALLOC_AGGRESSIVE, LIBRARY, NULL, 0, "jemalloc-aggressive", false, NULL },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *said;

		ask(scene, rows[i].allocator, rows[i].path, true);
		scene->workload.malloc_library.why_not = rows[i].path ? NULL : "it is nowhere";
		scene->workload.request.best_effort = true;
		scene->machine.limits.memory_bytes = (struct fact){ .state = FACT_ABSENT };
		if (rows[i].limit)
			limit(scene, rows[i].limit);
		scene_decide_in(scene, rows[i].preload, NULL);
		said = note(&scene->plan.warnings, "allocator-fallback");
		assert_string_equal(value_of(scene, "allocator", 0), rows[i].gets);
		assert_int_equal(row_of(scene, "GLIBC_TUNABLES", 0) != NULL, rows[i].tuned);
		assert_int_equal(said != NULL, rows[i].why != NULL);
		if (said && rows[i].why && !strstr(said, rows[i].why))
			fail_msg("row %zu: %s", i, said);
	}
}

static void auto_takes_a_proven_tcmalloc_and_tunes_glibc_without(void **state)
{
	struct scene *scene = *state;

	ask(scene, ALLOCATOR_AUTO, LIBRARY, true);
	scene_decide_in(scene, "LD_PRELOAD=/a.so", NULL);
	assert_string_equal(value_of(scene, "allocator", 0), "tcmalloc");
	assert_int_equal(row_of(scene, "allocator", 0)->origin, ORIGIN_PLAN);
	assert_null(strstr(row_of(scene, "allocator", 0)->why, "Python"));
	assert_seen(scene, 0, "LD_PRELOAD", LIBRARY ":/a.so");
	assert_null(row_of(scene, "GLIBC_TUNABLES", 0));
	ask(scene, ALLOCATOR_AUTO, NULL, false);
	scene->workload.malloc_library.why_not = "it is nowhere";
	scene_decide_in(scene, NULL, NULL);
	assert_null(row_of(scene, "allocator", 0));
	assert_non_null(strstr(row_of(scene, "GLIBC_TUNABLES", 0)->why, "tcmalloc is not preloaded: it is nowhere"));
	assert_null(note(&scene->plan.warnings, "allocator-unusable"));
	scene->workload.malloc_library.broken = true;
	scene_decide_in(scene, NULL, NULL);
	assert_string_equal(note(&scene->plan.warnings, "allocator-unusable"),
			    "tcmalloc is not preloaded: it is nowhere");
}

static void auto_bends_around_what_the_user_set(void **state)
{
	static const struct {
		const char *entry;
		bool tuned;
	} rows[] = {
		{ "LD_PRELOAD=/usr/lib/libjemalloc.so.2", false },
		{ "LD_PRELOAD=/usr/lib/libasan.so.8", false },
		{ "MALLOC_CONF=narenas:1", false },
		{ "GLIBC_TUNABLES=glibc.malloc.arena_max=1", true },
		{ "MALLOC_ARENA_MAX=1", true },
		{ "MALLOC_TRIM_THRESHOLD_=1", true },
	};
	struct scene *scene = *state;

	ask(scene, ALLOCATOR_AUTO, LIBRARY, true);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		scene_decide_in(scene, rows[i].entry, NULL);
		assert_null(row_of(scene, "allocator", 0));
		assert_int_equal(row_of(scene, "GLIBC_TUNABLES", 0) != NULL, rows[i].tuned);
		assert_int_equal(note(&scene->plan.reasons, "allocator") != NULL, !rows[i].tuned);
	}
	scene_decide_in(scene, "GLIBC_TUNABLES=glibc.rtld.nns=8", NULL);
	assert_non_null(row_of(scene, "allocator", 0));
}

static void what_cannot_be_preloaded_is_refused_with_its_reason(void **state)
{
	static const struct {
		struct target target;
		const char *entry, *without, *said, *hint;
	} rows[] = {
		{ { .libc = TARGET_LIBC_NONE, .elf_class = 64 }, NULL, NULL, "static", "--allocator glibc" },
		{ { .libc = TARGET_LIBC_MUSL, .elf_class = 64 }, NULL, NULL, "not glibc", "--allocator glibc" },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64, .set_id = true }, NULL, NULL, "rights", "glibc" },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64, .foreign = true },
		  NULL,
		  NULL,
		  "architecture",
		  "tuned" },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64 },
		  "LD_PRELOAD=libhoard.so",
		  NULL,
		  "another malloc",
		  "take it" },
		{ { .libc = TARGET_LIBC_GLIBC, .elf_class = 64 }, NULL, "preload", "--no preload", "tuned-glibc" },
	};
	struct scene *scene = *state;

	for (enum allocator a = ALLOCATOR_JEMALLOC; a < (enum allocator)ALLOCATOR_COUNT; a++) {
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			ask(scene, a, LIBRARY, true);
			scene->target = rows[i].target;
			scene->environment[0] = rows[i].entry;
			scene->without[0] = rows[i].without;
			scene->workload.wishes.without_count = rows[i].without != NULL;
			assert_int_equal(scene_decide(scene), -EINVAL);
			assert_non_null(strstr(scene->err.text, allocator_words[a]));
			assert_non_null(strstr(scene->err.text, rows[i].said));
			assert_non_null(strstr(scene->err.hint, rows[i].hint));
		}
	}
}

static void a_library_that_is_missing_or_broken_is_refused(void **state)
{
	struct scene *scene = *state;

	ask(scene, ALLOCATOR_JEMALLOC, NULL, false);
	scene->workload.malloc_library.why_not = "it is nowhere";
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_string_equal(scene->err.text, "--allocator jemalloc: it is nowhere");
	assert_non_null(strstr(scene->err.hint, "libjemalloc2"));
	scene->workload.malloc_library.broken = true;
	scene_forget(scene);
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_null(strstr(scene->err.hint, "libjemalloc2"));
}

static void tuned_glibc_is_refused_where_it_would_do_nothing(void **state)
{
	static const struct target targets[] = { { .libc = TARGET_LIBC_NONE, .elf_class = 64 },
						 { .libc = TARGET_LIBC_MUSL, .elf_class = 64 },
						 { .libc = TARGET_LIBC_GLIBC, .elf_class = 32 },
						 { .libc = TARGET_LIBC_GLIBC, .elf_class = 64, .set_id = true } };
	struct scene *scene = *state;

	ask(scene, ALLOCATOR_TUNED_GLIBC, NULL, false);
	/* The user's jemalloc string is no reason against an explicit word. */
	scene_decide_in(scene, "MALLOC_CONF=x", NULL);
	assert_non_null(row_of(scene, "GLIBC_TUNABLES", 0));
	scene->environment[0] = NULL;
	limit(scene, GIB - 1);
	assert_int_equal(scene_decide(scene), -EINVAL);
	assert_non_null(strstr(scene->err.text, "memory limit"));
	limit(scene, GIB);
	assert_int_equal(scene_decide(scene), 0);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		scene->target = targets[i];
		assert_int_equal(scene_decide(scene), -EINVAL);
		assert_non_null(strstr(scene->err.hint, "--allocator glibc"));
	}
}

static void the_aggressive_form_needs_headroom(void **state)
{
	static const struct {
		size_t instances;
		uint64_t bytes;
		int result;
		unsigned workers; /* of two threads, then */
	} rows[] = { { 1, 5 * GIB, 0 },    { 1, 5 * GIB - 1, -EINVAL },
		     { 2, 10 * GIB, 0 },   { 2, 10 * GIB - 2, -EINVAL },
		     { 1, 6 * GIB, 0, 2 }, { 1, 6 * GIB - 2, -EINVAL, 2 } };
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) { /* instances of 4 threads */
		scene_instances(scene, rows[i].instances, PIN_INSTANCE);
		scene->workload.workers = rows[i].workers;
		limit(scene, rows[i].bytes);
		ask(scene, ALLOCATOR_JEMALLOC_AGGRESSIVE, LIBRARY, true);
		assert_int_equal(scene_decide(scene), rows[i].result);
		if (rows[i].result < 0)
			assert_non_null(strstr(scene->err.text, "1 GiB"));
		ask(scene, ALLOCATOR_JEMALLOC, LIBRARY, true);
		assert_int_equal(scene_decide(scene), 0);
	}
}

static void tcmalloc_gives_back_faster_under_a_limit(void **state)
{
	struct scene *scene = *state;

	ask(scene, ALLOCATOR_TCMALLOC, LIBRARY, true);
	limit(scene, 32 * GIB);
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "TCMALLOC_RELEASE_RATE", NULL);
	limit(scene, 32 * GIB - 1);
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "TCMALLOC_RELEASE_RATE", "10");
	scene_decide_in(scene, "TCMALLOC_RELEASE_RATE=2", NULL);
	assert_seen(scene, 0, "TCMALLOC_RELEASE_RATE", "2");
	assert_int_equal(row_of(scene, "TCMALLOC_RELEASE_RATE", 0)->origin, ORIGIN_USER);
}

static void the_users_string_for_jemalloc_stays(void **state)
{
	struct scene *scene = *state;

	ask(scene, ALLOCATOR_JEMALLOC, LIBRARY, true);
	scene_decide_in(scene, "MALLOC_CONF=dirty_decay_ms:-1", NULL);
	assert_seen(scene, 0, "MALLOC_CONF", "dirty_decay_ms:-1");
	assert_seen(scene, 0, "LD_PRELOAD", LIBRARY);
	assert_int_equal(row_of(scene, "MALLOC_CONF", 0)->origin, ORIGIN_USER);
}

static void another_machines_library_is_planned_and_warned_of(void **state)
{
	struct scene *scene = *state;

	ask(scene, ALLOCATOR_TCMALLOC, "libtcmalloc_minimal.so.4", false);
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "LD_PRELOAD", "libtcmalloc_minimal.so.4");
	assert_non_null(note(&scene->plan.warnings, "allocator-unchecked"));
}

static void a_glibc_that_refuses_the_threshold_gets_another_key(void **state)
{
	struct scene *scene = *state;

	scene->workload.malloc_threshold_capped = true;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "GLIBC_TUNABLES",
		    "glibc.malloc.mmap_max=0:glibc.malloc.top_pad=67108864:glibc.malloc.trim_threshold=4294967296");
	scene_decide_in(scene, "MALLOC_MMAP_MAX_=5", NULL);
	assert_seen(scene, 0, "GLIBC_TUNABLES", "glibc.malloc.top_pad=67108864:glibc.malloc.trim_threshold=4294967296");
}

static void the_family_left_out_leaves_everything(void **state)
{
	struct scene *scene = *state;

	ask(scene, ALLOCATOR_TCMALLOC, LIBRARY, true);
	scene->without[0] = "allocator";
	scene->workload.wishes.without_count = 1;
	scene_decide_in(scene, NULL, NULL);
	assert_seen(scene, 0, "LD_PRELOAD", NULL);
	assert_seen(scene, 0, "GLIBC_TUNABLES", NULL);
	assert_non_null(note(&scene->plan.warnings, "allocator"));
}

static void a_nested_fettle_chooses_anew(void **state)
{
	static const char *const users[] = { NULL, "LD_PRELOAD=/a.so", "LD_PRELOAD=/a.so:/b.so" };
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		char **environment = NULL;

		scene->environment[0] = users[i];
		ask(scene, ALLOCATOR_JEMALLOC, "/usr/lib/libjemalloc.so.2", true);
		assert_int_equal(scene_decide(scene), 0);
		assert_int_equal(
			settings_environment(scene->settings, 0, scene->environment, &environment, &scene->err), 0);
		/* Inside: its jemalloc is not the user's, nor is its string. */
		ask(scene, ALLOCATOR_AUTO, NULL, false);
		scene->workload.environment = (const char *const *)environment;
		assert_int_equal(scene_decide(scene), 0);
		assert_string_equal(value_of(scene, "LD_PRELOAD", 0),
				    users[i] ? users[i] + strlen("LD_PRELOAD=") : "(none)");
		assert_non_null(row_of(scene, "MALLOC_CONF", 0));
		assert_null(row_of(scene, "MALLOC_CONF", 0)->value);
		assert_string_equal(value_of(scene, "GLIBC_TUNABLES", 0),
				    TUNED "glibc.malloc.trim_threshold=4294967296");
		scene->workload.environment = scene->environment;
		environment_free(environment);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_word_sets_what_it_stands_for),
		TEST(who_asked_and_what_for_is_said),
		TEST(with_best_effort_something_stands_in_for_what_cannot_be_had),
		TEST(auto_takes_a_proven_tcmalloc_and_tunes_glibc_without),
		TEST(auto_bends_around_what_the_user_set),
		TEST(what_cannot_be_preloaded_is_refused_with_its_reason),
		TEST(a_library_that_is_missing_or_broken_is_refused),
		TEST(tuned_glibc_is_refused_where_it_would_do_nothing),
		TEST(the_aggressive_form_needs_headroom),
		TEST(tcmalloc_gives_back_faster_under_a_limit),
		TEST(the_users_string_for_jemalloc_stays),
		TEST(another_machines_library_is_planned_and_warned_of),
		TEST(a_glibc_that_refuses_the_threshold_gets_another_key),
		TEST(the_family_left_out_leaves_everything),
		TEST(a_nested_fettle_chooses_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

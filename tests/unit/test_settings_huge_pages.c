/* SPDX-License-Identifier: Apache-2.0 */
/* Huge pages: asked for, kept out of a nested fettle, refused where there are none. */
#include "settings_scene.h"

#include "base/cleanup.h"
#include "machine/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void huge_pages_are_asked_for_only_when_asked(void **state)
{
	struct scene *scene = *state;

	scene_decide_in(scene, NULL, NULL);
	assert_null(strstr(value_of(scene, "GLIBC_TUNABLES", 0), "hugetlb"));
	assert_seen(scene, 0, "THP_MEM_ALLOC_ENABLE", NULL);
	scene->workload.request.huge_pages = HUGE_PAGES_MADVISE;
	scene_decide_in(scene, NULL, NULL);
	assert_non_null(strstr(value_of(scene, "GLIBC_TUNABLES", 0), ":glibc.malloc.hugetlb=1:"));
	assert_non_null(strstr(row_of(scene, "GLIBC_TUNABLES", 0)->why, "--huge-pages"));
	assert_seen(scene, 0, "THP_MEM_ALLOC_ENABLE", "1");
	assert_int_equal(row_of(scene, "THP_MEM_ALLOC_ENABLE", 0)->origin, ORIGIN_OPTION);
	scene_decide_in(scene, "GLIBC_TUNABLES=glibc.malloc.hugetlb=2", "THP_MEM_ALLOC_ENABLE=0");
	assert_non_null(strstr(value_of(scene, "GLIBC_TUNABLES", 0), "glibc.malloc.hugetlb=2:"));
	assert_null(strstr(value_of(scene, "GLIBC_TUNABLES", 0), "hugetlb=1"));
	assert_seen(scene, 0, "THP_MEM_ALLOC_ENABLE", "0");
}

static void an_outer_fettles_hugetlb_is_not_the_users(void **state)
{
	struct scene *scene = *state;
	char **environment = NULL;

	scene->workload.request.huge_pages = HUGE_PAGES_MADVISE;
	scene_decide_in(scene, "GLIBC_TUNABLES=glibc.malloc.check=3", NULL);
	assert_int_equal(settings_environment(scene->settings, 0, scene->environment, &environment, &scene->err), 0);
	scene->workload.request.huge_pages = HUGE_PAGES_NONE;
	scene->workload.environment = (const char *const *)environment;
	assert_int_equal(scene_decide(scene), 0);
	assert_null(strstr(value_of(scene, "GLIBC_TUNABLES", 0), "hugetlb"));
	assert_memory_equal(value_of(scene, "GLIBC_TUNABLES", 0), "glibc.malloc.check=3:", 21);
	environment_free(environment);
}

static void huge_pages_the_kernel_has_not_are_refused(void **state)
{
	static const struct {
		enum fact_state fact;
		const char *mode;
		int code;
	} rows[] = {
		{ FACT_KNOWN, "never", -EINVAL }, { FACT_ABSENT, NULL, -EINVAL }, { FACT_KNOWN, "madvise", 0 },
		{ FACT_KNOWN, "always", 0 },      { FACT_UNKNOWN, NULL, 0 },
	};
	struct scene *scene = *state;
	struct host host = { 0 };
	struct fact *fact = &host.facts[HOST_HUGE_PAGES];

	scene->machine.host = &host;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(fact_set(fact, rows[i].fact, 0, "/enabled", rows[i].mode), 0);
		scene->workload.request.huge_pages = HUGE_PAGES_MADVISE;
		assert_int_equal(scene_decide(scene), rows[i].code);
		assert_int_equal(note(&scene->plan.reasons, "huge-pages") != NULL,
				 rows[i].mode && strcmp(rows[i].mode, "always") == 0);
		scene->workload.request.huge_pages = HUGE_PAGES_NONE;
		assert_int_equal(scene_decide(scene), 0);
	}
	fact_clear(fact);
	scene->machine.host = NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(huge_pages_are_asked_for_only_when_asked),
		TEST(an_outer_fettles_hugetlb_is_not_the_users),
		TEST(huge_pages_the_kernel_has_not_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

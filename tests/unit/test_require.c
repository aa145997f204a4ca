/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/require.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "report/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static bool unmet(const char *value, const struct report *report, struct required *ret_required)
{
	struct require require;
	struct err err = { 0 };
	bool found;

	assert_int_equal(require_parse(value, &require, &err), 0);
	found = require_unmet(&require, report, ret_required);
	require_clear(&require);
	return found;
}

static void without_ids_errors_and_checks_that_differ_count(void **state)
{
	struct finding findings[] = { { .id = "cpu-shared", .severity = SEVERITY_ERROR },
				      { .id = "neighbours-busy", .severity = SEVERITY_WARNING } };
	struct check checks[] = { { .name = "threads", .verdict = VERDICT_UNKNOWN },
				  { .name = "memory", .verdict = VERDICT_DIFFERS } };
	const struct report all = { .findings = findings, .finding_count = 2, .checks = checks, .check_count = 2 };
	const struct report mild = { .findings = findings + 1, .finding_count = 1, .checks = checks, .check_count = 1 };
	const struct report differing = { .checks = checks, .check_count = 2 };
	struct required required;

	(void)state;
	assert_true(unmet("", &all, &required));
	assert_ptr_equal(required.finding, &findings[0]);
	assert_true(unmet("start", &differing, &required));
	assert_null(required.finding);
	assert_ptr_equal(required.check, &checks[1]);
	assert_false(unmet("", &mild, &required)); /* a warning, and something unknown */
	assert_false(unmet(NULL, &all, &required));
}

static void with_ids_those_and_no_others_count(void **state)
{
	struct finding findings[] = { { .id = "cpu-shared", .severity = SEVERITY_ERROR },
				      { .id = "neighbours-busy", .severity = SEVERITY_WARNING } };
	struct check checks[] = { { .name = "threads", .verdict = VERDICT_DIFFERS } };
	const struct report report = { .findings = findings, .finding_count = 2, .checks = checks, .check_count = 1 };
	struct required required;

	(void)state;
	assert_true(unmet("neighbours-busy", &report, &required));
	assert_ptr_equal(required.finding, &findings[1]);
	assert_true(unmet("start,memory,threads", &report, &required));
	assert_ptr_equal(required.check, &checks[0]);
	assert_false(unmet("cpu-escaped,memory", &report, &required));
}

static void what_is_not_known_is_told_and_fails_nothing(void **state)
{
	struct check checks[] = { { .name = "threads", .verdict = VERDICT_UNKNOWN } };
	const struct report report = { .checks = checks, .check_count = 1 };
	struct require all, memory;
	struct required required;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(require_parse("", &all, &err), 0);
	assert_int_equal(require_parse("memory", &memory, &err), 0);
	assert_true(require_unknown(&all, &report, &required));
	assert_ptr_equal(required.check, &checks[0]);
	assert_false(require_unmet(&all, &report, &required));
	assert_false(require_unknown(&memory, &report, &required));
	require_clear(&all);
	require_clear(&memory);
}

static void an_id_that_is_none_is_refused_with_the_nearest(void **state)
{
	struct require require;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(require_parse("threads,cpu-escapd", &require, &err), -EINVAL);
	assert_non_null(strstr(err.text, "nearest is 'cpu-escaped'"));
	assert_int_equal(require_parse("strat", &require, &err), -EINVAL);
	assert_non_null(strstr(err.text, "nearest is 'start'"));
	assert_int_equal(require_parse("threads,", &require, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_ids_errors_and_checks_that_differ_count),
		cmocka_unit_test(with_ids_those_and_no_others_count),
		cmocka_unit_test(what_is_not_known_is_told_and_fails_nothing),
		cmocka_unit_test(an_id_that_is_none_is_refused_with_the_nearest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

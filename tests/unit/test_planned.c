/* SPDX-License-Identifier: Apache-2.0 */
/* FETTLE_PLAN, read again. */
#include "settings/planned.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void a_broken_record_says_which_field(void **state)
{
	static const char *const broken[] = {
		"1;i=0;cpus=0;mask=0;pin=threads;mem=none;set=",
		"1;i=0/1;cpus=x;mask=0;pin=threads;mem=none;set=",
		"1;i=0/1;cpus=0;pin=threads;mem=none;set=",
		"1;i=0/1;cpus=0;mask=0;pin=glue;mem=none;set=",
		"1;i=0/1;cpus=0;mask=0;pin=none;mem=cloud;set=",
		"1;i=0/1;cpus=0;mask=0;pin=none;mem=bind:x;set=",
		"1;i=a/b;cpus=0;mask=0;pin=threads;mem=none;set=",
		"1;i=0/1;cpus=0-3;mask=0-3;pin=instance;mem=none;each=few;set=",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct planned planned = { .known = false };
		struct err err = { 0 };

		assert_int_equal(planned_read(broken[i], &planned, &err), -EINVAL);
		assert_non_null(strstr(err.text, "FETTLE_PLAN"));
	}
}

static void a_record_says_what_each_process_has(void **state)
{
	static const struct {
		const char *record;
		unsigned threads;
		bool shared;
	} rows[] = {
		{ "1;i=0/1;cpus=0-3;mask=0-3;pin=instance;mem=none;set=", 4, false },
		{ "1;i=0/1;cpus=0-3;mask=0-3;pin=instance;mem=none;each=2;set=", 2, true },
		{ "1;i=0/1;cpus=0-3;mask=0-3;pin=none;mem=none;each=0;set=", 0, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_planned struct planned planned = { .known = false };
		struct err err = { 0 };

		assert_int_equal(planned_read(rows[i].record, &planned, &err), 0);
		assert_int_equal(planned.threads, rows[i].threads);
		assert_int_equal(planned.shared, rows[i].shared);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broken_record_says_which_field),
		cmocka_unit_test(a_record_says_what_each_process_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

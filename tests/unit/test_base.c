/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/record.h"
#include "base/sysroot.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

static void numbers_are_taken_whole_or_refused(void **state)
{
	uint64_t value = 7;
	unsigned count = 7;
	int number = 7;

	(void)state;
	assert_int_equal(parse_u64("18446744073709551615", &value), 0);
	assert_true(value == UINT64_MAX);
	value = 7;
	assert_int_equal(parse_u64("18446744073709551616", &value), -ERANGE);
	assert_int_equal(parse_u64("", &value), -EINVAL);
	assert_int_equal(parse_u64(" 1", &value), -EINVAL);
	assert_int_equal(parse_u64("1 ", &value), -EINVAL);
	assert_int_equal(parse_u64("+1", &value), -EINVAL);
	assert_true(value == 7);
	assert_int_equal(parse_unsigned("4294967296", &count), -ERANGE);
	assert_int_equal(count, 7);
	assert_int_equal(parse_int("-1", &number), 0);
	assert_int_equal(number, -1);
	assert_int_equal(parse_int("--1", &number), -EINVAL);
}

static void bytes_take_one_suffix(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(parse_bytes("2G", &bytes), 0);
	assert_true(bytes == 2ULL << 30);
	assert_int_equal(parse_bytes("3k", &bytes), 0);
	assert_true(bytes == 3072);
	assert_int_equal(parse_bytes("3KB", &bytes), -EINVAL);
	assert_int_equal(parse_bytes("3X", &bytes), -EINVAL);
	assert_int_equal(parse_bytes("G", &bytes), -EINVAL);
	assert_int_equal(parse_bytes("99999999999T", &bytes), -ERANGE);
}

static void milli_keeps_three_digits(void **state)
{
	uint64_t milli = 0;

	(void)state;
	assert_int_equal(parse_milli("1.5", &milli), 0);
	assert_true(milli == 1500);
	assert_int_equal(parse_milli("0.0419", &milli), 0);
	assert_true(milli == 41);
	assert_int_equal(parse_milli("12", &milli), 0);
	assert_true(milli == 12000);
	assert_int_equal(parse_milli("0", &milli), -EINVAL);
	assert_int_equal(parse_milli("1.", &milli), -EINVAL);
	assert_int_equal(parse_milli("1,5", &milli), -EINVAL);
	assert_int_equal(parse_milli("-1", &milli), -EINVAL);
}

static void parts_are_counts_or_percentages(void **state)
{
	struct part part = { 7, true };

	(void)state;
	assert_int_equal(parse_part("3", &part), 0);
	assert_true(part.amount == 3 && !part.percent);
	assert_int_equal(parse_part("25%", &part), 0);
	assert_true(part.amount == 25 && part.percent);
	assert_int_equal(parse_part("101%", &part), -ERANGE);
	assert_int_equal(parse_part("99999999999", &part), -ERANGE);
	assert_int_equal(parse_part("123456789012345678%", &part), -EINVAL);
	assert_int_equal(parse_part("%", &part), -EINVAL);
	assert_int_equal(parse_part("", &part), -EINVAL);
	assert_int_equal(parse_part("2.5%", &part), -EINVAL);
	assert_int_equal(parse_part("5%%", &part), -EINVAL);
	assert_true(part.amount == 25 && part.percent);
}

static void lists_print_what_they_parse(void **state)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
		{ "", "" },         { "0", "0" },         { "0-3,8", "0-3,8" }, { "8,0-3\n", "0-3,8" },
		{ "3,1,2", "1-3" }, { "0-8:4", "0,4,8" }, { "65535", "65535" }, { " 1 ", "1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_bitmap hwloc_bitmap_t set = NULL;
		cleanup_free char *text = NULL;
		struct err err = { 0 };

		assert_int_equal(cpulist_parse(rows[i].text, &set, &err), 0);
		text = cpulist_text(set);
		assert_string_equal(text, rows[i].printed);
	}
}

static void bad_lists_are_refused_by_name(void **state)
{
	static const char *const bad[] = { "a",  "1-",    "-1",  "3-1",   "1,,2", "1,",
					   ",1", "1-2:0", "1:2", "65536", "1 2",  "0x3" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		hwloc_bitmap_t set = NULL;
		struct err err = { 0 };

		assert_int_equal(cpulist_parse(bad[i], &set, &err), -EINVAL);
		assert_null(set);
		assert_non_null(strstr(err.text, bad[i]));
	}
}

static void errors_gather_context(void **state)
{
	struct err err = { 0 };

	(void)state;
	assert_int_equal(err_errno(&err, -EPERM, "set_mempolicy"), -EPERM);
	assert_int_equal(err_wrap(&err, "cannot bind memory to node %d", 1), -EPERM);
	assert_string_equal(err.text, "cannot bind memory to node 1: set_mempolicy: Operation not permitted");
}

static void text_grows_and_is_taken_once(void **state)
{
	cleanup_text struct text text = TEXT_INIT;
	cleanup_free char *taken = NULL, *empty = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++)
		text_add(&text, "%d,", i % 10);
	taken = text_take(&text);
	assert_int_equal(strlen(taken), 2000);
	empty = text_take(&text);
	assert_string_equal(empty, "");
}

static void a_captured_root_is_never_left(void **state)
{
	char dir[] = "/tmp/fettle-root-XXXXXX";
	char path[128];
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_free char *text = NULL;
	struct err err = { 0 };
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/inside", dir);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs("42\n", file) >= 0);
	assert_int_equal(fclose(file), 0);
	(void)snprintf(path, sizeof(path), "%s/out", dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(sysroot_open(&root, dir, &err), 0);
	assert_false(root.live);
	assert_int_equal(sysroot_read(&root, "/inside", &text), 0);
	assert_string_equal(text, "42");
	free(TAKE(text));
	assert_int_equal(sysroot_read(&root, "/out", &text), -ENOENT);
	assert_int_equal(sysroot_read(&root, "/../../etc/passwd", &text), -ENOENT);
	assert_int_equal(sysroot_read(&root, "/absent", &text), -ENOENT);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/inside", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void record_fields_are_found_by_whole_key(void **state)
{
	const char *record = "1;i=0/2;cpus=0-3;mask=0-7;pin=threads";
	size_t length = 0;
	const char *mask = record_field(record, "mask=", &length);

	(void)state;
	assert_non_null(mask);
	assert_int_equal(length, 3);
	assert_memory_equal(mask, "0-7", 3);
	assert_null(record_field(record, "ask=", &length));
	assert_null(record_field("2;mask=0", "mask=", &length));
	assert_null(record_field(NULL, "mask=", &length));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_taken_whole_or_refused),
		cmocka_unit_test(bytes_take_one_suffix),
		cmocka_unit_test(milli_keeps_three_digits),
		cmocka_unit_test(parts_are_counts_or_percentages),
		cmocka_unit_test(lists_print_what_they_parse),
		cmocka_unit_test(bad_lists_are_refused_by_name),
		cmocka_unit_test(errors_gather_context),
		cmocka_unit_test(text_grows_and_is_taken_once),
		cmocka_unit_test(a_captured_root_is_never_left),
		cmocka_unit_test(record_fields_are_found_by_whole_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

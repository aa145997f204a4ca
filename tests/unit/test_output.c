/* SPDX-License-Identifier: Apache-2.0 */
/* The way of children's output: lines, numbers in them, sinks that are slow or gone. */
#include "base/cleanup.h"
#include "base/err.h"
#include "launch/collect.h"
#include "launch/lines.h"
#include "launch/output.h"
#include "launch/sink.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>

/* What was taken, pieces as "<...>" and whole lines as "(...)". */
struct taken {
	struct text text;
	size_t longest;
};

static void take(void *to, const char *line, size_t length, bool ended)
{
	struct taken *taken = to;

	text_add(&taken->text, ended ? "(" : "<");
	text_add_bytes(&taken->text, line, length);
	text_add(&taken->text, ended ? ")" : ">");
	taken->longest = length > taken->longest ? length : taken->longest;
}

static void lines_are_the_same_however_the_bytes_come(void **state)
{
	static const char bytes[] = "one\n\ntwo\0three\n\nno end";
	static const char due[] = "(one)()(two\0three)()<no end>";

	(void)state;
	for (size_t step = 1; step < sizeof(bytes); step++) {
		struct taken taken = { .longest = 0 };
		struct lines lines = { .rest = TEXT_INIT };

		for (size_t at = 0; at < sizeof(bytes) - 1; at += step) {
			const size_t left = sizeof(bytes) - 1 - at;

			assert_int_equal(lines_add(&lines, bytes + at, step < left ? step : left, take, &taken), 0);
		}
		lines_finish(&lines, take, &taken);
		lines_finish(&lines, take, &taken); /* nothing is handed over twice */
		assert_int_equal(taken.text.length, sizeof(due) - 1);
		assert_memory_equal(taken.text.data, due, sizeof(due) - 1);
		text_clear(&taken.text);
		lines_clear(&lines);
	}
}

static void a_line_without_end_comes_in_pieces(void **state)
{
	static char bytes[3 * LINES_MAX + 10];
	struct taken taken = { .longest = 0 };
	struct lines lines = { .rest = TEXT_INIT };

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	bytes[sizeof(bytes) - 1] = '\n';
	for (size_t at = 0; at < sizeof(bytes); at += 1000)
		assert_int_equal(lines_add(&lines, bytes + at, sizeof(bytes) - at < 1000 ? sizeof(bytes) - at : 1000,
					   take, &taken),
				 0);
	assert_int_equal(taken.longest, LINES_MAX);
	assert_in_range(lines.rest.capacity, LINES_MAX, 2 * LINES_MAX);
	assert_int_equal(taken.text.length, sizeof(bytes) - 1 + 8); /* three pieces and a line, two marks each */
	text_clear(&taken.text);
	lines_clear(&lines);
}

static void numbers_are_read_where_the_group_is(void **state)
{
	static const struct {
		const char *pattern, *line;
		bool found;
		double number;
	} rows[] = {
		{ "throughput: ([0-9.]+)", "step 3 throughput: 12.5 img/s", true, 12.5 },
		{ "x=([^ ]+)", "x=-1.5e3 ", true, -1500 },
		{ "x=([^ ]+)", "x=1 x=2 x=oops", true, 2 },
		{ "x=([^ ]*)", "x= y", false, 0 },
		{ "x=(.*)", "x= 1", false, 0 },
		{ "x=(.*)", "x=0x10", false, 0 },
		{ "x=(.*)", "x=nan", false, 0 },
		{ "x=(.*)", "x=inf", false, 0 },
		{ "x=(.*)", "x=1e999", false, 0 },
		{ "x=(.*)", "x=1,5", false, 0 },
		{ "^([0-9]+)$", "12", true, 12 },
		{ "^([0-9]+)", "12 13", true, 12 },
		{ "a|x=([0-9])", "a", false, 0 },
		{ "([0-9]*)", "a1b22c", true, 22 },
		{ "x=([0-9]+)", "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		double number = 0;
		regex_t regex;

		assert_int_equal(launch_compile_collect(rows[i].pattern, &regex, &err), 0);
		assert_int_equal(collect_number(&regex, rows[i].line, strlen(rows[i].line), &number), rows[i].found);
		assert_true(number == rows[i].number);
		regfree(&regex);
	}
}

static void a_line_is_looked_at_to_its_end(void **state)
{
	static const char line[] = "bin\0ary x=7zzz";
	struct err err = { 0 };
	double number = 0;
	regex_t regex;

	(void)state;
	assert_int_equal(launch_compile_collect("x=([0-9]+)", &regex, &err), 0);
	assert_true(collect_number(&regex, line, sizeof(line) - 1, &number));
	assert_true(number == 7);
	assert_false(collect_number(&regex, line, 9, &number)); /* not beyond it */
	regfree(&regex);
}

static void patterns_have_exactly_one_group(void **state)
{
	static const char *const wrong[] = { "(", "x=[0-9]+", "(a)(b)", "*(" };
	struct err err = { 0 };
	regex_t regex;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(launch_compile_collect(wrong[i], &regex, &err), -EINVAL);
}

static void a_full_sink_never_blocks_and_loses_nothing(void **state)
{
	static char block[50000];
	static char seen[65536];
	struct sink sink;
	int fds[2];
	size_t added = 0, read_bytes = 0, longest = 0;
	ssize_t n;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	sink_init(&sink, fds[1]);
	for (unsigned round = 0; round < 200; round++) {
		memset(block, 'a' + (int)(round % 26), sizeof(block));
		sink_add(&sink, block, sizeof(block));
		added += sizeof(block);
		sink_flush(&sink); /* would hang here if it blocked */
		if (sink_waiting(&sink) > SINK_FULL) {
			n = read(fds[0], seen, sizeof(seen));
			assert_true(n > 0);
			read_bytes += (size_t)n;
		}
		longest = sink.queue.length > longest ? sink.queue.length : longest;
	}
	assert_in_range(longest, SINK_FULL, 3 * SINK_FULL);
	while (read_bytes < added) {
		sink_flush(&sink);
		n = read(fds[0], seen, sizeof(seen));
		assert_true(n > 0);
		read_bytes += (size_t)n;
	}
	assert_int_equal(read_bytes, added);
	assert_int_equal(sink_waiting(&sink), 0);
	assert_int_equal(sink.error, 0);
	assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0); /* the file we share is as it was */
	sink_clear(&sink);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void a_sink_nobody_reads_says_so_once_and_drops_the_rest(void **state)
{
	struct sink sink;
	int fds[2];

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	sink_init(&sink, fds[1]);
	(void)close(fds[0]);
	sink_add(&sink, "x", 1);
	sink_flush(&sink);
	assert_int_equal(sink.error, -EPIPE);
	sink_add(&sink, "x", 1);
	assert_int_equal(sink_waiting(&sink), 0);
	sink_clear(&sink);
	(void)close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_the_same_however_the_bytes_come),
		cmocka_unit_test(a_line_without_end_comes_in_pieces),
		cmocka_unit_test(numbers_are_read_where_the_group_is),
		cmocka_unit_test(a_line_is_looked_at_to_its_end),
		cmocka_unit_test(patterns_have_exactly_one_group),
		cmocka_unit_test(a_full_sink_never_blocks_and_loses_nothing),
		cmocka_unit_test(a_sink_nobody_reads_says_so_once_and_drops_the_rest),
	};

	(void)alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A program's output with oneDNN's lines taken out: byte for byte, however it comes. */
#include "base/cleanup.h"
#include "base/text.h"
#include "onednn/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define LINE "onednn_verbose,v1,primitive,exec,cpu,matmul,brg,undef,src:f32::blocked:ab::f0,,,8x4:4x2,0.25"

struct outcome {
	struct text theirs, ours;
};

static void outcome_clear(struct outcome *outcome)
{
	text_clear(&outcome->theirs);
	text_clear(&outcome->ours);
}

static void take_theirs(const char *bytes, size_t length, void *context)
{
	text_add_bytes(&((struct outcome *)context)->theirs, bytes, length);
}

static void take_ours(const char *bytes, size_t length, void *context)
{
	text_add_bytes(&((struct outcome *)context)->ours, bytes, length);
}

struct row {
	const char *input, *theirs, *ours;
};

static const struct row rows[] = {
	{ LINE "\n", "", LINE "\n" },
	{ LINE "\r\n", "", LINE "\r\n" },
	{ LINE, "", LINE },
	{ "a\n" LINE "\nb\n", "a\nb\n", LINE "\n" },
	{ "loss: " LINE "\n0.5\n", "loss: 0.5\n", LINE "\n" },
	{ LINE "\n" LINE "\nend", "end", LINE "\n" LINE "\n" },
	{ "onednn_verbose, it says\n", "onednn_verbose, it says\n", "" },
	{ "onednn_verb", "onednn_verb", "" },
	{ "set onednn_verbose=1\nonednn_verbose", "set onednn_verbose=1\nonednn_verbose", "" },
	{ "oonednn_verbosonednn_verbose,x\n", "oonednn_verbosonednn_verbose,x\n", "" },
	{ "onednn_verbose,v1,primitive,exec,cpu," LINE "\n", "onednn_verbose,v1,primitive,exec,cpu,", LINE "\n" },
	{ "\xff\xfe\n\n\n", "\xff\xfe\n\n\n", "" },
	{ "onednn_verbose,info,oneDNN v2.6.3 (commit N/A)\nbye\n", "bye\n",
	  "onednn_verbose,info,oneDNN v2.6.3 (commit N/A)\n" },
	{ "onednn_verbose,v1,primitive,create:dispatch,matmul,unsupported,x.cpp:1\n", "",
	  "onednn_verbose,v1,primitive,create:dispatch,matmul,unsupported,x.cpp:1\n" },
	{ "", "", "" },
};

static void every_byte_goes_where_it_belongs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const size_t length = strlen(rows[i].input);

		for (size_t piece = 1; piece <= length + 1; piece++) {
			cleanup_free struct onednn_split *split = malloc(sizeof(*split));
			cleanup_(outcome_clear) struct outcome outcome = { .theirs = TEXT_INIT };

			onednn_split_init(split, take_theirs, take_ours, &outcome);
			for (size_t at = 0; at < length; at += piece)
				(void)onednn_split_feed(split, rows[i].input + at,
							length - at < piece ? length - at : piece);
			onednn_split_release(split);
			assert_string_equal(outcome.theirs.data ? outcome.theirs.data : "", rows[i].theirs);
			assert_string_equal(outcome.ours.data ? outcome.ours.data : "", rows[i].ours);
		}
	}
}

/* A prompt must be seen before its line ends; what may be a marker is seen when nothing follows. */
static void nothing_is_held_that_cannot_be_a_line(void **state)
{
	cleanup_free struct onednn_split *split = malloc(sizeof(*split));
	cleanup_(outcome_clear) struct outcome outcome = { .theirs = TEXT_INIT };

	(void)state;
	onednn_split_init(split, take_theirs, take_ours, &outcome);
	assert_false(onednn_split_feed(split, "name? ", 6));
	assert_string_equal(outcome.theirs.data, "name? ");
	assert_true(onednn_split_feed(split, "to", 2)); /* "o" begins "onednn_verbose," */
	assert_string_equal(outcome.theirs.data, "name? t");
	onednn_split_release(split);
	assert_string_equal(outcome.theirs.data, "name? to");
	assert_true(onednn_split_feed(split, LINE, sizeof(LINE) - 1));
	assert_null(outcome.ours.data);
	assert_false(onednn_split_feed(split, "\n", 1));
	assert_string_equal(outcome.ours.data, LINE "\n");
}

static void a_line_without_end_is_the_programs(void **state)
{
	enum { LENGTH = 3 * ONEDNN_LINE_MAX };
	cleanup_free struct onednn_split *split = malloc(sizeof(*split));
	cleanup_(outcome_clear) struct outcome outcome = { .theirs = TEXT_INIT };
	cleanup_free char *text = malloc(LENGTH + 1);

	(void)state;
	memset(text, 'x', LENGTH);
	memcpy(text, LINE, sizeof(LINE) - 1);
	text[LENGTH] = '\0';
	onednn_split_init(split, take_theirs, take_ours, &outcome);
	assert_false(onednn_split_feed(split, text, LENGTH));
	assert_string_equal(outcome.theirs.data, text);
	assert_null(outcome.ours.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_goes_where_it_belongs),
		cmocka_unit_test(nothing_is_held_that_cannot_be_a_line),
		cmocka_unit_test(a_line_without_end_is_the_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

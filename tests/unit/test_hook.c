/* SPDX-License-Identifier: Apache-2.0 */
/* Where the hook for PyTorch tells, and what becomes of what stands there; what processes write is played here. */
#include "observe/hook_file.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/words.h"
#include "report/hook_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static void make(struct hook_file *file)
{
	struct err err = { 0 };

	assert_int_equal(hook_file_make(file, &err), 0);
}

/* A slot at the end; `count`: how many texts were written, which lies in its half. */
static void append(const struct hook_file *file, const char *magic, uint64_t count, uint64_t length, const char *text)
{
	static char slot[HOOK_SLOT_BYTES];
	char *half = slot + HOOK_HEAD_BYTES + (count & 1) * HOOK_HALF_BYTES;
	const off_t end = lseek(file->fd, 0, SEEK_END);

	memset(slot, 0, sizeof(slot));
	(void)snprintf(slot, sizeof(slot), "%s", magic);
	memcpy(slot + strlen(HOOK_MAGIC), &count, sizeof(count));
	memcpy(half, &length, sizeof(length));
	(void)snprintf(half + sizeof(length), HOOK_HALF_BYTES - sizeof(length), "%s", text);
	assert_int_equal(pwrite(file->fd, slot, sizeof(slot), end), sizeof(slot));
}

static void each_process_has_its_last_word(void **state)
{
	cleanup_hook_file struct hook_file file = HOOK_FILE_INIT;
	cleanup_words struct words texts = { .items = NULL };

	(void)state;
	make(&file);
	assert_int_equal(hook_file_read(&file, &texts), 0);
	assert_int_equal(texts.count, 0);
	append(&file, HOOK_MAGIC, 1, 3, "one and more");
	append(&file, HOOK_MAGIC, 0, 3, "nothing was written");
	append(&file, "fettleX1", 1, 3, "not of ours");
	append(&file, HOOK_MAGIC, 1, HOOK_HALF_BYTES, "too long");
	append(&file, HOOK_MAGIC, 6, 3, "two");
	assert_int_equal(hook_file_read(&file, &texts), 0);
	assert_int_equal(texts.count, 2);
	assert_string_equal(texts.items[0], "one");
	assert_string_equal(texts.items[1], "two");
}

static void what_is_beyond_the_last_slot_is_not_read(void **state)
{
	cleanup_hook_file struct hook_file file = HOOK_FILE_INIT;
	cleanup_words struct words texts = { .items = NULL };

	(void)state;
	make(&file);
	for (int i = 0; i < HOOK_SLOTS + 2; i++)
		append(&file, HOOK_MAGIC, 1, 1, "x");
	assert_int_equal(hook_file_read(&file, &texts), 0);
	assert_int_equal(texts.count, HOOK_SLOTS);
	assert_int_equal(ftruncate(file.fd, 0), -1); /* who has mapped a slot would be killed */
}

static void its_place_is_told_in_the_plan(void **state)
{
	cleanup_hook_file struct hook_file file = HOOK_FILE_INIT;
	char *environment[] = { strdup("FETTLE_PLAN=1;i=0/1;hook=prepack:on;set=A"), NULL };
	char told[128];

	(void)state;
	make(&file);
	assert_int_equal(hook_file_tell(&file, environment), 0);
	(void)snprintf(told, sizeof(told), "FETTLE_PLAN=1;i=0/1;hook=prepack:on;told=%d:%d:%016llx;set=A",
		       (int)getpid(), file.fd, (unsigned long long)file.cookie);
	assert_string_equal(environment[0], told);
	free(environment[0]);
}

static json_t *converted(const char *const *told, size_t count)
{
	cleanup_words struct words texts = { .items = NULL };
	json_t *object;

	for (size_t i = 0; i < count; i++)
		assert_int_equal(words_add(&texts, told[i]), 0);
	object = hook_to_json(&texts);
	assert_non_null(object);
	return object;
}

static void what_is_known_gets_into_the_report(void **state)
{
	static const char *const told[] = { "{\"pid\": 7, \"ended\": true, \"torch\": \"2.13.0\", \"won_s\": 1.5, "
					    "\"left_alone\": {\"odd\": 2}, \"lines\": [\"one\", \"two\"]}" };
	json_t *object = converted(told, 1);
	const json_t *process = json_array_get(json_object_get(object, "processes"), 0);

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(process, "pid")), 7);
	assert_true(json_is_true(json_object_get(process, "ended")));
	assert_string_equal(json_string_value(json_object_get(process, "torch")), "2.13.0");
	assert_true(json_real_value(json_object_get(process, "won_s")) == 1.5);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(process, "left_alone"), "odd")), 2);
	assert_int_equal(json_array_size(hook_lines(process)), 2);
	assert_true(json_is_null(json_object_get(process, "layers"))); /* it was not said */
	json_decref(object);
}

static void what_a_program_may_have_written_there_does_no_harm(void **state)
{
	static const char *const told[] = {
		"",
		"{",
		"[]",
		"7",
		"{\"pid\": 1, \"pid\": 2}",
		"{\"pid\": \"7\", \"lines\": 3, \"left_alone\": [1], \"x\": 1}",
		"{\"pid\": -1, \"won_s\": \"much\", \"lines\": [1, {}], \"left_alone\": {\"odd\": \"two\"}}",
	};
	json_t *object = converted(told, ARRAY_SIZE(told));
	const json_t *processes = json_object_get(object, "processes"), *first = json_array_get(processes, 0);
	const json_t *second = json_array_get(processes, 1);

	(void)state;
	assert_int_equal(json_array_size(processes), 2);
	assert_true(json_is_null(json_object_get(first, "pid")));
	assert_null(json_object_get(first, "x"));
	assert_int_equal(json_array_size(hook_lines(first)), 0);
	assert_int_equal(json_object_size(json_object_get(first, "left_alone")), 0);
	assert_true(json_is_null(json_object_get(second, "pid")) && json_is_null(json_object_get(second, "won_s")));
	assert_true(json_is_null(json_array_get(hook_lines(second), 0)));
	assert_true(json_is_null(json_object_get(json_object_get(second, "left_alone"), "odd")));
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_process_has_its_last_word),
		cmocka_unit_test(what_is_beyond_the_last_slot_is_not_read),
		cmocka_unit_test(its_place_is_told_in_the_plan),
		cmocka_unit_test(what_is_known_gets_into_the_report),
		cmocka_unit_test(what_a_program_may_have_written_there_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

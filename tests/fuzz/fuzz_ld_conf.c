/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as ld.so.conf, line by line, and as a musl list: values lie inside their line, folders are whole. */
#include "fuzz.h"

#include "base/words.h"
#include "target/ld_conf.h"

#include <stdbool.h>

static void check_line(const char *line, size_t length)
{
	const char *value = NULL;
	size_t value_length = 0;
	const enum ld_conf_kind kind = ld_conf_line(line, length, &value, &value_length);

	if (kind == LD_CONF_NOTHING)
		return;
	MUST(value_length > 0 && value >= line && value + value_length <= line + length);
	MUST(!memchr(value, '#', value_length));
	if (kind == LD_CONF_FOLDER)
		MUST(*value == '/' && !memchr(value, '=', value_length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct words folders = { .items = NULL };

	for (size_t start = 0, end; start <= size; start = end + 1) {
		const char *newline = start < size ? memchr(text + start, '\n', size - start) : NULL;

		end = newline ? (size_t)(newline - text) : size;
		check_line(text + start, end - start);
	}
	MUST(ld_conf_musl(text, &folders) == 0);
	for (size_t i = 0; i < folders.count; i++)
		MUST(*folders.items[i] && !strpbrk(folders.items[i], ":\n"));
	words_clear(&folders);
	free(text);
	return 0;
}

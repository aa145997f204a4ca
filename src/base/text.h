/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A string that grows. Appending to one that failed does nothing, so a
 * builder checks once, at the end, with text_take().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *data; /* NUL-terminated once anything was added; owned */
	size_t length;
	size_t capacity;
	bool failed; /* memory ran out somewhere on the way */
};

#define TEXT_INIT            \
	{                    \
		.data = NULL \
	}

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Append `length` bytes as they are. */
void text_add_bytes(struct text *text, const char *bytes, size_t length);

/* Hand the string over (the caller frees it); NULL when memory ran out. Empties `text`. */
char *text_take(struct text *text) __attribute__((warn_unused_result));

void text_clear(struct text *text);
#define cleanup_text cleanup_(text_clear)

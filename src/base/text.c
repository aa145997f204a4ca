/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(struct text *text, size_t extra)
{
	size_t need = text->length + extra + 1;
	size_t want = text->capacity ? text->capacity : 64;
	char *grown;

	if (text->failed)
		return false;
	if (need <= text->capacity)
		return true;
	while (want < need)
		want *= 2;
	grown = realloc(text->data, want);
	if (!grown) {
		text->failed = true;
		return false;
	}
	text->data = grown;
	text->capacity = want;
	return true;
}

void text_add(struct text *text, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0 || !text_reserve(text, (size_t)length)) {
		text->failed = true;
		return;
	}
	va_start(args, format);
	(void)vsnprintf(text->data + text->length, (size_t)length + 1, format, args);
	va_end(args);
	text->length += (size_t)length;
}

void text_add_bytes(struct text *text, const char *bytes, size_t length)
{
	if (!text_reserve(text, length))
		return;
	if (length)
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

char *text_take(struct text *text)
{
	char *data;

	/* An empty text is a string too. */
	text_add_bytes(text, "", 0);
	data = text->failed ? NULL : text->data;
	if (data)
		text->data = NULL;
	text_clear(text);
	return data;
}

void text_clear(struct text *text)
{
	free(text->data);
	*text = (struct text)TEXT_INIT;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cuts bytes into lines, however they come. No more than one line is held, and of a line without an end no more than
 * LINES_MAX bytes: a longer one comes in pieces.
 */
#pragma once

#include "base/text.h"

enum { LINES_MAX = 64 * 1024 };

struct lines {
	struct text rest; /* of a line that has not ended */
};

/* Takes a line, without its newline; `ended` false: a piece, or the last line, which had no newline. */
typedef void lines_take(void *to, const char *line, size_t length, bool ended);

/* Add bytes. Returns 0 or -ENOMEM: the line they belong to is lost then. */
int lines_add(struct lines *lines, const char *bytes, size_t length, lines_take *take, void *to);

/* No more bytes come: hand over what there is of a last line. */
void lines_finish(struct lines *lines, lines_take *take, void *to);

void lines_clear(struct lines *lines);

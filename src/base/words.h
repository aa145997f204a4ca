/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of texts that grows: folders, names, lines; and whether a text is in one that does not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Is `text` one of `list`, which ends with NULL? */
bool words_list_has(const char *const *list, const char *text);

struct words {
	char **items; /* each owned */
	size_t count;
	size_t capacity;
};

/* Append a copy of the first `length` bytes of `text`. Returns 0 or -ENOMEM; the list is untouched then. */
int words_add_bytes(struct words *words, const char *text, size_t length);

/* Append a copy of `text`. Returns 0 or -ENOMEM. */
int words_add(struct words *words, const char *text);

/* Append `text` itself, which the list then owns; NULL, for an allocation that failed, is refused. Returns 0 or
 * -ENOMEM. */
int words_take(struct words *words, char *text);

void words_clear(struct words *words);
#define cleanup_words cleanup_(words_clear)

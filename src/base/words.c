/* SPDX-License-Identifier: Apache-2.0 */
#include "base/words.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

bool words_list_has(const char *const *list, const char *text)
{
	while (*list && strcmp(*list, text) != 0)
		list++;
	return *list;
}

int words_take(struct words *words, char *text)
{
	char **grown = text ? array_grow(words->items, &words->capacity, words->count, sizeof(*grown)) : NULL;

	if (!grown) {
		free(text);
		return -ENOMEM;
	}
	words->items = grown;
	words->items[words->count++] = text;
	return 0;
}

int words_add_bytes(struct words *words, const char *text, size_t length)
{
	return words_take(words, strndup(text, length));
}

int words_add(struct words *words, const char *text)
{
	return words_take(words, strdup(text));
}

void words_clear(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
	*words = (struct words){ .items = NULL };
}

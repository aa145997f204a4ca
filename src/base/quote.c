/* SPDX-License-Identifier: Apache-2.0 */
#include "base/quote.h"

#include "base/text.h"

#include <stdbool.h>
#include <string.h>

static bool plain(const char *word)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

	return *word && word[strspn(word, safe)] == '\0';
}

static bool has_control(const char *word)
{
	for (; *word; word++) {
		if ((unsigned char)*word < 0x20 || *word == 0x7f)
			return true;
	}
	return false;
}

void quote_word(struct text *text, const char *word)
{
	const bool dollar = has_control(word);

	if (plain(word)) {
		text_add(text, "%s", word);
		return;
	}
	text_add(text, dollar ? "$'" : "'");
	for (; *word; word++) {
		if ((unsigned char)*word < 0x20 || *word == 0x7f)
			text_add(text, "\\%03o", (unsigned char)*word);
		else if (dollar && (*word == '\'' || *word == '\\'))
			text_add(text, "\\%c", *word);
		else if (*word == '\'')
			text_add(text, "'\\''");
		else
			text_add_bytes(text, word, 1);
	}
	text_add(text, "'");
}

void quote_in_script(struct text *text, const char *word)
{
	if (plain(word)) {
		text_add(text, "%s", word);
		return;
	}
	text_add(text, "'");
	for (const char *end; (end = strchr(word, '\'')) != NULL; word = end + 1) {
		text_add_bytes(text, word, (size_t)(end - word));
		text_add(text, "'\\''");
	}
	text_add(text, "%s'", word);
}

void quote_assignment(struct text *text, const char *entry)
{
	const char *value = strchr(entry, '=');

	if (!value) {
		quote_word(text, entry);
		return;
	}
	text_add_bytes(text, entry, (size_t)(value + 1 - entry));
	if (value[1])
		quote_word(text, value + 1);
}

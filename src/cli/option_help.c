/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "joint/option.h"

#include <string.h>

enum {
	WIDTH = 80,
	HELP_COLUMN = 29, /* where the words about an option begin */
};

void option_wrap(struct text *text, const char *words, unsigned column, unsigned indent)
{
	const char *space = "";

	while (*words == ' ')
		words++;
	while (*words) {
		const unsigned length = (unsigned)strcspn(words, " ");

		if (*space && column + 1 + length > WIDTH) {
			text_add(text, "\n%*s", (int)indent, "");
			column = indent;
			space = "";
		}
		text_add(text, "%s", space);
		column += (unsigned)strlen(space);
		space = " ";
		text_add_bytes(text, words, length);
		column += length;
		words += length;
		while (*words == ' ')
			words++;
	}
	text_add(text, "\n");
}

static void help_row(const struct option *option, struct text *text)
{
	const size_t start = text->length;
	size_t used;

	if (option->letter)
		text_add(text, "  -%c, --%s", option->letter, option->name);
	else
		text_add(text, "  --%s", option->name);
	if (option->kind == OPTION_MAYBE)
		text_add(text, "[%s]", option->argument);
	else if (option->argument)
		text_add(text, " %s", option->argument);
	used = text->length - start;
	if (used + 2 > HELP_COLUMN)
		text_add(text, "\n%*s", HELP_COLUMN, "");
	else
		text_add(text, "%*s", (int)(HELP_COLUMN - used), "");
	option_wrap(text, option->help, HELP_COLUMN, HELP_COLUMN);
}

void option_help(const struct option_table *const *tables, struct text *text)
{
	for (; *tables; tables++) {
		const struct option_table *table = *tables;

		text_add(text, "\n%s:\n", table->group);
		for (size_t i = 0; i < table->count; i++) {
			if (table->rows[i].help)
				help_row(&table->rows[i], text);
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/output.h"

#include <string.h>

void completion_options(const struct command *command,
			void (*visit)(const struct command *command, const struct option *option, struct text *text),
			struct text *text)
{
	const struct option_table *const *tables = command ? command->tables : global_tables;

	for (; *tables; tables++) {
		for (size_t i = 0; i < (*tables)->count; i++) {
			if ((*tables)->rows[i].help)
				visit(command, &(*tables)->rows[i], text);
		}
	}
}

/* Whether an earlier table of an earlier command showed this name already. */
static bool seen_before(size_t command, size_t table, const char *name)
{
	for (size_t c = 0; c <= command; c++) {
		const struct option_table *const *tables = commands[c]->tables;

		for (size_t t = 0; tables[t] && (c < command || t < table); t++) {
			for (size_t i = 0; i < tables[t]->count; i++) {
				if (strcmp(tables[t]->rows[i].name, name) == 0)
					return true;
			}
		}
	}
	return false;
}

void completion_names(void (*visit)(const struct option *option, struct text *text), struct text *text)
{
	for (size_t c = 0; commands[c]; c++) {
		const struct option_table *const *tables = commands[c]->tables;

		for (size_t t = 0; tables[t]; t++) {
			for (size_t i = 0; i < tables[t]->count; i++) {
				const struct option *option = &tables[t]->rows[i];

				if (option->help && !seen_before(c, t, option->name))
					visit(option, text);
			}
		}
	}
}

void completion_words(struct text *text, const char *words)
{
	for (; *words; words++) {
		if (!strchr("'[]:\\", *words))
			text_add_bytes(text, words, 1);
	}
}

static void list_option(const struct command *command, const struct option *option, struct text *text)
{
	text_add(text, "%s --%s%s%s\n", command ? command->name : "fettle", option->name,
		 option_takes_value(option) ? " " : "", option_takes_value(option) ? option->argument : "");
}

/* One line an option, for the check that holds tables, man pages and completions together. */
static void completion_list(struct text *text)
{
	completion_options(NULL, list_option, text);
	for (const struct command *const *c = commands; *c; c++)
		completion_options(*c, list_option, text);
}

int cmd_completion(struct invocation *invocation)
{
	static const struct {
		const char *name;
		void (*write)(struct text *text);
	} shells[] = {
		{ "bash", completion_bash },
		{ "zsh", completion_zsh },
		{ "fish", completion_fish },
	};
	const char *shell = invocation->words[0];
	void (*write)(struct text * text) = invocation->options.list ? completion_list : NULL;
	struct text text = TEXT_INIT;
	cleanup_free char *result = NULL;

	for (size_t i = 0; shell && i < ARRAY_SIZE(shells); i++) {
		if (strcmp(shells[i].name, shell) == 0)
			write = shells[i].write;
	}
	if (!write) {
		if (shell)
			output_line("no completions for shell '%s'; there are bash, zsh and fish", shell);
		else
			output_line("for which shell? 'fettle completion bash', zsh or fish");
		return EXIT_USAGE;
	}
	if (invocation->word_count > 1) {
		output_line("unexpected '%s'; try 'fettle completion --help'", invocation->words[1]);
		return EXIT_USAGE;
	}
	write(&text);
	result = text_take(&text);
	return output_result(invocation, result);
}

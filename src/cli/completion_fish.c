/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli/command.h"
#include "cli/completion.h"

static void add_option(const struct command *command, const struct option *option, struct text *text)
{
	text_add(text, "complete -c fettle -n '");
	if (command)
		text_add(text, "__fish_seen_subcommand_from %s", command->name);
	else
		text_add(text, "__fish_use_subcommand");
	text_add(text, "' -l %s", option->name);
	if (option->letter)
		text_add(text, " -s %c", option->letter);
	if (option_takes_value(option))
		text_add(text, option->kind == OPTION_FILE ? " -r -F" : " -x");
	if (option->kind == OPTION_CHOICE) {
		text_add(text, " -a '");
		for (unsigned i = 0; i < option->word_count; i++)
			text_add(text, "%s%s", i ? " " : "", option->words[i]);
		text_add(text, "'");
	}
	text_add(text, " -d '");
	completion_words(text, option->help);
	text_add(text, "'\n");
}

void completion_fish(struct text *text)
{
	text_add(text, "# fish completion for fettle; written by 'fettle completion fish'\n");
	for (const struct command *const *c = commands; *c; c++) {
		text_add(text, "complete -c fettle -f -n '__fish_use_subcommand' -a %s -d '", (*c)->name);
		completion_words(text, (*c)->summary);
		text_add(text, "'\n");
	}
	completion_options(NULL, add_option, text);
	for (const struct command *const *c = commands; *c; c++)
		completion_options(*c, add_option, text);
	text_add(text, "complete -c fettle -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n"
		       "complete -c fettle -n '__fish_seen_subcommand_from machine plan run' "
		       "-a '(__fish_complete_subcommand)'\n");
}

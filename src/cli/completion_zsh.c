/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli/command.h"
#include "cli/completion.h"

/* One _arguments specification. */
static void add_option(const struct command *command, const struct option *option, struct text *text)
{
	(void)command;
	text_add(text, " \\\n\t\t'%s--%s%s[", option->kind == OPTION_TEXTS ? "*" : "", option->name,
		 option_takes_value(option) ? "="
		 : option->argument         ? "=-"
					    : "");
	completion_words(text, option->help);
	text_add(text, "]");
	if (option->argument) {
		text_add(text, option_takes_value(option) ? ":" : "::");
		completion_words(text, option->argument);
		text_add(text, ":");
	}
	if (option->kind == OPTION_FILE)
		text_add(text, "_files");
	if (option->kind == OPTION_CHOICE) {
		text_add(text, "(");
		for (unsigned i = 0; i < option->word_count; i++)
			text_add(text, "%s%s", i ? " " : "", option->words[i]);
		text_add(text, ")");
	}
	text_add(text, "'");
	if (option->letter) {
		text_add(text, " \\\n\t\t'-%c[", option->letter);
		completion_words(text, option->help);
		text_add(text, "]'");
	}
}

void completion_zsh(struct text *text)
{
	text_add(text, "#compdef fettle\n"
		       "# zsh completion for fettle; written by 'fettle completion zsh'\n"
		       "_fettle()\n"
		       "{\n"
		       "\tlocal curcontext=$curcontext state line\n"
		       "\tlocal -a commands\n"
		       "\tcommands=(\n");
	for (const struct command *const *c = commands; *c; c++) {
		text_add(text, "\t\t'%s:", (*c)->name);
		completion_words(text, (*c)->summary);
		text_add(text, "'\n");
	}
	text_add(text, "\t)\n\t_arguments -C -S");
	completion_options(NULL, add_option, text);
	text_add(text, " \\\n\t\t'1:command:->command' \\\n\t\t'*::argument:->argument'\n"
		       "\tcase $state in\n"
		       "\tcommand) _describe command commands; return ;;\n"
		       "\tesac\n"
		       "\tcase $line[1] in\n");
	for (const struct command *const *c = commands; *c; c++) {
		text_add(text, "\t%s) _arguments -S", (*c)->name);
		completion_options(*c, add_option, text);
		if ((*c)->run == cmd_run || (*c)->run == cmd_plan || (*c)->run == cmd_machine || (*c)->run == cmd_prove)
			text_add(text, " \\\n\t\t'1:program:_command_names -e' \\\n\t\t'*::arguments:_normal'");
		if ((*c)->run == cmd_onednn)
			text_add(text, " \\\n\t\t'1:stream:_files'");
		if ((*c)->run == cmd_completion)
			text_add(text, " \\\n\t\t'1:shell:(bash zsh fish)'");
		if ((*c)->run == cmd_help)
			text_add(text, " \\\n\t\t'1:command:{_describe command commands}'");
		text_add(text, " ;;\n");
	}
	text_add(text, "\tesac\n}\n_fettle \"$@\"\n");
}

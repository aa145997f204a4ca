/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"
#include "cli/command.h"
#include "cli/completion.h"

static const char HEAD[] = "# bash completion for fettle; written by 'fettle completion bash'\n"
			   "_fettle()\n"
			   "{\n"
			   "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
			   "\tlocal command= program= words= i\n"
			   "\tCOMPREPLY=()\n"
			   "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
			   "\t\tcase ${COMP_WORDS[i]} in\n";

static const char AFTER_VALUES[] = "\t\t--) program=1; break ;;\n"
				   "\t\t-*) ;;\n"
				   "\t\t*) if [[ $command ]]; then program=1; break; fi\n"
				   "\t\t   command=${COMP_WORDS[i]} ;;\n"
				   "\t\tesac\n"
				   "\tdone\n"
				   "\tif [[ $program ]]; then\n"
				   "\t\tmapfile -t COMPREPLY < <(compgen -A command -A file -- \"$cur\")\n"
				   "\t\treturn\n"
				   "\tfi\n"
				   "\tcase $prev in\n";

static const char AFTER_PREVIOUS[] = "\tesac\n"
				     "\tcase $command in\n";

static const char TAIL[] = "\tesac\n"
			   "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
			   "\tif [[ $cur != -* && ( $command == run || $command == plan || $command == onednn || "
			   "$command == prove ) ]]; then\n"
			   "\t\tmapfile -t COMPREPLY < <(compgen -A command -A file -- \"$cur\")\n"
			   "\tfi\n"
			   "}\n"
			   "complete -o filenames -F _fettle fettle\n";

static void skip_value(const struct option *option, struct text *text)
{
	if (option_takes_value(option))
		text_add(text, "\t\t--%s) ((i++)) ;;\n", option->name);
}

static void complete_value(const struct option *option, struct text *text)
{
	if (!option_takes_value(option))
		return;
	text_add(text, "\t--%s) ", option->name);
	if (option->kind == OPTION_FILE)
		text_add(text, "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); ");
	if (option->kind == OPTION_CHOICE) {
		text_add(text, "mapfile -t COMPREPLY < <(compgen -W '");
		for (unsigned i = 0; i < option->word_count; i++)
			text_add(text, "%s%s", i ? " " : "", option->words[i]);
		text_add(text, "' -- \"$cur\"); ");
	}
	text_add(text, "return ;;\n");
}

static void add_name(const struct command *command, const struct option *option, struct text *text)
{
	(void)command;
	text_add(text, " --%s", option->name);
}

static void add_command_names(struct text *text)
{
	for (const struct command *const *c = commands; *c; c++)
		text_add(text, "%s%s", c == commands ? "" : " ", (*c)->name);
}

void completion_bash(struct text *text)
{
	text_add(text, "%s", HEAD);
	completion_names(skip_value, text);
	text_add(text, "%s", AFTER_VALUES);
	completion_names(complete_value, text);
	text_add(text, "%s\t'') words='", AFTER_PREVIOUS);
	add_command_names(text);
	completion_options(NULL, add_name, text);
	text_add(text, "' ;;\n");
	for (const struct command *const *c = commands; *c; c++) {
		text_add(text, "\t%s) words='%s", (*c)->name, (*c)->run == cmd_completion ? "bash zsh fish" : "");
		if ((*c)->run == cmd_help)
			add_command_names(text);
		completion_options(*c, add_name, text);
		text_add(text, "' ;;\n");
	}
	text_add(text, "%s", TAIL);
}

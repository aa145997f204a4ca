/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/output.h"

int cmd_help(struct invocation *invocation)
{
	const struct command *command = NULL;
	struct text text = TEXT_INIT;
	cleanup_free char *help = NULL;
	struct err err = { 0 };

	if (invocation->word_count > 1) {
		output_line("unexpected '%s'; try 'fettle help --help'", invocation->words[1]);
		return EXIT_USAGE;
	}
	if (invocation->word_count) {
		command = command_find(invocation->words[0], &err);
		if (!command)
			return output_failure(EXIT_USAGE, &err);
	}
	command_help(command, &text);
	help = text_take(&text);
	return output_result(invocation, help);
}

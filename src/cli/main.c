/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/output.h"
#include "joint/layers.h"

#include <errno.h>
#include <string.h>

static int show_help(struct invocation *invocation, const struct command *command)
{
	struct text text = TEXT_INIT;
	cleanup_free char *help = NULL;

	command_help(command, &text);
	help = text_take(&text);
	return output_result(invocation, help);
}

/* An option before the command that this command has no use for is a mistake, not noise. */
static int refuse_unused(const struct command *command, const struct option_found *found, struct err *err)
{
	for (size_t i = 0; global_tables[i]; i++) {
		const struct option *given = found->first[i];

		if (given && !command_takes(command, global_tables[i]) && strcmp(given->name, "help") != 0)
			return err_set(err, -EINVAL, "'fettle %s' takes no option '--%s'; try 'fettle %s --help'",
				       command->name, given->name, command->name);
	}
	return 0;
}

/* Take options that stand behind words out from between them; behind "--" there are none. `words` is changed. */
static int take_behind(const struct command *command, char **words, struct invocation *inv, struct err *err)
{
	int i = 1;

	while (i < inv->word_count) {
		struct option_found found;
		bool ended;

		if (words[i][0] != '-' || !words[i][1]) {
			i++;
			continue;
		}
		if (option_parse(command->tables, command->name, inv->word_count - i, (const char *const *)&words[i],
				 &inv->options, &found, err) < 0)
			return -EINVAL;
		ended = strcmp(words[i + found.next - 1], "--") == 0;
		memmove(words + found.next, words, (size_t)i * sizeof(*words));
		words += found.next;
		inv->word_count -= found.next;
		if (ended)
			break;
	}
	inv->words = words;
	return 0;
}

/* The command that the name we are called by stands for; NULL: it is in the first word. */
static const char *command_of_name(const char *name)
{
	static const struct {
		const char *name, *command;
	} names[] = { { "ipexrun", "ipexrun" }, { "torch-run-cpu", "run_cpu" } };
	const char *slash = name ? strrchr(name, '/') : NULL;

	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++) {
		if (strcmp(slash ? slash + 1 : name, names[i].name) == 0)
			return names[i].command;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct command own = { .name = "fettle", .failure = EXIT_FAILED };
	struct invocation inv __attribute__((cleanup(invocation_clear))) = { .command = &own };
	const char *const *words = (const char *const *)argv;
	struct option_found found = { 0 };
	const char *name = command_of_name(argv[0]);
	const struct command *command;
	struct err err = { 0 };

	if (!name && option_parse(global_tables, NULL, argc - 1, words + 1, &inv.options, &found, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	argc -= name ? 0 : 1 + found.next;
	argv += name ? 0 : 1 + found.next;
	words += name ? 0 : 1 + found.next;
	if (inv.options.version)
		return cmd_version(&inv);
	if (!argc) {
		if (inv.options.help)
			return show_help(&inv, NULL);
		output_line("no command; try 'fettle --help'");
		return EXIT_USAGE;
	}
	command = command_find(name ? name : argv[0], &err);
	if (!command || refuse_unused(command, &found, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	if (layers_parse(command->tables, command->name, argc - 1, words + 1, &inv.options, &inv.found, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	inv.command = command;
	inv.words = argv + 1 + inv.found.next;
	inv.word_count = argc - 1 - inv.found.next;
	if (command->options_behind && !(inv.found.next && strcmp(argv[inv.found.next], "--") == 0) &&
	    take_behind(command, argv + 1 + inv.found.next, &inv, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	return inv.options.help ? show_help(&inv, command) : command->run(&inv);
}

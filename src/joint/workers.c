/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/workers.h"

#include "base/parse.h"
#include "target/python.h"
#include "target/starter.h"
#include "target/tree.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

static bool is_one_of(const char *word, const char *const *names)
{
	while (*names && strcmp(word, *names) != 0)
		names++;
	return *names;
}

static bool is_torchrun(const char *path)
{
	return strcmp(tree_name(path), "torchrun") == 0;
}

/* The words from a Python or torchrun on, which may have others in front of them: "timeout 60 torchrun". */
static char *const *command_words(char *const *words)
{
	while (*words && !is_torchrun(*words) && !python_is(tree_name(*words)))
		words++;
	return words;
}

/* The words behind torchrun's name; NULL: another program. */
static char *const *launcher_words(char *const *words)
{
	static const char *const modules[] = { "torch.distributed.run", "torch.distributed.launch", NULL };
	const char *name;
	bool module;

	if (!words[0] || starter_is_shell(tree_name(words[0])))
		return NULL;
	words = command_words(words);
	if (!words[0])
		return NULL;
	if (is_torchrun(words[0]))
		return words + 1;
	words = python_runs(words, &module, &name);
	return name && (module ? is_one_of(name, modules) : is_torchrun(name)) ? words : NULL;
}

static unsigned count_of(const char *value)
{
	static const char *const by_machine[] = { "auto", "cpu", "gpu", NULL };
	unsigned count;

	if (!value)
		return 1;
	if (is_one_of(value, by_machine))
		return UINT_MAX;
	return parse_unsigned(value, &count) == 0 && count > 0 ? count : 1;
}

unsigned workers_of(char *const *words, const char *variable)
{
	static const char *const names[] = { "--nproc-per-node", "--nproc_per_node", NULL };
	static const char *const flags[] = { "-m",         "--module",   "--standalone", "--no-python", "--no_python",
					     "--run-path", "--run_path", "--use-env",    "--use_env",   NULL };
	const char *count = NULL;

	words = launcher_words(words);
	if (words)
		count = variable;
	for (; words && *words && **words == '-'; words++) { /* what follows the script's name is its own */
		const size_t length = strcspn(*words, "=");
		const char *value = (*words)[length] ? *words + length + 1 : words[1];

		for (const char *const *name = names; *name; name++) {
			if (strlen(*name) == length && strncmp(*words, *name, length) == 0)
				count = value;
		}
		words += !(*words)[length] && words[1] && !is_one_of(*words, flags);
	}
	return count_of(count);
}

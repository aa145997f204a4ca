/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/workers.h"

#include "base/parse.h"
#include "target/python.h"
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

/* The words behind torchrun's name; NULL: another program. */
static char *const *launcher_words(char *const *words)
{
	static const char *const modules[] = { "torch.distributed.run", "torch.distributed.launch", NULL };
	const char *name;
	bool module;

	if (!words[0])
		return NULL;
	if (strcmp(tree_name(words[0]), "torchrun") == 0)
		return words + 1;
	if (!python_is(tree_name(words[0])))
		return NULL;
	words = python_runs(words, &module, &name);
	return name && (module ? is_one_of(name, modules) : strcmp(tree_name(name), "torchrun") == 0) ? words : NULL;
}

unsigned workers_of(char *const *words)
{
	static const char *const names[] = { "--nproc-per-node", "--nproc_per_node", NULL };
	static const char *const flags[] = { "-m",         "--module",   "--standalone", "--no-python", "--no_python",
					     "--run-path", "--run_path", "--use-env",    "--use_env",   NULL };
	static const char *const by_machine[] = { "auto", "cpu", "gpu", NULL };
	unsigned count;

	words = launcher_words(words);
	for (; words && *words && **words == '-'; words++) { /* what follows the script's name is its own */
		const size_t length = strcspn(*words, "=");
		const char *value = (*words)[length] ? *words + length + 1 : words[1];
		bool named = false;

		for (const char *const *name = names; *name; name++)
			named = named || (strlen(*name) == length && strncmp(*words, *name, length) == 0);
		if (!named) {
			words += !(*words)[length] && words[1] && !is_one_of(*words, flags);
			continue;
		}
		if (!value)
			return 1;
		if (is_one_of(value, by_machine))
			return UINT_MAX;
		return parse_unsigned(value, &count) == 0 && count > 0 ? count : 1;
	}
	return 1;
}

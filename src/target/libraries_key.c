/* SPDX-License-Identifier: Apache-2.0 */
#include "base/answer.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "target/elf.h"
#include "target/libraries.h"
#include "target/loader_machine.h"
#include "target/script.h"
#include "target/starter.h"

#include <string.h>

/* Every variable that the search reads; see pyenv.c, python.c, loader.c, program.c. */
static void add_environment(const char *const *environment, struct text *key)
{
	static const char *const prefixes[] = { "LD_", "PYTHON", "PYENV_", "PATH=", "HOME=", "VIRTUAL_ENV=", "CONDA_" };

	for (; environment && *environment; environment++) {
		for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
			if (strncmp(*environment, prefixes[i], strlen(prefixes[i])) == 0)
				answer_key_word(key, *environment);
		}
	}
}

/*
 * Of the program's words the search minds an interpreter's options, "-s" and the like, and where they stand. The
 * others, which may differ at every start, are not told apart. Of env's words all count as far as the command, and of
 * another program's as far as the Python it starts.
 */
static void add_words(char *const *argv, struct text *key)
{
	struct script_env env = { .name = NULL };
	size_t command = 0, python, whole = 0;

	if (argv && argv[0] && strcmp(tree_name(argv[0]), "env") == 0 && script_env_words(argv, &env, &command))
		whole = command + 1;
	python = argv ? starter_python(argv + command) : 0;
	if (python)
		whole = command + python + 1;
	for (size_t i = 0; argv && argv[i]; i++) {
		const char *word = argv[i];

		answer_key_word(key, i < whole ? word : *word != '-' ? "." : word[1] == '-' ? "--" : word);
	}
}

char *libraries_key(const struct libraries_request *request)
{
	const struct elf_facts own = elf_own();
	struct text key = TEXT_INIT;

	answer_key_self(&key);
	for (const char *const *hwcaps = loader_machine_hwcaps(own.machine, own.class); *hwcaps; hwcaps++)
		answer_key_word(&key, *hwcaps);
	answer_key_word(&key, request->program);
	answer_key_word(&key, request->secure ? "secure" : NULL);
	answer_key_word(&key, request->folder);
	add_environment(request->environment, &key);
	add_words(request->argv, &key);
	return text_take(&key);
}

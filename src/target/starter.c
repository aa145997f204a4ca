/* SPDX-License-Identifier: Apache-2.0 */
#include "target/starter.h"

#include "base/cleanup.h"
#include "base/words.h"
#include "target/python.h"
#include "target/tree.h"

#include <string.h>

bool starter_is_shell(const char *name)
{
	static const char *const shells[] = { "sh",  "bash", "dash", "ash",  "ksh",     "mksh",
					      "zsh", "fish", "csh",  "tcsh", "busybox", NULL };

	return words_list_has(shells, name);
}

/* Environments, tasks, processes, containers' first processes, and servers that have a Python inside. */
static bool is_manager(const char *name)
{
	static const char *const managers[] = { "conda",        "mamba",     "micromamba", "pixi",     "uv",
						"poetry",       "pipenv",    "pdm",        "hatch",    "rye",
						"tox",          "nox",       "make",       "just",     "supervisord",
						"circusd",      "honcho",    "foreman",    "parallel", "xargs",
						"tini",         "dumb-init", "catatonit",  "uwsgi",    "unitd",
						"tritonserver", NULL };

	return words_list_has(managers, name);
}

size_t starter_python(char *const *words)
{
	if (!words[0] || python_is(tree_name(words[0])))
		return 0;
	for (size_t i = 1; words[i]; i++) {
		if (python_is(tree_name(words[i])))
			return i;
	}
	return 0;
}

const char *starter_of_ranks(char *const *words)
{
	static const char *const names[] = { "mpirun", "mpiexec", "orterun", "prterun", "srun" };
	const char *name = words[0] ? tree_name(words[0]) : "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const size_t length = strlen(names[i]);

		/* Debian has both "mpirun.openmpi" and "mpirun.mpich". */
		if (strncmp(name, names[i], length) == 0 && (!name[length] || name[length] == '.'))
			return name;
	}
	return NULL;
}

const char *starter_name(const char *interpreter, char *const *words)
{
	if (starter_is_shell(tree_name(interpreter)))
		return tree_name(interpreter);
	if (!words[0] || (!is_manager(tree_name(words[0])) && !starter_of_ranks(words) && !starter_python(words)))
		return NULL;
	return tree_name(words[0]);
}

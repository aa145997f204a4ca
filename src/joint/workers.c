/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/workers.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/words.h"
#include "plan/workload.h"
#include "target/python.h"
#include "target/starter.h"
#include "target/tree.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

/* A program that starts others to compute side by side; lists end with NULL. */
struct launcher {
	const char *name;         /* of the script that pip installs */
	const char *modules[3];   /* python -m */
	const char *options[3];   /* that say how many */
	const char *variables[3]; /* that do so where no option does; the first counts */
	/* Options without a value, where all of them stand before a script whose own follow it; else NULL. */
	const char *const *flags;
};

static const char *const torchrun_flags[] = { "-m",         "--module",   "--standalone", "--no-python", "--no_python",
					      "--run-path", "--run_path", "--use-env",    "--use_env",   NULL };

static const struct launcher launchers[] = {
	{ "torchrun",
	  { "torch.distributed.run", "torch.distributed.launch" },
	  { "--nproc-per-node", "--nproc_per_node" },
	  { "PET_NPROC_PER_NODE" },
	  torchrun_flags },
	{ "gunicorn", { "gunicorn" }, { "-w", "--workers" }, { "WEB_CONCURRENCY" }, NULL },
	{ "uvicorn", { "uvicorn" }, { "--workers" }, { "UVICORN_WORKERS", "WEB_CONCURRENCY" }, NULL },
	{ "fastapi", { "fastapi" }, { "--workers" }, { "WEB_CONCURRENCY" }, NULL },
	{ "hypercorn", { "hypercorn" }, { "-w", "--workers" }, { NULL }, NULL },
	{ "granian", { "granian" }, { "--workers" }, { "GRANIAN_WORKERS" }, NULL },
};

static const struct launcher *find_script(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(launchers); i++) {
		if (strcmp(tree_name(path), launchers[i].name) == 0)
			return &launchers[i];
	}
	return NULL;
}

static const struct launcher *find_module(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(launchers); i++) {
		if (words_list_has(launchers[i].modules, name))
			return &launchers[i];
	}
	return NULL;
}

/* Which launcher the words start, and those behind its name. NULL: another program. */
static const struct launcher *find_launcher(char *const *words, char *const **ret_words)
{
	const struct launcher *launcher;
	const char *name;
	bool module;

	if (!words[0] || starter_is_shell(tree_name(words[0])))
		return NULL;
	/* There may be others in front: "timeout 60 torchrun". */
	while (*words && !find_script(*words) && !python_is(tree_name(*words)))
		words++;
	*ret_words = words + 1;
	if (!words[0])
		return NULL;
	launcher = find_script(words[0]);
	if (launcher)
		return launcher;
	*ret_words = python_runs(words, &module, &name);
	if (!name)
		return NULL;
	return module ? find_module(name) : find_script(name);
}

/* What the options say, the last counting: "-w 4", "-w4", "--workers=4". NULL: nothing. */
static const char *option_value(const struct launcher *launcher, char *const *words)
{
	const char *found = NULL;

	for (; *words; words++) {
		const bool is_long = strncmp(*words, "--", 2) == 0;
		const size_t length = is_long ? strcspn(*words, "=") : 2;
		const char *rest = strlen(*words) > length ? *words + length + is_long : NULL;

		if (**words != '-') {
			if (launcher->flags)
				return found; /* what follows the script's name is its own */
			continue;
		}
		for (const char *const *option = launcher->options; *option; option++) {
			if (strlen(*option) == length && strncmp(*words, *option, length) == 0)
				found = rest ? rest : words[1];
		}
		words += launcher->flags && !rest && words[1] && !words_list_has(launcher->flags, *words);
	}
	return found;
}

static unsigned count_of(const char *value)
{
	static const char *const by_machine[] = { "auto", "cpu", "gpu", NULL };
	unsigned count;

	if (words_list_has(by_machine, value))
		return UINT_MAX;
	return parse_unsigned(value, &count) == 0 && count > 0 ? count : 1;
}

unsigned workers_of(char *const *words, const struct workload *workload)
{
	const struct launcher *launcher = find_launcher(words, &words);
	const char *value = launcher ? option_value(launcher, words) : NULL;

	for (size_t i = 0; launcher && !value && launcher->variables[i]; i++)
		value = workload_getenv(workload, launcher->variables[i]);
	return value ? count_of(value) : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/workers.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/words.h"
#include "plan/workload.h"
#include "target/python.h"
#include "target/starter.h"
#include "target/tree.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A program that starts others to compute side by side; lists end with NULL. */
struct launcher {
	const char *name;         /* of the script that pip installs */
	const char *modules[3];   /* python -m */
	const char *options[3];   /* that say how many */
	const char *arguments;    /* a variable with more options, which the command line's go before; or NULL */
	const char *variables[3]; /* that say it where no option does; the first counts */
	/* Options without a value, where all of them stand before a script whose own follow it; else NULL. */
	const char *const *flags;
};

static const char *const torchrun_flags[] = { "-m",         "--module",   "--standalone", "--no-python", "--no_python",
					      "--run-path", "--run_path", "--use-env",    "--use_env",   NULL };

static const struct launcher launchers[] = {
	{ "torchrun",
	  { "torch.distributed.run", "torch.distributed.launch" },
	  { "--nproc-per-node", "--nproc_per_node" },
	  NULL,
	  { "PET_NPROC_PER_NODE" },
	  torchrun_flags },
	{ "gunicorn", { "gunicorn" }, { "-w", "--workers" }, "GUNICORN_CMD_ARGS", { "WEB_CONCURRENCY" }, NULL },
	{ "uvicorn", { "uvicorn" }, { "--workers" }, NULL, { "UVICORN_WORKERS", "WEB_CONCURRENCY" }, NULL },
	{ "fastapi", { "fastapi" }, { "--workers" }, NULL, { "WEB_CONCURRENCY" }, NULL },
	{ "hypercorn", { "hypercorn" }, { "-w", "--workers" }, NULL, { NULL }, NULL },
	{ "granian", { "granian" }, { "--workers" }, NULL, { "GRANIAN_WORKERS" }, NULL },
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

/*
 * Of options in one text. It is cut at blanks, where gunicorn does as a shell would: no number of workers needs quotes.
 * 0: they say nothing; or -ENOMEM.
 */
static int count_in(const struct launcher *launcher, const char *text, unsigned *ret_count)
{
	static const char blanks[] = " \t\n";
	cleanup_free char *copy = strdup(text);
	cleanup_free char **words = calloc(strlen(text) / 2 + 2, sizeof(*words));
	size_t count = 0;
	const char *value;
	char *rest = NULL;

	if (!copy || !words)
		return -ENOMEM;
	for (char *word = strtok_r(copy, blanks, &rest); word; word = strtok_r(NULL, blanks, &rest))
		words[count++] = word;
	value = option_value(launcher, words);
	*ret_count = value ? count_of(value) : 0;
	return 0;
}

int workers_of(char *const *words, const struct workload *workload, unsigned *ret_count)
{
	const struct launcher *launcher = find_launcher(words, &words);
	const char *value = launcher ? option_value(launcher, words) : NULL;
	const char *text = launcher && launcher->arguments ? workload_getenv(workload, launcher->arguments) : NULL;
	unsigned count = 0;

	if (!value && text && count_in(launcher, text, &count) < 0)
		return -ENOMEM;
	for (size_t i = 0; launcher && !value && launcher->variables[i]; i++)
		value = workload_getenv(workload, launcher->variables[i]);
	*ret_count = count ? count : value ? count_of(value) : 1;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "target/python.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "target/program.h"
#include "target/python_private.h"
#include "target/tree.h"

#include <errno.h>
#include <string.h>

const char *const python_kinds[] = { "other", "system", "venv", "conda", "pyenv" };

static void finder_clear(struct python_finder *finder)
{
	free(finder->config);
	free(finder->lib);
	words_clear(&finder->seen);
}
#define cleanup_finder cleanup_(finder_clear)

bool python_is(const char *name)
{
	static const char *const begins[] = { "python", "pypy" };

	for (size_t i = 0; i < ARRAY_SIZE(begins); i++) {
		const size_t length = strlen(begins[i]);
		const char *rest = name + length;

		if (strncmp(name, begins[i], length) != 0)
			continue;
		rest += strspn(rest, ".0123456789");
		return !*rest || strcmp(rest, "t") == 0; /* python3.13t: without the global lock */
	}
	return false;
}

/* One of the options that keep PYTHONPATH or site.py out. */
static void close_to_path(struct python_flags *flags, const char *word)
{
	if (!flags->closed)
		flags->closed = word;
}

/* One word of options: "-sE", "-I". True: it ends the options (-c, -m). */
static bool take_flags(const char *word, struct python_flags *flags, bool *ret_takes_next)
{
	*ret_takes_next = false;
	for (const char *c = word + 1; *c; c++) {
		switch (*c) {
		case 'I':
			flags->ignore_environment = flags->no_user_site = true;
			close_to_path(flags, "-I");
			break;
		case 'E':
			flags->ignore_environment = true;
			close_to_path(flags, "-E");
			break;
		case 's':
			flags->no_user_site = true;
			break;
		case 'S':
			flags->no_site = true;
			close_to_path(flags, "-S");
			break;
		case 'c':
		case 'm':
			return true;
		case 'W':
		case 'X':
			*ret_takes_next = !c[1];
			return false;
		default:
			break;
		}
	}
	return false;
}

/* The word at which the options end, argv's NULL if need be: that of -c or -m, or what follows them. */
static char *const *take_words(char *const *argv, struct python_flags *flags)
{
	char *const *word = argv + 1;
	bool takes_next;

	for (; *word && (*word)[0] == '-' && (*word)[1]; word++) {
		if (strcmp(*word, "--") == 0)
			return word + 1;
		takes_next = strcmp(*word, "--check-hash-based-pycs") == 0;
		if ((*word)[1] != '-' && take_flags(*word, flags, &takes_next))
			return word;
		if (takes_next && word[1])
			word++;
	}
	return word;
}

char *const *python_runs(char *const *argv, bool *ret_module, const char **ret_name)
{
	struct python_flags flags = { .closed = NULL };
	char *const *word = take_words(argv, &flags);
	const char *letter = *word && **word == '-' ? strpbrk(*word, "cm") : NULL;

	*ret_module = letter && *letter == 'm';
	*ret_name = NULL;
	if (*ret_module && letter[1])
		*ret_name = letter + 1;
	else if (*ret_module && word[1])
		*ret_name = *++word;
	else if (*word && **word != '-')
		*ret_name = *word;
	return *word ? word + 1 : word;
}

static void read_flags(const struct program *program, char *const *argv, struct python_flags *flags)
{
	bool takes_next = false;

	if (program->argument && program->argument[0] == '-')
		(void)take_flags(program->argument, flags, &takes_next);
	/* The words of a script are the script's own. */
	if (!argv || !argv[0] || !python_is(tree_name(argv[0])))
		return;
	(void)take_words(argv, flags);
}

/* pyvenv.cfg beside the interpreter or one folder up makes a venv. */
static int read_config(struct python_finder *finder, const char *bin, const char *above)
{
	const char *const folders[] = { bin, above };
	size_t length = 0;

	for (size_t i = 0; i < ARRAY_SIZE(folders) && !finder->config; i++) {
		cleanup_free char *path = tree_join(folders[i], "pyvenv.cfg");

		if (!path || tree_read(finder->root, path, PYTHON_CONFIG_MAX, &finder->config, &length) == -ENOMEM)
			return -ENOMEM;
	}
	return 0;
}

/* Does `lib`/`name` or `lib64`/`name` exist below the prefix? */
static int has_lib(const struct python_finder *finder, const char *prefix, const char *name, bool *ret_has)
{
	static const char *const libs[] = { "lib", "lib64" };

	*ret_has = false;
	for (size_t i = 0; i < ARRAY_SIZE(libs) && !*ret_has; i++) {
		cleanup_text struct text path = TEXT_INIT;

		text_add(&path, "%s/%s/%s", prefix, libs[i], name);
		if (path.failed)
			return -ENOMEM;
		*ret_has = tree_is_folder(finder->root, path.data);
	}
	return 0;
}

/* "3.11" of "3.11.7" or "3.11.7.final.0". */
static size_t short_version(const char *version)
{
	const size_t major = strspn(version, "0123456789");

	return version[major] == '.' ? major + 1 + strspn(version + major + 1, "0123456789") : major;
}

/* The version as pyvenv.cfg tells it: "version" of venv, "version_info" of virtualenv and uv. */
static int config_lib(const struct python_finder *finder, char **ret_lib)
{
	static const char *const keys[] = { "version", "version_info" };

	for (size_t i = 0; finder->config && i < ARRAY_SIZE(keys); i++) {
		cleanup_free char *value = NULL;
		cleanup_text struct text lib = TEXT_INIT;
		int r = python_config_value(finder->config, keys[i], &value);

		if (r == -ENOMEM)
			return r;
		if (r < 0)
			continue;
		text_add(&lib, "python");
		text_add_bytes(&lib, value, short_version(value));
		*ret_lib = text_take(&lib);
		return *ret_lib ? 0 : -ENOMEM;
	}
	return 0;
}

/* The only folder of a version below lib; several leave it open. */
static int only_lib(const struct python_finder *finder, const char *prefix, char **ret_lib)
{
	cleanup_words struct words names = { 0 };
	cleanup_free char *lib = tree_join(prefix, "lib");
	const char *only = NULL;

	if (!lib || tree_names(finder->root, lib, false, &names) == -ENOMEM)
		return -ENOMEM;
	for (size_t i = 0; i < names.count; i++) {
		if (!python_is(names.items[i]) || !strchr(names.items[i], '.'))
			continue;
		if (only)
			return 0;
		only = names.items[i];
	}
	*ret_lib = only ? strdup(only) : NULL;
	return only && !*ret_lib ? -ENOMEM : 0;
}

static int find_lib(struct python_finder *finder, const char *real_name)
{
	const struct python *python = finder->python;
	cleanup_free char *lib = NULL;
	bool has = false;
	int r = config_lib(finder, &lib);

	if (r == 0 && !lib && python_is(real_name) && strchr(real_name, '.')) {
		lib = strdup(real_name);
		r = lib ? 0 : -ENOMEM;
	}
	if (r == 0 && lib)
		r = has_lib(finder, python->prefix, lib, &has);
	if (r == 0 && !has) {
		free(TAKE(lib));
		r = only_lib(finder, python->prefix, &lib);
	}
	finder->lib = TAKE(lib);
	return r;
}

static int find_prefixes(struct python_finder *finder, const struct program *program, const char *real)
{
	struct python *python = finder->python;
	const char *home_variable = python_variable(finder, "PYTHONHOME");
	cleanup_free char *bin = tree_parent(program->path);
	cleanup_free char *above = bin ? tree_parent(bin) : NULL;
	cleanup_free char *real_bin = tree_parent(real), *home = NULL;
	int r = above && real_bin ? 0 : -ENOMEM;

	if (r == 0 && home_variable) {
		python->prefix = strndup(home_variable, strcspn(home_variable, ":"));
		python->base_prefix = python->prefix ? strdup(python->prefix) : NULL;
		return python->base_prefix ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = read_config(finder, bin, above);
	if (r < 0)
		return r;
	if (finder->config && python_config_value(finder->config, "home", &home) == -ENOMEM)
		return -ENOMEM;
	python->base_prefix = tree_parent(home ? home : real_bin);
	python->prefix = finder->config ? TAKE(above) : python->base_prefix ? strdup(python->base_prefix) : NULL;
	return python->prefix && python->base_prefix ? 0 : -ENOMEM;
}

/* Is there a file or folder of this name in the folder? */
static int has_folder(const struct python_finder *finder, const char *folder, const char *name, bool *ret_has)
{
	cleanup_free char *path = tree_join(folder, name);

	if (!path)
		return -ENOMEM;
	*ret_has = tree_is_folder(finder->root, path);
	return 0;
}

static int find_kind(const struct python_finder *finder)
{
	struct python *python = finder->python;
	cleanup_free char *versions = tree_parent(python->prefix);
	cleanup_free char *top = versions ? tree_parent(versions) : NULL;
	bool conda = false, shims = false;
	int r = top ? has_folder(finder, python->prefix, "conda-meta", &conda) : -ENOMEM;

	if (r == 0 && strcmp(tree_name(versions), "versions") == 0)
		r = has_folder(finder, top, "shims", &shims);
	if (finder->config)
		python->kind = PYTHON_VENV;
	else if (conda)
		python->kind = PYTHON_CONDA;
	else if (shims)
		python->kind = PYTHON_PYENV;
	else if (strcmp(python->prefix, "/usr") == 0)
		python->kind = PYTHON_SYSTEM;
	return r;
}

static int find(struct python_finder *finder, const struct program *program)
{
	struct python *python = finder->python;
	cleanup_free char *real = NULL;
	const char *version;
	int r = tree_real_path(finder->root, program->path, &real);

	if (r < 0 && !(real = strdup(program->path)))
		return -ENOMEM;
	r = find_prefixes(finder, program, real);
	if (r == 0 && !finder->sites_only)
		r = find_kind(finder);
	if (r == 0)
		r = find_lib(finder, tree_name(real));
	if (r == 0 && finder->lib) {
		version = strpbrk(finder->lib, "0123456789");
		python->version = version ? strdup(version) : NULL;
		r = version && !python->version ? -ENOMEM : 0;
	}
	return r < 0 ? r : python_add_folders(finder);
}

static int find_parts(const struct sysroot *root, const struct program *program, const char *const *environment,
		      const char *folder, char *const *argv, bool sites_only, struct python **ret_python,
		      struct err *err)
{
	cleanup_python struct python *python = calloc(1, sizeof(*python));
	cleanup_finder struct python_finder finder = {
		.root = root, .environment = environment, .folder = folder, .sites_only = sites_only, .python = python
	};

	if (!python)
		return err_nomem(err);
	read_flags(program, argv, &finder.flags);
	python->closed = finder.flags.closed;
	if (find(&finder, program) < 0)
		return err_nomem(err);
	*ret_python = TAKE(python);
	return 0;
}

int python_find(const struct sysroot *root, const struct program *program, const char *const *environment,
		const char *folder, char *const *argv, struct python **ret_python, struct err *err)
{
	return find_parts(root, program, environment, folder, argv, false, ret_python, err);
}

int python_find_sites(const struct sysroot *root, const struct program *program, const char *const *environment,
		      const char *folder, char *const *argv, struct python **ret_python, struct err *err)
{
	return find_parts(root, program, environment, folder, argv, true, ret_python, err);
}

void python_free(struct python *python)
{
	if (!python)
		return;
	free(python->prefix);
	free(python->base_prefix);
	free(python->version);
	words_clear(&python->sites);
	words_clear(&python->libs);
	free(python);
}

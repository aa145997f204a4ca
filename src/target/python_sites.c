/* SPDX-License-Identifier: Apache-2.0 */
#include "target/python_private.h"

#include "base/cleanup.h"
#include "base/environ.h"
#include "base/text.h"
#include "target/python.h"
#include "target/tree.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { PTH_LINES_MAX = 256 };

const char *python_variable(const struct python_finder *finder, const char *name)
{
	const char *value = finder->flags.ignore_environment ? NULL : environ_value(finder->environment, name);

	return value && *value ? value : NULL;
}

/* Append a folder that exists and is not there yet, by whatever path. */
static int add_folder(struct python_finder *finder, struct words *folders, const char *path, bool *ret_added)
{
	cleanup_free char *real = NULL;
	int r;

	*ret_added = false;
	if (!tree_is_folder(finder->root, path))
		return 0;
	r = tree_real_path(finder->root, path, &real);
	if (r < 0 && !(real = strdup(path)))
		return -ENOMEM;
	for (size_t i = 0; i < finder->seen.count; i++) {
		if (strcmp(finder->seen.items[i], real) == 0)
			return 0;
	}
	*ret_added = true;
	r = words_take(&finder->seen, TAKE(real));
	return r < 0 ? r : words_add(folders, path);
}

static int add_lib(struct python_finder *finder, const char *prefix)
{
	cleanup_free char *path = finder->sites_only ? NULL : tree_join(prefix, "lib");
	bool added;

	if (finder->sites_only)
		return 0;
	return path ? add_folder(finder, &finder->python->libs, path, &added) : -ENOMEM;
}

/* A .pth file names more folders, one a line; lines that are code are not for us. */
static int read_pth(struct python_finder *finder, const char *site, const char *name)
{
	cleanup_free char *path = tree_join(site, name), *text = NULL;
	size_t length = 0;
	int r = path ? tree_read(finder->root, path, PYTHON_CONFIG_MAX, &text, &length) : -ENOMEM;
	char *rest = text;

	for (unsigned i = 0; r == 0 && rest && i < PTH_LINES_MAX; i++) {
		const char *line = strsep(&rest, "\r\n");
		cleanup_free char *folder = NULL;
		bool added;

		if (!*line || *line == '#' || strncmp(line, "import ", 7) == 0 || strncmp(line, "import\t", 7) == 0)
			continue;
		folder = tree_whole(site, line);
		r = folder ? add_folder(finder, &finder->python->sites, folder, &added) : -ENOMEM;
	}
	return r == -ENOMEM ? r : 0;
}

/* A folder that site.py knows, with the .pth files in it. */
static int add_site(struct python_finder *finder, const char *path)
{
	cleanup_words struct words names = { 0 };
	bool added = false;
	int r = add_folder(finder, &finder->python->sites, path, &added);

	if (r == 0 && added && tree_names(finder->root, path, finder->hidden, &names) == -ENOMEM)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const size_t length = strlen(names.items[i]);

		if (length > 4 && strcmp(names.items[i] + length - 4, ".pth") == 0)
			r = read_pth(finder, path, names.items[i]);
	}
	return r;
}

static int add_formatted(struct python_finder *finder, const char *prefix, const char *between, const char *last)
{
	cleanup_text struct text path = TEXT_INIT;

	text_add(&path, "%s/%s/%s/%s", strcmp(prefix, "/") == 0 ? "" : prefix, between, finder->lib, last);
	return path.failed ? -ENOMEM : add_site(finder, path.data);
}

/* The packages of an installation or a venv. */
static int add_prefix(struct python_finder *finder, const char *prefix, bool installation)
{
	int r = 0;

	if (finder->lib) {
		/* Where lib64 is a link to lib, as in a venv, lib is the name that processes show. */
		r = add_formatted(finder, prefix, "lib", "site-packages");
		if (r == 0)
			r = add_formatted(finder, prefix, "lib64", "site-packages");
	}
	/* Debian's Python keeps its own packages and pip's apart, and both by another name. */
	if (r == 0 && installation && strcmp(prefix, "/usr") == 0) {
		if (finder->lib)
			r = add_formatted(finder, "/usr/local", "lib", "dist-packages");
		if (r == 0)
			r = add_site(finder, "/usr/lib/python3/dist-packages");
		if (r == 0 && finder->lib)
			r = add_formatted(finder, prefix, "lib", "dist-packages");
		return r < 0 ? r : add_lib(finder, "/usr/local");
	}
	return r < 0 ? r : add_lib(finder, prefix);
}

static int add_user(struct python_finder *finder)
{
	const char *base = python_variable(finder, "PYTHONUSERBASE");
	const char *home = environ_value(finder->environment, "HOME");
	cleanup_free char *local = home && *home ? tree_join(home, ".local") : NULL;
	int r = 0;

	if (finder->flags.no_user_site || python_variable(finder, "PYTHONNOUSERSITE"))
		return 0;
	base = base ? base : local;
	if (!base || *base != '/')
		return home && *home && !local ? -ENOMEM : 0;
	if (finder->lib)
		r = add_formatted(finder, base, "lib", "site-packages");
	return r < 0 ? r : add_lib(finder, base);
}

/* PYTHONPATH; 'pip install --target' puts a wheel's libraries into "lib" there. */
static int add_path(struct python_finder *finder)
{
	const char *path = python_variable(finder, "PYTHONPATH");

	while (path && *path) {
		const size_t length = strcspn(path, ":");
		cleanup_free char *entry = strndup(path, length);
		cleanup_free char *whole = entry ? tree_whole(finder->folder, entry) : NULL;
		bool added;
		int r = whole ? 0 : -ENOMEM;

		if (r == 0 && length)
			r = add_folder(finder, &finder->python->sites, whole, &added);
		if (r == 0 && length)
			r = add_lib(finder, whole);
		if (r < 0)
			return r;
		path += length;
		path += *path == ':';
	}
	return 0;
}

/*
 * CPython once read .pth files whose names begin with a dot. It no longer does since 3.13, and since 3.12.2, 3.11.8,
 * 3.10.14, 3.9.19 and 3.8.19 (gh-113659), and distributions have put that into older ones: the interpreter's own
 * site.py says which it is. Without one, as in a frozen library, it is taken for a newer one.
 */
static int find_hidden(struct python_finder *finder)
{
	static const char *const libs[] = { "lib", "lib64" };

	for (size_t i = 0; finder->lib && i < ARRAY_SIZE(libs); i++) {
		cleanup_text struct text path = TEXT_INIT;
		cleanup_free char *code = NULL;
		size_t length = 0;
		int r;

		text_add(&path, "%s/%s/%s/site.py", finder->python->base_prefix, libs[i], finder->lib);
		r = path.failed ? -ENOMEM : tree_read(finder->root, path.data, PYTHON_CONFIG_MAX, &code, &length);
		if (r == -ENOMEM)
			return r;
		if (r == 0) {
			finder->hidden = !strstr(code, "startswith(\".\")");
			return 0;
		}
	}
	return 0;
}

int python_add_folders(struct python_finder *finder)
{
	const struct python *python = finder->python;
	cleanup_free char *include = NULL;
	bool inherits = !finder->config;
	int r = add_path(finder);

	if (r < 0 || finder->flags.no_site)
		return r;
	r = find_hidden(finder);
	if (r < 0)
		return r;
	if (finder->config) {
		if (python_config_value(finder->config, "include-system-site-packages", &include) == -ENOMEM)
			return -ENOMEM;
		inherits = include && strcasecmp(include, "true") == 0;
		r = add_prefix(finder, python->prefix, false);
	}
	if (r == 0 && inherits)
		r = add_user(finder);
	if (r == 0 && inherits)
		r = add_prefix(finder, python->base_prefix, true);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "target/pyenv.h"

#include "base/cleanup.h"
#include "base/environ.h"
#include "base/text.h"
#include "base/words.h"
#include "target/tree.h"

#include <errno.h>
#include <string.h>

enum { VERSION_FILE_MAX = 65536 };

static const char gaps[] = " \t\r\n\v\f";

bool pyenv_is_shim(const char *path, const char *text)
{
	static const char folder[] = "/shims";
	const char *slash = strrchr(path, '/');
	const size_t length = slash ? (size_t)(slash - path) : 0;

	return length >= strlen(folder) && strncmp(slash - strlen(folder), folder, strlen(folder)) == 0 &&
	       strstr(text, "pyenv\" exec ") != NULL;
}

static bool is_safe(const char *word, size_t length)
{
	return !memchr(word, '/', length) && !(length == 2 && memcmp(word, "..", 2) == 0) && *word != '.';
}

char *pyenv_versions(const char *text)
{
	struct text versions = TEXT_INIT;

	while (*text) {
		const char *word = text + strspn(text, " \t\r\v\f");
		const size_t length = strcspn(word, gaps);

		if (length && *word != '#' && is_safe(word, length)) {
			text_add(&versions, "%s", versions.length ? ":" : "");
			text_add_bytes(&versions, word, length);
		}
		text = word + strcspn(word, "\n");
		text += *text == '\n';
	}
	return text_take(&versions);
}

/* Read a file of versions; `*ret_versions` stays NULL when there is none, or none in it. */
static int read_versions(const struct sysroot *root, const char *path, char **ret_versions)
{
	cleanup_free char *text = NULL, *versions = NULL;
	size_t length = 0;
	int r = tree_read(root, path, VERSION_FILE_MAX, &text, &length);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	versions = pyenv_versions(text);
	if (!versions)
		return -ENOMEM;
	if (*versions)
		*ret_versions = TAKE(versions);
	return 0;
}

/* The nearest .python-version upward from the folder. The first file decides, whatever is in it. */
static int search_upward(const struct sysroot *root, const char *folder, char **ret_versions, char **ret_from)
{
	cleanup_free char *here = strdup(folder);

	while (here) {
		cleanup_free char *file = tree_join(here, ".python-version");
		char *parent;

		if (!file)
			return -ENOMEM;
		if (tree_is_file(root, file)) {
			*ret_from = TAKE(file);
			return read_versions(root, *ret_from, ret_versions);
		}
		if (*here != '/' || strcmp(here, "/") == 0)
			return 0;
		parent = tree_parent(here);
		free(here);
		here = parent;
	}
	return -ENOMEM;
}

static int chosen_versions(const struct sysroot *root, const char *top, const char *const *environment,
			   const char *folder, char **ret_versions, char **ret_from)
{
	const char *named = environ_value(environment, "PYENV_VERSION");
	const char *start = environ_value(environment, "PYENV_DIR");
	int r;

	if (named && *named) {
		*ret_from = strdup("PYENV_VERSION");
		*ret_versions = strdup(named);
		return *ret_from && *ret_versions ? 0 : -ENOMEM;
	}
	r = search_upward(root, start && *start == '/' ? start : folder, ret_versions, ret_from);
	if (r == 0 && !*ret_from) {
		*ret_from = tree_join(top, "version");
		r = *ret_from ? read_versions(root, *ret_from, ret_versions) : -ENOMEM;
	}
	return r;
}

/* Does the installed version answer to "3.12"? Then it goes on with numbers; "miniconda3" with anything. */
static bool answers_to(const char *installed, const char *version)
{
	const size_t length = strlen(version);
	const char *rest = installed + length;

	if (strncmp(installed, version, length) != 0 || (*rest != '.' && *rest != '-'))
		return false;
	return *version < '0' || *version > '9' || rest[strspn(rest, ".0123456789")] == '\0';
}

/* The folder of a version, or of the newest that it is the beginning of; NULL: not installed. */
static int version_folder(const struct sysroot *root, const char *top, const char *version, char **ret_folder)
{
	cleanup_free char *versions = tree_join(top, "versions");
	cleanup_free char *exact = versions ? tree_join(versions, version) : NULL;
	cleanup_words struct words installed = { 0 };
	const char *newest = NULL;

	if (!exact)
		return -ENOMEM;
	if (tree_is_folder(root, exact)) {
		*ret_folder = TAKE(exact);
		return 0;
	}
	if (tree_names(root, versions, false, &installed) == -ENOMEM)
		return -ENOMEM;
	for (size_t i = 0; i < installed.count; i++) {
		if (answers_to(installed.items[i], version) && (!newest || strverscmp(installed.items[i], newest) > 0))
			newest = installed.items[i];
	}
	if (!newest)
		return 0;
	*ret_folder = tree_join(versions, newest);
	return *ret_folder ? 0 : -ENOMEM;
}

/* The program in one version; `*ret_path` stays NULL where it has none. -ENOENT: the version is not installed. */
static int program_of(const struct sysroot *root, const char *top, const char *version, const char *name,
		      char **ret_path)
{
	static const char prefix[] = "python-";
	cleanup_free char *folder = NULL, *bin = NULL, *path = NULL;
	int r = version_folder(root, top, version, &folder);

	if (r == 0 && !folder && strncmp(version, prefix, strlen(prefix)) == 0)
		r = version_folder(root, top, version + strlen(prefix), &folder);
	if (r < 0)
		return r;
	if (!folder)
		return -ENOENT;
	bin = tree_join(folder, "bin");
	path = bin ? tree_join(bin, name) : NULL;
	if (!path)
		return -ENOMEM;
	if (!*ret_path && tree_is_file(root, path))
		*ret_path = TAKE(path);
	return 0;
}

int pyenv_choose(const struct sysroot *root, const char *path, const char *const *environment, const char *folder,
		 struct pyenv_choice *ret_choice)
{
	cleanup_free char *shims = tree_parent(path), *versions = NULL, *from = NULL, *found = NULL;
	cleanup_free char *top = shims ? tree_parent(shims) : NULL;
	bool system = false;
	int r = top ? chosen_versions(root, top, environment, folder, &versions, &from) : -ENOMEM;

	for (char *rest = versions, *version; r == 0 && rest && (version = strsep(&rest, ":"));) {
		/* Behind "system" the versions still have to be there: pyenv refuses all when one is not. */
		cleanup_free char *unused = system ? strdup("") : NULL;

		if (strcmp(version, "system") == 0)
			system = !found;
		else if (*version && is_safe(version, strlen(version)))
			r = program_of(root, top, version, tree_name(path), system ? &unused : &found);
	}
	if (r < 0)
		return r;
	ret_choice->path = TAKE(found);
	ret_choice->from = TAKE(from);
	return 0;
}

void pyenv_choice_clear(struct pyenv_choice *choice)
{
	free(choice->path);
	free(choice->from);
	*choice = (struct pyenv_choice){ .path = NULL };
}

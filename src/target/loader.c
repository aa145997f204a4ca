/* SPDX-License-Identifier: Apache-2.0 */
#include "target/loader.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "target/ld_conf.h"
#include "target/loader_machine.h"
#include "target/loader_private.h"

#include <errno.h>
#include <string.h>

/* A cache with every library of a large distribution is about 1 MiB. */
enum { CACHE_MAX_BYTES = 16 << 20 };

#define CACHE "/etc/ld.so.cache"

const char *const loader_ways[] = {
	[LOADER_NAMED] = "its path",  [LOADER_RPATH] = "RPATH", [LOADER_LIBRARY_PATH] = "LD_LIBRARY_PATH",
	[LOADER_RUNPATH] = "RUNPATH", [LOADER_CACHE] = CACHE,   [LOADER_DEFAULT] = "the loader's own folders",
};

/* What a word behind '$' stands for; NULL: it is no such word, or has no meaning here. `*ret_length`: of the word. */
static const char *dollar_value(const struct loader *loader, const char *text, const char *origin, size_t *ret_length)
{
	const struct {
		const char *name, *value;
	} words[] = { { "ORIGIN", origin }, { "LIB", loader->lib }, { "PLATFORM", loader->platform } };
	const bool braces = *text == '{';

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const size_t length = strlen(words[i].name);

		if (strncmp(text + braces, words[i].name, length) != 0 || (braces && text[1 + length] != '}'))
			continue;
		*ret_length = length + 2 * (size_t)braces;
		return words[i].value;
	}
	*ret_length = 0;
	return NULL;
}

/* `*ret_text` stays NULL where a word has no value: the entry is then left out, as the loader does. */
static int expand(const struct loader *loader, const char *text, size_t length, const char *origin, char **ret_text)
{
	cleanup_text struct text result = TEXT_INIT;
	cleanup_free char *copy = strndup(text, length);
	char *expanded;

	if (!copy)
		return -ENOMEM;
	for (const char *c = copy; *c; c++) {
		size_t word = 0;
		const char *value = *c == '$' ? dollar_value(loader, c + 1, origin, &word) : NULL;

		if (word && !value)
			return 0;
		if (value)
			text_add(&result, "%s", value);
		else
			text_add_bytes(&result, c, 1);
		c += word;
	}
	expanded = text_take(&result);
	if (!expanded)
		return -ENOMEM;
	*ret_text = expanded;
	return 0;
}

int loader_folders(const struct loader *loader, const char *search_path, const char *separators, const char *origin,
		   struct words *folders)
{
	for (const char *entry = search_path;; entry++) {
		const size_t length = strcspn(entry, separators);
		cleanup_free char *expanded = NULL;
		/* Under another's rights an $ORIGIN that the user chose may not lead anywhere. */
		int r = expand(loader, entry, length, loader->program.secure ? NULL : origin, &expanded);

		/* An empty entry is the current folder. */
		if (r == 0 && expanded)
			r = words_take(folders,
				       *expanded ? tree_whole(loader->folder, expanded) : strdup(loader->folder));
		if (r < 0)
			return r;
		entry += length;
		if (!*entry)
			return 0;
	}
}

static int try_folder(const struct loader *loader, const char *folder, const char *name, enum loader_way way,
		      struct loader_file *ret_file)
{
	cleanup_free char *plain = tree_join(folder, name);
	cleanup_free char *special = tree_join(folder, "glibc-hwcaps");

	if (!plain || !special)
		return -ENOMEM;
	if (loader->program.libc == TARGET_LIBC_GLIBC && *loader->hwcaps && tree_is_folder(loader->root, special)) {
		for (const char *const *h = loader->hwcaps; *h; h++) {
			cleanup_text struct text path = TEXT_INIT;
			int r;

			text_add(&path, "%s/%s/%s", special, *h, name);
			r = path.failed ? -ENOMEM : loader_try(loader, path.data, way, ret_file);
			/* Whether the list goes on is decided by the last file that is tried in a folder. */
			if (r && r != LOADER_LIST_ENDS)
				return r;
		}
	}
	return loader_try(loader, plain, way, ret_file);
}

static int try_folders(const struct loader *loader, const struct words *folders, const char *name, enum loader_way way,
		       struct loader_file *ret_file)
{
	for (size_t i = 0; i < folders->count; i++) {
		int r = try_folder(loader, folders->items[i], name, way, ret_file);

		/* What is wrong with a folder itself ends nothing. */
		if (r == LOADER_LIST_ENDS && !tree_is_folder(loader->root, folders->items[i]))
			continue;
		/* glibc looks on in the next list then, musl nowhere. */
		if (r == LOADER_LIST_ENDS && loader->program.libc != TARGET_LIBC_MUSL)
			return LOADER_NONE;
		if (r)
			return r;
	}
	return LOADER_NONE;
}

static int try_search_path(const struct loader *loader, const char *search_path, const char *origin, const char *name,
			   enum loader_way way, struct loader_file *ret_file)
{
	cleanup_words struct words folders = { 0 };
	int r = loader_folders(loader, search_path, ":", origin, &folders);

	return r < 0 ? r : try_folders(loader, &folders, name, way, ret_file);
}

/* How good an entry is: 0 is the best; negative: this CPU cannot use it. */
static int rank_of(const struct loader *loader, const struct ld_cache_entry *entry)
{
	static const char special[] = "/glibc-hwcaps/";
	const char *level = strstr(entry->path, special);
	int rank = 0;

	if (entry->legacy)
		return -1;
	for (const char *const *h = loader->hwcaps; *h; h++, rank++) {
		const size_t length = strlen(*h);

		if (level && strncmp(level + strlen(special), *h, length) == 0 &&
		    level[strlen(special) + length] == '/')
			return rank;
	}
	return level ? -1 : rank;
}

/* A file that stops the loader counts when no other entry serves: not seen here is which entries are for other classes.
 */
static int try_cache(const struct loader *loader, const char *name, struct loader_file *ret_file)
{
	cleanup_loader_file struct loader_file best = { .path = NULL };
	int best_rank = -1;

	for (size_t i = 0; i < loader->cache.count; i++) {
		cleanup_loader_file struct loader_file file = { .path = NULL };
		struct ld_cache_entry entry;
		int rank, r;

		if (!ld_cache_entry(&loader->cache, i, &entry) || strcmp(entry.name, name) != 0)
			continue;
		rank = rank_of(loader, &entry);
		if (rank < 0 || (best.path && !best.why_stopped && rank >= best_rank))
			continue;
		r = loader_try(loader, entry.path, LOADER_CACHE, &file);
		if (r < 0)
			return r;
		if (r != LOADER_FOUND && (r != LOADER_STOPPED || best.path))
			continue;
		loader_file_clear(&best);
		best = file;
		best_rank = rank;
		file = (struct loader_file){ .path = NULL };
	}
	if (!best.path)
		return LOADER_NONE;
	*ret_file = best;
	best = (struct loader_file){ .path = NULL };
	return ret_file->why_stopped ? LOADER_STOPPED : LOADER_FOUND;
}

/* The search paths of the asker and of those that loaded it. musl knows no difference between RPATH and RUNPATH. */
static int try_rpaths(const struct loader *loader, const struct loader_asker *asker, const char *name,
		      struct loader_file *ret_file)
{
	const bool musl = loader->program.libc == TARGET_LIBC_MUSL;

	for (; asker; asker = asker->by) {
		const char *search_path = musl && asker->runpath ? asker->runpath : asker->rpath;
		int r = 0;

		if (search_path && (musl || !asker->runpath))
			r = try_search_path(loader, search_path, asker->origin, name,
					    search_path == asker->runpath ? LOADER_RUNPATH : LOADER_RPATH, ret_file);
		if (r)
			return r;
	}
	return 0;
}

static int find_named(const struct loader *loader, const char *name, const struct loader_asker *asker,
		      struct loader_file *ret_file)
{
	cleanup_free char *expanded = NULL, *whole = NULL;
	int r = expand(loader, name, strlen(name), asker ? asker->origin : loader->origin, &expanded);

	if (r < 0 || !expanded)
		return r;
	whole = tree_whole(loader->folder, expanded);
	return whole ? loader_try(loader, whole, LOADER_NAMED, ret_file) : -ENOMEM;
}

static int find(const struct loader *loader, const char *name, const struct loader_asker *asker,
		struct loader_file *ret_file)
{
	const bool musl = loader->program.libc == TARGET_LIBC_MUSL;
	int r = 0;

	if (strchr(name, '/'))
		return find_named(loader, name, asker, ret_file);
	if (!musl && asker && !asker->runpath)
		r = try_rpaths(loader, asker, name, ret_file);
	if (r == 0)
		r = try_folders(loader, &loader->library_path, name, LOADER_LIBRARY_PATH, ret_file);
	if (r == 0 && musl)
		r = try_rpaths(loader, asker, name, ret_file);
	if (r == 0 && !musl && asker && asker->runpath)
		r = try_search_path(loader, asker->runpath, asker->origin, name, LOADER_RUNPATH, ret_file);
	if (asker && asker->no_default && !musl)
		return r;
	if (r == 0)
		r = try_cache(loader, name, ret_file);
	if (r == 0)
		r = try_folders(loader, &loader->defaults, name, LOADER_DEFAULT, ret_file);
	return r;
}

int loader_find(const struct loader *loader, const char *name, const struct loader_asker *asker,
		struct loader_file *ret_file)
{
	int r = find(loader, name, asker, ret_file);

	return r == LOADER_LIST_ENDS ? LOADER_NONE : r;
}

/* ---- Setting up ---- */

static int add_default(struct loader *loader, const char *top, const char *name)
{
	cleanup_free char *path = tree_join(top, name);

	return path ? words_add(&loader->defaults, path) : -ENOMEM;
}

/* Debian's loader knows the folders of its tuple, everybody else's those of lib64; the plain ones come last. */
static int glibc_defaults(struct loader *loader, const struct loader_machine *machine)
{
	static const char *const tops[] = { "/lib", "/usr/lib" };
	cleanup_free char *lib = NULL, *usr = NULL;
	bool multiarch = false;
	int r = 0;

	if (machine) {
		lib = tree_join(tops[0], machine->tuple);
		usr = tree_join(tops[1], machine->tuple);
		if (!lib || !usr)
			return -ENOMEM;
		multiarch = tree_is_folder(loader->root, lib) || tree_is_folder(loader->root, usr);
		loader->lib = machine->lib;
		loader->platform = machine->platform;
	}
	if (multiarch) {
		r = words_add(&loader->defaults, lib) || words_add(&loader->defaults, usr);
		if (r == 0)
			loader->lib = loader->defaults.items[0] + 1; /* "lib/x86_64-linux-gnu" */
	} else if (machine && strcmp(machine->lib, "lib") != 0) {
		r = add_default(loader, "/", machine->lib) || add_default(loader, "/usr", machine->lib);
	}
	for (size_t i = 0; i < ARRAY_SIZE(tops) && r == 0; i++)
		r = words_add(&loader->defaults, tops[i]);
	return r ? -ENOMEM : 0;
}

static int musl_defaults(struct loader *loader, const struct loader_machine *machine)
{
	static const char built_in[] = "/lib:/usr/local/lib:/usr/lib";
	cleanup_text struct text path = TEXT_INIT;
	cleanup_free char *list = NULL;
	size_t length = 0;
	int r = -ENOENT;

	if (machine) {
		text_add(&path, "/etc/ld-musl-%s.path", machine->musl);
		if (path.failed)
			return -ENOMEM;
		r = tree_read(loader->root, path.data, CACHE_MAX_BYTES, &list, &length);
	}
	/* A list that is there and cannot be read leaves musl with no folder at all. */
	if (r == 0 || r == -ENOENT)
		r = ld_conf_musl(list ? list : built_in, &loader->defaults);
	return r == -ENOMEM ? r : 0;
}

static int read_cache(struct loader *loader)
{
	size_t length = 0;
	int r = tree_read(loader->root, CACHE, CACHE_MAX_BYTES, &loader->cache_bytes, &length);

	if (r == 0 && ld_cache_open(loader->cache_bytes, length, &loader->cache))
		return 0;
	loader->cache_broken = r != -ENOENT;
	return r == -ENOMEM ? r : 0;
}

static int set_up(struct loader *loader, const char *library_path)
{
	const struct loader_program *program = &loader->program;
	const struct loader_machine *machine = loader_machine_find(program->machine, program->class, program->big);
	cleanup_free char *real = NULL;
	int r = 0;

	loader->hwcaps = loader_machine_hwcaps(program->machine, program->class);
	if (program->path && tree_real_path(loader->root, program->path, &real) == 0) {
		loader->origin = tree_parent(real);
		r = loader->origin ? 0 : -ENOMEM;
	}
	if (r == 0 && program->libc == TARGET_LIBC_MUSL)
		r = musl_defaults(loader, machine);
	else if (r == 0)
		r = glibc_defaults(loader, machine);
	if (r == 0 && program->libc != TARGET_LIBC_MUSL)
		r = read_cache(loader);
	if (r == 0 && library_path && *library_path && !program->secure)
		r = loader_folders(loader, library_path, program->libc == TARGET_LIBC_MUSL ? ":\n" : ":;",
				   loader->origin, &loader->library_path);
	return r;
}

int loader_init(struct loader *loader, const struct sysroot *root, const struct loader_program *program,
		const char *library_path, const char *folder, struct err *err)
{
	cleanup_loader struct loader made = { .root = root, .program = *program, .folder = strdup(folder) };

	if (!made.folder || set_up(&made, library_path) < 0)
		return err_nomem(err);
	*loader = made;
	made = (struct loader){ .root = NULL };
	return 0;
}

void loader_clear(struct loader *loader)
{
	free(loader->origin);
	free(loader->folder);
	words_clear(&loader->library_path);
	words_clear(&loader->defaults);
	free(loader->cache_bytes);
	*loader = (struct loader){ .root = NULL };
}

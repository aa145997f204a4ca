/* SPDX-License-Identifier: Apache-2.0 */
#include "target/libraries_private.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "target/elf_versions.h"
#include "target/ld_conf.h"
#include "target/loader_machine.h"

#include <errno.h>
#include <string.h>

#define CONFIGURATION "/etc/ld.so.conf"

/* A file that may be worth a row. */
struct candidate {
	const char *path;
	enum library_place place;
	const char *found;   /* how, in words */
	const char *package; /* or NULL */
};

static struct library *find_id(const struct gather *gather, const struct tree_id *id)
{
	for (size_t i = 0; i < gather->found->count; i++) {
		struct library *library = &gather->found->items[i];

		if (library->id.device == id->device && library->id.file == id->file)
			return library;
	}
	return NULL;
}

/* The same file under another name: the soname is the one that is asked for, so it is the one to show. */
static int rename_found(struct library *library, const struct candidate *candidate)
{
	char *path;

	if (!library->soname || library->place != candidate->place ||
	    strcmp(tree_name(library->path), library->soname) == 0 ||
	    strcmp(tree_name(candidate->path), library->soname) != 0)
		return 0;
	path = strdup(candidate->path);
	if (!path)
		return -ENOMEM;
	free(library->path);
	library->path = path;
	return 0;
}

/* What it calls itself goes before what its file is called: conda's "libgomp.so.1" may be a link to LLVM's runtime. */
static const struct library_name *name_of(const char *path, const struct elf_dynamic *dynamic)
{
	const struct library_name *name = dynamic->soname ? library_name_find(dynamic->soname) : NULL;

	return name ? name : library_name_find(tree_name(path));
}

/* 1 and a row, old or new; 0: no library we know. `file` was read from the candidate's path. */
static int add(struct gather *gather, const struct candidate *candidate, const struct loader_file *file,
	       struct library **ret_library)
{
	const struct library_name *name = name_of(candidate->path, &file->dynamic);
	struct library *library = find_id(gather, &file->id);
	struct libraries *found = gather->found;
	int r;

	if (!name)
		return 0;
	if (library) {
		*ret_library = library;
		r = rename_found(library, candidate);
		return r < 0 ? r : 1;
	}
	library = array_grow(found->items, &found->capacity, found->count, sizeof(*library));
	if (!library)
		return -ENOMEM;
	found->items = library;
	library += found->count;
	*library = (struct library){
		.family = name->family,
		.name = name->name,
		.id = file->id,
		.order = found->count++,
		.place = candidate->place,
		.path = strdup(candidate->path),
		.soname = file->dynamic.soname ? strdup(file->dynamic.soname) : NULL,
		.found = strdup(candidate->found),
		.package = candidate->package ? strdup(candidate->package) : NULL,
		.usable = true,
	};
	*ret_library = library;
	return library->path && library->found && !library->soname == !file->dynamic.soname &&
			       !library->package == !candidate->package
		       ? 1
		       : -ENOMEM;
}

/* A file that is not ELF is no library, whatever its name: "libjemalloc.so" may be a text for the linker. */
static int add_path(struct gather *gather, const struct candidate *candidate)
{
	cleanup_loader_file struct loader_file file = { .path = NULL };
	struct library *library;
	int r = loader_read(&gather->loader, candidate->path, &file);

	if (r >= 0)
		r = add(gather, candidate, &file, &library);
	return r == -ENOMEM ? r : 0;
}

static int add_folder(struct gather *gather, const char *folder, enum library_place place, const char *found)
{
	cleanup_words struct words names = { 0 };
	int r = tree_names(gather->request->root, folder, false, &names);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < names.count && r == 0; i++) {
		cleanup_free char *path = NULL;

		if (!library_name_find(names.items[i]))
			continue;
		path = tree_join(folder, names.items[i]);
		r = path ? add_path(gather, &(struct candidate){ path, place, found, NULL }) : -ENOMEM;
	}
	return r;
}

static int add_folders(struct gather *gather, const struct words *folders, const char *found)
{
	int r = 0;

	for (size_t i = 0; i < folders->count && r == 0; i++)
		r = add_folder(gather, folders->items[i], LIBRARY_LOADER, found);
	return r;
}

/* ---- What is loaded ---- */

/* A preload is opened in the program's name, and not for the program's own sake. */
static bool is_preloaded(const struct gather *gather, const struct image_object *object)
{
	return object->by == gather->image.program && object->cause != libraries_by_program;
}

static char *how_found(const struct image_object *object, bool preloaded)
{
	struct text text = TEXT_INIT;

	if (preloaded)
		text_add(&text, "%s, ", object->cause);
	text_add(&text, "%s", loader_ways[object->file.way]);
	if (object->by && (object->file.way == LOADER_RUNPATH || object->file.way == LOADER_RPATH))
		text_add(&text, " of %s", tree_name(object->by->file.path));
	return text_take(&text);
}

int libraries_add_objects(struct gather *gather, size_t first, enum library_place place)
{
	for (size_t i = first; i < gather->image.count; i++) {
		const struct image_object *object = gather->image.objects[i];
		const bool preloaded = place == LIBRARY_PROGRAM && is_preloaded(gather, object);
		cleanup_free char *found = how_found(object, preloaded);
		struct library *library = NULL;
		struct candidate candidate = { object->file.path, preloaded ? LIBRARY_PRELOADED : place, found, NULL };
		int r;

		if (!found)
			return -ENOMEM;
		if (object == gather->image.program)
			continue;
		r = add(gather, &candidate, &object->file, &library);
		if (r < 0)
			return r;
		if (r && !library->loaded_by) {
			library->loaded_by = strdup(object->cause);
			if (!library->loaded_by)
				return -ENOMEM;
		}
	}
	return 0;
}

/* ---- Where the loader looks ---- */

/* The program's own search path, which also serves what it opens by name. */
static int add_search_path(struct gather *gather)
{
	const struct image_object *program = gather->image.program;
	cleanup_words struct words folders = { 0 };
	const char *search_path;
	int r;

	if (!program)
		return 0;
	search_path = program->asker.runpath ? program->asker.runpath : program->asker.rpath;
	if (!search_path)
		return 0;
	r = loader_folders(&gather->loader, search_path, ":", program->asker.origin, &folders);
	return r < 0 ? r
		     : add_folders(gather, &folders,
				   loader_ways[program->asker.runpath ? LOADER_RUNPATH : LOADER_RPATH]);
}

static int add_cache(struct gather *gather)
{
	const char *found = loader_ways[LOADER_CACHE];

	for (size_t i = 0; i < gather->loader.cache.count; i++) {
		cleanup_loader_file struct loader_file file = { .path = NULL };
		struct ld_cache_entry entry;
		int r;

		if (!ld_cache_entry(&gather->loader.cache, i, &entry) || !library_name_find(entry.name))
			continue;
		/* Of the variants for different CPUs only the one that this CPU gets. */
		if (strstr(entry.path, "/glibc-hwcaps/") || entry.legacy) {
			r = loader_find(&gather->loader, entry.name, NULL, &file);
			if (r < 0)
				return r;
			if (r != LOADER_FOUND || strcmp(file.path, entry.path) != 0)
				continue;
		}
		r = add_path(gather, &(struct candidate){ entry.path, LIBRARY_LOADER, found, NULL });
		if (r < 0)
			return r;
	}
	return 0;
}

/* Without a cache the loader does not find what is in the folders that ldconfig would have read; a path still leads
 * there. */
static int add_configured(struct gather *gather)
{
	cleanup_words struct words folders = { 0 };
	int r;

	if (gather->loader.cache.count || gather->loader.program.libc == TARGET_LIBC_MUSL)
		return 0;
	r = ld_conf_folders(gather->request->root, CONFIGURATION, &folders);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	return add_folders(gather, &folders, CONFIGURATION ", without a cache: by path only");
}

int libraries_add_loader(struct gather *gather)
{
	int r = add_folders(gather, &gather->loader.library_path, loader_ways[LOADER_LIBRARY_PATH]);

	if (r == 0)
		r = add_search_path(gather);
	if (r == 0)
		r = add_cache(gather);
	if (r == 0)
		r = add_folders(gather, &gather->loader.defaults, loader_ways[LOADER_DEFAULT]);
	return r < 0 ? r : add_configured(gather);
}

/* ---- What Python brings ---- */

int libraries_add_python(struct gather *gather)
{
	const struct python *python = gather->found->python;
	int r = 0;

	for (size_t p = 0; p < gather->packages.count; p++) {
		const struct package *package = &gather->packages.items[p];
		cleanup_words struct words paths = { 0 };

		r = package_libraries(gather->request->root, package, &paths);
		for (size_t i = 0; i < paths.count && r == 0; i++)
			r = add_path(gather, &(struct candidate){ paths.items[i], LIBRARY_PACKAGE, package->folder,
								  package->name });
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < python->libs.count && r == 0; i++)
		r = add_folder(gather, python->libs.items[i], LIBRARY_ENVIRONMENT, python->libs.items[i]);
	return r;
}

/* ---- Which of them fit ---- */

/* The C library that a library is linked with, told by what it needs. */
static enum target_libc libc_of(const struct words *needed)
{
	for (size_t i = 0; i < needed->count; i++) {
		const char *name = needed->items[i];

		if (strcmp(name, "libc.so.6") == 0 || strcmp(name, "libc.so.6.1") == 0)
			return TARGET_LIBC_GLIBC;
		if (strcmp(name, "libc.so") == 0 || strncmp(name, "libc.musl-", strlen("libc.musl-")) == 0)
			return TARGET_LIBC_MUSL;
	}
	return TARGET_LIBC_UNKNOWN;
}

static void say_mismatch(const struct loader_program *program, const struct elf_dynamic *dynamic, struct text *why)
{
	const enum target_libc libc = libc_of(&dynamic->needed);
	char own[48], its[48];

	if (program->libc == TARGET_LIBC_NONE)
		text_add(why, "the program is static: nothing can be loaded into it");
	else if (dynamic->machine != program->machine || dynamic->class != program->class ||
		 dynamic->big != program->big)
		text_add(why, "is for %s, the program for %s",
			 loader_machine_name(dynamic->machine, dynamic->class, dynamic->big, its, sizeof(its)),
			 loader_machine_name(program->machine, program->class, program->big, own, sizeof(own)));
	else if (!dynamic->dynamic)
		text_add(why, "is no shared library");
	else if (libc != TARGET_LIBC_UNKNOWN && libc != program->libc)
		text_add(why, "needs %s, the program's C library is %s", libc == TARGET_LIBC_GLIBC ? "glibc" : "musl",
			 program->libc == TARGET_LIBC_GLIBC  ? "glibc"
			 : program->libc == TARGET_LIBC_MUSL ? "musl"
							     : "another");
}

static int read_versions(const struct gather *gather, const struct image_object *object, struct elf_versions *versions)
{
	cleanup_close int fd = tree_open(gather->request->root, object->file.path, NULL);
	int r = fd < 0 ? fd : elf_versions_read(fd, versions);

	return r == -ENOMEM ? r : 0;
}

static bool holds(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++) {
		if (strcmp(words->items[i], word) == 0)
			return true;
	}
	return false;
}

/* Is there a version that an object needs and the one who should have it lacks? A library without any has all. */
static int say_versions(const struct gather *gather, const struct image_object *object, struct text *why)
{
	cleanup_elf_versions struct elf_versions needs = { .needed = { .count = 0 } };
	cleanup_elf_versions struct elf_versions has = { .needed = { .count = 0 } };
	const struct image_object *provider = NULL;
	int r = read_versions(gather, object, &needs);

	for (size_t i = 0; i < needs.files.count && r == 0 && !why->length; i++) {
		/* What is needed of one file stands together. */
		if (!i || strcmp(needs.files.items[i], needs.files.items[i - 1]) != 0) {
			elf_versions_clear(&has);
			provider = image_find(&gather->image, needs.files.items[i]);
			r = provider ? read_versions(gather, provider, &has) : 0;
		}
		if (r == 0 && provider && has.defined.count && !holds(&has.defined, needs.needed.items[i]))
			text_add(why, "%s needs %s, which %s has not got", tree_name(object->file.path),
				 needs.needed.items[i], provider->file.path);
	}
	return r;
}

/* Load it into the program's image and take it out again. */
static int say_missing(struct gather *gather, const char *path, struct text *why)
{
	struct image_missing missing = { .name = "" };
	const size_t first = gather->image.count;
	int r = image_add(&gather->image, path, "", &missing);

	if (r > 0)
		r = image_fill(&gather->image, first, &missing);
	for (size_t i = first; i < gather->image.count && r == 0 && gather->loader.program.libc == TARGET_LIBC_GLIBC;
	     i++)
		r = say_versions(gather, gather->image.objects[i], why);
	image_cut(&gather->image, first);
	if (r == 0 && missing.why_stopped && !why->length)
		text_add(why, "%s needs %s, and the loader stops at '%s', which %s", missing.by, missing.name,
			 missing.at, missing.why_stopped);
	else if (r == 0 && missing.name[0] && !why->length)
		text_add(why, "%s needs %s, which is not found", missing.by, missing.name);
	return r;
}

static int check_one(struct gather *gather, struct library *library)
{
	cleanup_loader_file struct loader_file file = { .path = NULL };
	cleanup_text struct text why = TEXT_INIT;
	int r;

	if (library->loaded_by)
		return 0;
	r = loader_read(&gather->loader, library->path, &file);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	say_mismatch(&gather->loader.program, &file.dynamic, &why);
	if (!why.length && !why.failed && say_missing(gather, library->path, &why) < 0)
		return -ENOMEM;
	library->usable = !why.length;
	library->why_not = why.length ? text_take(&why) : NULL;
	return why.failed || (!library->usable && !library->why_not) ? -ENOMEM : 0;
}

int libraries_check(struct gather *gather)
{
	int r = 0;

	for (size_t i = 0; i < gather->found->count && r == 0; i++)
		r = check_one(gather, &gather->found->items[i]);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "target/malloc_library.h"

#include "base/answer.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/installed.h"
#include "base/text.h"
#include "target/elf.h"
#include "target/library_trial.h"
#include "target/loader.h"
#include "target/loader_machine.h"
#include "target/malloc_probe.h"
#include "target/target.h"

#include <string.h>

/*
 * Names as the projects build them. tcmalloc: gperftools 2 has ".so.4" (Debian, Fedora, conda-forge), and the minimal
 * build is the one without profilers. mimalloc: the version is the soname's (2.0.9 makes libmimalloc.so.2).
 */
static const struct malloc_library_names library_names[] = {
	{ "tcmalloc_minimal", { "libtcmalloc_minimal.so.4" } }, /* what `auto` takes */
	{ "tcmalloc", { "libtcmalloc_minimal.so.4", "libtcmalloc.so.4" } },
	{ "jemalloc", { "libjemalloc.so.2", "libjemalloc.so.1" } },
	{ "mimalloc", { "libmimalloc.so.2", "libmimalloc.so.3", "libmimalloc.so.1" } },
};

const struct malloc_library_names *malloc_library_names(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(library_names); i++) {
		if (strcmp(library_names[i].word, word) == 0)
			return &library_names[i];
	}
	return NULL;
}

void malloc_library_clear(struct malloc_library *library)
{
	free(library->path);
	free(library->why_not);
	*library = (struct malloc_library){ .path = NULL };
}

/*
 * "lib" beside the interpreter's folder: where conda puts libraries, and pip those of wheels that are no packages. The
 * folder by the path that was named: a virtual environment's interpreter is a link to elsewhere.
 */
static int environment_folders(const struct malloc_library_request *request, struct words *folders)
{
	cleanup_free char *bin = NULL, *prefix = NULL, *lib = NULL;

	if (!request->target || !request->target->interpreter)
		return 0;
	bin = tree_parent(request->target->interpreter);
	if (!bin)
		return -ENOMEM;
	if (strcmp(tree_name(bin), "bin") != 0)
		return 0;
	prefix = tree_parent(bin);
	lib = prefix ? tree_join(prefix, "lib") : NULL;
	return lib ? words_take(folders, TAKE(lib)) : -ENOMEM;
}

/* Why a file of a name is not taken; nothing where there is no such file. */
static int say_misfit(const struct loader *loader, const char *folder, const char *name, struct text *why)
{
	cleanup_loader_file struct loader_file file = { .path = NULL };
	cleanup_free char *path = tree_join(folder, name);
	const struct elf_dynamic *dynamic = &file.dynamic;
	const struct loader_program *program = &loader->program;
	char its[48], own[48];
	int r = path ? loader_read(loader, path, &file) : -ENOMEM;

	if (r == -ENOEXEC)
		text_add(why, "'%s' is no ELF library", path);
	else if (r == 0 && (dynamic->machine != program->machine || dynamic->class != program->class ||
			    dynamic->big != program->big))
		text_add(why, "'%s' is for %s, the program for %s", path,
			 loader_machine_name(dynamic->machine, dynamic->class, dynamic->big, its, sizeof(its)),
			 loader_machine_name(program->machine, program->class, program->big, own, sizeof(own)));
	else if (r == 0)
		text_add(why, "'%s' is no shared library", path);
	return r == -ENOMEM ? r : 0;
}

/* Look for a name as the loader does, then in `folders`. 1, 0 or -ENOMEM. */
static int find_name(const struct loader *loader, const struct words *folders, const char *name, char **ret_path)
{
	cleanup_loader_file struct loader_file file = { .path = NULL };
	int r = loader_find(loader, name, NULL, &file);

	/* A file in the way that is no library ends the loader's own search. */
	if (r == LOADER_STOPPED)
		r = LOADER_NONE;
	for (size_t i = 0; i < folders->count && r == 0; i++) {
		cleanup_free char *path = tree_join(folders->items[i], name);

		loader_file_clear(&file);
		r = path ? loader_read(loader, path, &file) : -ENOMEM;
		r = r < 0 && r != -ENOMEM ? 0 : r;
	}
	if (r > 0)
		*ret_path = TAKE(file.path);
	return r;
}

static int say_missing(const struct loader *loader, const struct malloc_library_request *request,
		       const struct words *folders, struct malloc_library *library)
{
	const struct words *const searched[] = { &loader->library_path, folders };
	const char *const *names = request->names->sonames;
	cleanup_text struct text why = TEXT_INIT;

	for (size_t n = 0; names[n]; n++) {
		for (size_t s = 0; s < ARRAY_SIZE(searched); s++) {
			for (size_t i = 0; i < searched[s]->count && !why.length; i++) {
				if (say_misfit(loader, searched[s]->items[i], names[n], &why) < 0)
					return -ENOMEM;
			}
		}
	}
	library->broken = why.length != 0;
	if (!why.length)
		text_add(&why, "%s is not found where the program's loader looks", names[0]);
	library->why_not = text_take(&why);
	return library->why_not ? 0 : -ENOMEM;
}

/* What the library needs may be another file in this program than in the helper. */
static bool needs_trial(const struct target *target)
{
	return target && target->own_libraries && target->interpreter;
}

/* What the library needs in its turn may come to lie there: whoever watches `root` is told of these folders. */
static int look_at_folders(const struct loader *loader, const struct target *target)
{
	cleanup_loader_file struct loader_file program = { .path = NULL };
	cleanup_words struct words own = { 0 };
	const struct words *const lists[] = { &loader->library_path, &own };

	if (needs_trial(target) && loader_read(loader, target->interpreter, &program) >= 0 && program.dynamic.rpath &&
	    loader_folders(loader, program.dynamic.rpath, ":", loader->origin, &own) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (size_t k = 0; k < lists[i]->count; k++)
			(void)sysroot_has_folder(loader->root, lists[i]->items[k]);
	}
	return 0;
}

static int find_path(const struct malloc_library_request *request, const struct words *folders, char **ret_path,
		     struct malloc_library *library, struct err *err)
{
	const struct target *target = request->target;
	const struct elf_facts own = elf_own();
	const struct loader_program program = {
		.path = target ? target->interpreter : NULL,
		.libc = TARGET_LIBC_GLIBC,
		.machine = target ? target->elf_machine : own.machine,
		.class = target ? target->elf_class : own.class,
		.big = own.big,
	};
	cleanup_loader struct loader loader = { .root = NULL };
	const char *const *names = request->names->sonames;
	int r = loader_init(&loader, request->root, &program, request->library_path, "/", err);

	if (r < 0)
		return r;
	r = look_at_folders(&loader, target);
	for (size_t i = 0; names[i] && r == 0; i++)
		r = find_name(&loader, folders, names[i], ret_path);
	if (r == 0)
		r = say_missing(&loader, request, folders, library);
	return r < 0 ? err_nomem(err) : 0;
}

/* A path that the loader would split cannot be preloaded. */
static int check_path(const char *path, struct malloc_library *library, struct err *err)
{
	if (!path[strcspn(path, ": $")])
		return 0;
	library->broken = true;
	if (asprintf(&library->why_not, "'%s' holds a character that LD_PRELOAD cannot", path) >= 0)
		return 0;
	library->why_not = NULL;
	return err_nomem(err);
}

/* A helper that was built with a newer glibc than the program has can tell nothing of the library. */
static bool is_helpers(const char *complaint, const char *helper)
{
	const char *by = strstr(complaint, "(required by ");

	return by && strncmp(by + strlen("(required by "), helper, strlen(helper)) == 0;
}

static int prove(const struct malloc_library_request *request, const char *path, struct malloc_library *library,
		 struct err *err)
{
	cleanup_free char *helper = installed_find("fettle-probe", "probe", "", X_OK), *why_not = NULL;
	const struct malloc_probe probe = {
		.helper = helper,
		.loader = request->target ? request->target->loader : NULL,
		.library = path,
		.library_path = request->library_path,
	};
	int r;

	if (!helper) {
		library->untried = true;
		library->why_not = strdup("fettle-probe, which tries a library, is not installed");
		return library->why_not ? 0 : err_nomem(err);
	}
	r = malloc_probe(&probe, &why_not, err);
	if (r == 0 && !why_not && needs_trial(request->target))
		r = library_try(request->target->interpreter, path, request->library_path, &why_not, err);
	if (r < 0)
		return r;
	if (why_not) {
		library->untried = is_helpers(why_not, helper);
		library->broken = !library->untried;
		if (asprintf(&library->why_not, library->broken ? "'%s' does not work: %s" : "'%s' cannot be tried: %s",
			     path, why_not) < 0)
			library->why_not = NULL;
		return library->why_not ? 0 : err_nomem(err);
	}
	library->path = strdup(path);
	return library->path ? 0 : err_nomem(err);
}

static int search(const struct malloc_library_request *request, const struct words *folders,
		  struct malloc_library *ret_library, struct err *err)
{
	cleanup_malloc_library struct malloc_library library = { .path = NULL };
	cleanup_free char *path = NULL;
	int r = find_path(request, folders, &path, &library, err);

	if (r == 0 && path)
		r = check_path(path, &library, err);
	if (r == 0 && path && !library.why_not)
		r = prove(request, path, &library, err);
	if (r < 0)
		return r;
	*ret_library = library;
	library = (struct malloc_library){ .path = NULL };
	return 0;
}

/* ---- The answer, remembered ---- */

static const char kind_of_file[] = "malloc";

static char *make_key(const struct malloc_library_request *request, const struct words *folders)
{
	const struct target *target = request->target;
	struct text key = TEXT_INIT;

	answer_key_self(&key);
	answer_key_word(&key, request->names->word);
	text_add(&key, "machine %u %u\n", target ? target->elf_machine : 0, target ? target->elf_class : 0);
	answer_key_word(&key, target ? target->loader : NULL);
	answer_key_word(&key, request->library_path);
	answer_key_word(&key, needs_trial(target) ? target->interpreter : NULL);
	for (size_t i = 0; i < folders->count; i++)
		answer_key_word(&key, folders->items[i]);
	return text_take(&key);
}

/* What the trial depends on and the search does not open. */
static void watch_trial(struct answer_watch *watch, const struct malloc_library_request *request,
			const struct words *folders)
{
	if (request->target && request->target->loader)
		answer_watch_path(watch, request->target->loader);
	answer_watch_path(watch, "/etc/ld.so.preload");
	for (size_t i = 0; i < folders->count; i++)
		answer_watch_path(watch, folders->items[i]);
}

static int recall(const struct malloc_library_request *request, const char *key, struct malloc_library *ret_library)
{
	cleanup_malloc_library struct malloc_library library = { .path = NULL };
	cleanup_answer struct answer answer = { .at = NULL };
	int r = answer_recall(request->root, request->cache_folder, kind_of_file, key, &answer);

	if (r < 0)
		return r;
	library.path = answer_get_copy(&answer);
	library.why_not = answer_get_copy(&answer);
	library.broken = answer_get(&answer) != NULL;
	library.untried = answer_get(&answer) != NULL;
	r = answer_end(&answer);
	if (r < 0)
		return r;
	if (!library.path && request->again)
		return -ESTALE;
	*ret_library = library;
	library = (struct malloc_library){ .path = NULL };
	return 0;
}

int malloc_library_find(const struct malloc_library_request *request, struct malloc_library *ret_library,
			struct err *err)
{
	cleanup_answer_watch struct answer_watch watch = { .failed = false };
	cleanup_text struct text bytes = TEXT_INIT;
	cleanup_words struct words folders = { 0 };
	cleanup_free char *key = NULL;
	struct malloc_library_request watching = *request;
	int r = environment_folders(request, &folders);

	if (r == 0 && request->cache_folder) {
		key = make_key(request, &folders);
		r = key ? 0 : -ENOMEM;
	}
	if (r < 0)
		return err_nomem(err);
	if (key && recall(request, key, ret_library) == 0)
		return 0;
	answer_watch_begin(&watch, request->root);
	watching.root = &watch.root;
	watch_trial(&watch, request, &folders);
	r = search(&watching, &folders, ret_library, err);
	if (r < 0 || !key)
		return r;
	answer_put(&bytes, ret_library->path);
	answer_put(&bytes, ret_library->why_not);
	answer_put(&bytes, ret_library->broken ? "" : NULL);
	answer_put(&bytes, ret_library->untried ? "" : NULL);
	answer_remember(&watch, request->cache_folder, kind_of_file, key, &bytes);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "target/libraries.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "target/elf.h"
#include "target/image.h"
#include "target/libraries_private.h"
#include "target/packages.h"
#include "target/program.h"

#include <string.h>

/* Causes of what is in an image at the program's start; an image keeps the pointers. */
const char libraries_by_program[] = "program";
const char libraries_by_variable[] = "LD_PRELOAD";
const char libraries_by_file[] = "/etc/ld.so.preload";

enum { PRELOAD_FILE_MAX = 65536 };

static void gather_clear(struct gather *gather)
{
	program_clear(&gather->program);
	image_clear(&gather->image);
	loader_clear(&gather->loader);
	packages_clear(&gather->packages);
	libraries_free(gather->found);
}
#define cleanup_gather cleanup_(gather_clear)

/* ---- For whom ---- */

static int find_program(struct gather *gather, struct err *err)
{
	const struct libraries_request *request = gather->request;
	struct program *program = &gather->program;
	const struct elf_facts own = elf_own();

	if (request->program)
		return program_follow_words(request->root, request->program, request->argv, request->environment,
					    request->folder, program, &gather->argv, err);
	program->machine = own.machine;
	program->class = own.class;
	program->big = own.big;
#ifdef __GLIBC__
	program->libc = TARGET_LIBC_GLIBC;
#else
	program->libc = TARGET_LIBC_MUSL;
#endif
	return 0;
}

/* A static program's loader is asked nothing; what is installed is still worth a look by glibc's rules. */
static int start_loader(struct gather *gather, struct err *err)
{
	const struct program *program = &gather->program;
	const struct loader_program loader_program = {
		.path = program->libc == TARGET_LIBC_NONE ? NULL : program->path,
		.libc = program->libc,
		.machine = program->machine,
		.class = program->class,
		.big = program->big,
		.secure = gather->request->secure || program->secure,
	};

	return loader_init(&gather->loader, gather->request->root, &loader_program,
			   environ_value(gather->request->environment, "LD_LIBRARY_PATH"), gather->request->folder,
			   err);
}

/* Every library of a list in LD_PRELOAD's form. */
static int preload(struct gather *gather, const char *list, const char *separators, const char *cause)
{
	while (*list) {
		const size_t length = strcspn(list, separators);
		cleanup_free char *name = strndup(list, length);
		struct image_missing missing = { .name = "" };
		int r = name ? 0 : -ENOMEM;

		if (r == 0 && length)
			r = image_add(&gather->image, name, cause, &missing);
		if (r == 0)
			r = libraries_add_stop(gather, &missing, cause);
		if (r < 0)
			return r;
		list += length;
		list += *list != '\0';
	}
	return 0;
}

/* What is mapped when the program starts: itself, preloads, and what all of them need. */
static int start_image(struct gather *gather)
{
	const struct loader *loader = &gather->loader;
	const char *variable = environ_value(gather->request->environment, libraries_by_variable);
	cleanup_free char *list = NULL;
	struct image_missing missing = { .name = "" };
	size_t length = 0;
	int r;

	if (gather->program.libc == TARGET_LIBC_NONE || !gather->program.path)
		return image_start(&gather->image, loader, libraries_by_program);
	r = image_start(&gather->image, loader, libraries_by_program);
	if (r == 0 && variable && !loader->program.secure)
		r = preload(gather, variable, " :", libraries_by_variable);
	if (r == 0 && loader->program.libc == TARGET_LIBC_GLIBC &&
	    tree_read(gather->request->root, libraries_by_file, PRELOAD_FILE_MAX, &list, &length) == -ENOMEM)
		r = -ENOMEM;
	if (r == 0 && list)
		r = preload(gather, list, " :\t\n", libraries_by_file);
	if (r == 0)
		r = image_fill(&gather->image, 0, &missing);
	gather->stopped = missing.why_stopped;
	if (r == 0)
		r = libraries_add_stop(gather, &missing, libraries_by_program);
	gather->startup = gather->image.count;
	return r;
}

/* ---- What packages load ---- */

static bool same_id(const struct tree_id *a, const struct tree_id *b)
{
	return a->device == b->device && a->file == b->file;
}

static struct library *library_of(const struct gather *gather, const struct image_object *object)
{
	for (size_t i = 0; i < gather->found->count; i++) {
		if (same_id(&gather->found->items[i].id, &object->file.id))
			return &gather->found->items[i];
	}
	return NULL;
}

/* Import one package after the other into one process: a library that an earlier one loaded serves the later too. */
static int load_packages(struct gather *gather)
{
	for (size_t p = 0; p < gather->packages.count; p++) {
		const struct package *package = &gather->packages.items[p];
		cleanup_words struct words modules = { 0 };
		struct image_missing missing = { .name = "" };
		const size_t first = gather->image.count;
		int r = package_modules(gather->request->root, package, &modules);

		for (size_t i = 0; i < modules.count && r >= 0; i++)
			r = image_add(&gather->image, modules.items[i], package->name, &missing);
		if (r >= 0)
			r = image_fill(&gather->image, first, &missing);
		if (r >= 0)
			r = libraries_add_stop(gather, &missing, package->name);
		/* What an import that fails had opened is closed again. */
		if (missing.why_stopped)
			image_cut(&gather->image, first);
		if (r >= 0)
			r = libraries_add_objects(gather, first, LIBRARY_PACKAGE);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- Who is in charge ---- */

/* The first library of a family among the objects from `first` to `end`, of one cause (NULL: any). */
static struct library *first_loaded(const struct gather *gather, enum library_family family, size_t first, size_t end,
				    const char *cause)
{
	for (size_t i = first; i < end; i++) {
		const struct image_object *object = gather->image.objects[i];
		struct library *library = library_of(gather, object);

		if (library && library->family == family && (!cause || object->cause == cause))
			return library;
	}
	return NULL;
}

/* The one library that packages of this kind load; `*ret_several`: they load different ones. */
static struct library *one_of_packages(const struct gather *gather, enum library_family family, bool frameworks,
				       bool *ret_several)
{
	struct library *only = NULL;

	*ret_several = false;
	for (size_t p = 0; p < gather->packages.count; p++) {
		const struct package *package = &gather->packages.items[p];
		struct library *library = NULL;

		if (package_is_framework(package) == frameworks)
			library = first_loaded(gather, family, gather->startup, gather->image.count, package->name);
		*ret_several = *ret_several || (only && library && only != library);
		only = only ? only : library;
	}
	return only;
}

static const char *why_nobody(const struct gather *gather, enum library_family family, bool several)
{
	if (family == LIBRARY_ONEDNN || family == LIBRARY_BLAS)
		return "each package uses the one it loads";
	if (!gather->request->program)
		return "no program is named";
	if (gather->program.libc == TARGET_LIBC_NONE)
		return "the program is static";
	if (several)
		return "packages load different ones: the first imported decides";
	if (family == LIBRARY_ALLOCATOR)
		return "none is preloaded or linked: malloc is the C library's";
	return gather->found->python ? "no package here is known to load one" : "the program loads none at its start";
}

static int put_in_charge(struct gather *gather)
{
	for (unsigned family = 0; family < LIBRARY_FAMILY_COUNT; family++) {
		cleanup_text struct text why = TEXT_INIT;
		bool several = false;
		struct library *library = NULL;
		const struct library_stop *stop;

		if (family == LIBRARY_OPENMP || family == LIBRARY_ALLOCATOR) {
			library = first_loaded(gather, family, 0, gather->startup, NULL);
			if (!library)
				library = one_of_packages(gather, family, true, &several);
			if (!library)
				library = one_of_packages(gather, family, false, &several);
		}
		stop = libraries_stop_of(gather, family, library);
		if (library && !several && !stop) {
			library->in_charge = true;
			continue;
		}
		if (stop && family != LIBRARY_OPENMP && gather->stopped)
			text_add(&why, "the program does not start");
		else if (stop)
			text_add(&why, "the loader looks for %s and stops at '%s', which %s", stop->name, stop->path,
				 stop->why);
		else
			text_add(&why, "%s", why_nobody(gather, family, several));
		gather->found->nobody[family] = text_take(&why);
		if (!gather->found->nobody[family])
			return -ENOMEM;
	}
	return 0;
}

/* In charge, loaded, usable, not usable. */
static int rank_of(const struct library *library)
{
	return library->in_charge ? 0 : library->loaded_by ? 1 : library->usable ? 2 : 3;
}

static int compare_libraries(const void *a, const void *b)
{
	const struct library *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	if (rank_of(x) != rank_of(y))
		return rank_of(x) - rank_of(y);
	return x->order < y->order ? -1 : x->order > y->order;
}

/* ---- All together ---- */

static int gather_all(struct gather *gather)
{
	struct libraries *found = gather->found;
	int r = start_image(gather);

	if (r == 0 && !gather->stopped)
		r = libraries_add_objects(gather, 0, LIBRARY_PROGRAM);
	if (r == 0)
		r = libraries_add_loader(gather);
	if (r == 0 && found->python)
		r = packages_find(gather->request->root, found->python, &gather->packages);
	if (r == 0 && found->python)
		r = libraries_add_python(gather);
	if (r == 0)
		r = libraries_check(gather);
	if (r == 0 && !gather->stopped)
		r = load_packages(gather);
	if (r == 0)
		r = put_in_charge(gather);
	if (r == 0 && found->count)
		qsort(found->items, found->count, sizeof(*found->items), compare_libraries);
	return r;
}

static int tell_for_whom(struct gather *gather)
{
	const struct program *program = &gather->program;
	struct libraries *found = gather->found;

	found->program = program->path ? strdup(program->path) : NULL;
	found->chosen_by = program->chosen_by ? strdup(program->chosen_by) : NULL;
	if (program->shell)
		found->note = "the shell may start other programs, which were not looked at";
	found->libc = program->libc;
	found->machine = program->machine;
	found->class = program->class;
	found->big = program->big;
	found->cache_broken = gather->loader.cache_broken;
	return (program->path && !found->program) || (program->chosen_by && !found->chosen_by) ? -ENOMEM : 0;
}

int libraries_read(const struct libraries_request *request, struct libraries **ret_libraries, struct err *err)
{
	cleanup_gather struct gather gather = { .request = request, .found = calloc(1, sizeof(*gather.found)) };
	struct err why = { .code = 0 };
	int r;

	if (!gather.found)
		return err_nomem(err);
	r = find_program(&gather, &why);
	if (r == 0)
		r = start_loader(&gather, &why);
	if (r == 0 && tell_for_whom(&gather) < 0)
		r = err_nomem(&why);
	if (r == 0 && gather.program.path && python_is(tree_name(gather.program.path)))
		r = python_find(request->root, &gather.program, request->environment, request->folder, gather.argv,
				&gather.found->python, &why);
	if (r < 0) {
		*err = why;
		return r;
	}
	if (gather_all(&gather) < 0)
		return err_nomem(err);
	*ret_libraries = TAKE(gather.found);
	return 0;
}

static void library_clear(struct library *library)
{
	free(library->path);
	free(library->soname);
	free(library->found);
	free(library->package);
	free(library->loaded_by);
	free(library->why_not);
}

void libraries_free(struct libraries *libraries)
{
	if (!libraries)
		return;
	for (size_t i = 0; i < libraries->count; i++)
		library_clear(&libraries->items[i]);
	for (unsigned i = 0; i < LIBRARY_FAMILY_COUNT; i++)
		free(libraries->nobody[i]);
	free(libraries->items);
	libraries_free_stops(libraries);
	free(libraries->program);
	free(libraries->chosen_by);
	python_free(libraries->python);
	free(libraries);
}

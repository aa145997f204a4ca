/* SPDX-License-Identifier: Apache-2.0 */
#include "target/image.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

static void object_free(struct image_object *object)
{
	if (!object)
		return;
	free(object->name);
	free(object->origin);
	loader_file_clear(&object->file);
	free(object);
}

static void object_free_(struct image_object **object)
{
	object_free(*object);
}
#define cleanup_object cleanup_(object_free_)

/* Put a file into the image; it is taken over. */
static int add(struct image *image, const char *name, struct loader_file *file, const struct image_object *by,
	       const char *cause)
{
	cleanup_object struct image_object *object = calloc(1, sizeof(*object));
	struct image_object **grown;

	if (!object)
		return -ENOMEM;
	object->file = *file;
	*file = (struct loader_file){ .path = NULL };
	object->name = strdup(name);
	object->origin = tree_parent(object->file.path);
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): it is an array of pointers */
	grown = array_grow(image->objects, &image->capacity, image->count, sizeof(*grown));
	if (grown)
		image->objects = grown;
	if (!object->name || !object->origin || !grown)
		return -ENOMEM;
	object->by = by;
	object->cause = cause;
	object->asker = (struct loader_asker){
		.origin = object->origin,
		.rpath = object->file.dynamic.rpath,
		.runpath = object->file.dynamic.runpath,
		.no_default = object->file.dynamic.no_default,
		.by = by ? &by->asker : NULL,
	};
	image->objects[image->count++] = TAKE(object);
	return 0;
}

const struct image_object *image_find(const struct image *image, const char *name)
{
	for (size_t i = 0; i < image->count; i++) {
		const struct image_object *object = image->objects[i];

		if (strcmp(object->name, name) == 0 ||
		    (object->file.dynamic.soname && strcmp(object->file.dynamic.soname, name) == 0))
			return object;
	}
	return NULL;
}

static bool is_mapped(const struct image *image, const struct tree_id *id)
{
	for (size_t i = 0; i < image->count; i++) {
		if (image->objects[i]->file.id.device == id->device && image->objects[i]->file.id.file == id->file)
			return true;
	}
	return false;
}

/* musl's loader is the C library itself: these names never lead to a file. */
static bool is_built_in(const struct loader *loader, const char *name)
{
	static const char *const names[] = { "libc.so",  "libpthread.so", "librt.so",  "libm.so",
					     "libdl.so", "libutil.so",    "libxnet.so" };

	if (loader->program.libc != TARGET_LIBC_MUSL)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		/* "libc.musl-x86_64.so.1" is how others name "libc.so". */
		if (strcmp(name, names[i]) == 0 || strncmp(name, "libc.musl-", strlen("libc.musl-")) == 0)
			return true;
	}
	return false;
}

/* glibc's loader is mapped before anything is looked for. */
static bool is_loader(const char *name)
{
	return strncmp(name, "ld-linux", strlen("ld-linux")) == 0 || strncmp(name, "ld64.so.", strlen("ld64.so.")) == 0;
}

static void copy_name(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from);
}

/* What is missing is less telling than what stops the loader. `at`: where that is; NULL: the name is found nowhere. */
static void tell_missing(struct image_missing *missing, const char *name, const char *by, const struct loader_file *at)
{
	if (!missing || (missing->name[0] && (missing->why_stopped || !at)))
		return;
	copy_name(missing->name, sizeof(missing->name), name);
	copy_name(missing->by, sizeof(missing->by), by);
	copy_name(missing->at, sizeof(missing->at), at ? at->path : "");
	missing->why_stopped = at ? at->why_stopped : NULL;
}

/* 1: it is in the image now, or was; 0: it cannot be, or no room. `needed_by`: file name of who needs it, or "". */
static int need(struct image *image, const char *name, const struct image_object *by, const char *cause,
		const char *needed_by, struct image_missing *missing)
{
	cleanup_loader_file struct loader_file file = { .path = NULL };
	int r;

	if (image_find(image, name) || is_built_in(image->loader, name) || is_loader(name))
		return 1;
	if (image->count == IMAGE_OBJECTS_MAX)
		return 0;
	r = loader_find(image->loader, name, by ? &by->asker : NULL, &file);
	if (r < 0)
		return r;
	if (r != LOADER_FOUND) {
		tell_missing(missing, name, needed_by, r == LOADER_STOPPED ? &file : NULL);
		return 0;
	}
	if (is_mapped(image, &file.id))
		return 1;
	r = add(image, name, &file, by, cause);
	return r < 0 ? r : 1;
}

int image_fill(struct image *image, size_t first, struct image_missing *missing)
{
	for (size_t i = first; i < image->count; i++) {
		const struct image_object *object = image->objects[i];
		const struct words *needed = &object->file.dynamic.needed;

		for (size_t n = 0; n < needed->count; n++) {
			int r = need(image, needed->items[n], object, object->cause, tree_name(object->file.path),
				     missing);

			if (r < 0)
				return r;
		}
	}
	return 0;
}

int image_start(struct image *image, const struct loader *loader, const char *cause)
{
	cleanup_loader_file struct loader_file file = { .path = NULL };
	int r;

	*image = (struct image){ .loader = loader };
	if (!loader->program.path)
		return 0;
	r = loader_read(loader, loader->program.path, &file);
	if (r != 1)
		return r == -ENOMEM ? r : 0;
	r = add(image, loader->program.path, &file, NULL, cause);
	if (r < 0)
		return r;
	image->program = image->objects[0];
	/* The program's $ORIGIN is that of its file without links; a library's is that of the path it was found by. */
	if (loader->origin)
		image->program->asker.origin = loader->origin;
	return 0;
}

int image_add(struct image *image, const char *name, const char *cause, struct image_missing *missing)
{
	return need(image, name, image->program, cause, "", missing);
}

void image_cut(struct image *image, size_t count)
{
	while (image->count > count)
		object_free(image->objects[--image->count]);
}

void image_clear(struct image *image)
{
	image_cut(image, 0);
	free(image->objects);
	*image = (struct image){ .loader = NULL };
}

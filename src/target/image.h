/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files would be mapped when a program starts, and after it has opened
 * this or that: the closure of DT_NEEDED in the loader's order. A library is
 * loaded once, by name or soname, so who comes first decides for all.
 */
#pragma once

#include "target/loader.h"

#include <limits.h>
#include <stddef.h>

/* Large real processes map about 500 files. */
enum { IMAGE_OBJECTS_MAX = 4096 };

struct image_object {
	char *name; /* as it was asked for, owned */
	struct loader_file file;
	char *origin; /* folder of the file, owned */
	struct loader_asker asker;
	const struct image_object *by; /* who needs it; NULL: the program itself, or it was opened on its own */
	const char *cause;             /* what image_add() was told of it, or of the first who needs it */
};

struct image {
	const struct loader *loader; /* borrowed */
	struct image_object **objects;
	size_t count, capacity;
	struct image_object *program; /* the first of the objects, where the program has a file */
};

/* Begin with the program itself (`loader->program.path`, if any). Returns 0 or -ENOMEM. */
int image_start(struct image *image, const struct loader *loader, const char *cause);

/* A need that could not be met. */
struct image_missing {
	char name[256];          /* empty: none */
	char by[256];            /* file name of who needs it; empty: it was to be opened on its own */
	char at[PATH_MAX];       /* the file at which the loader gives up; empty: the name is found nowhere */
	const char *why_stopped; /* as in struct loader_file; NULL: found nowhere */
};

/*
 * Add one library by name or path as the program would open it, without what it needs. `cause` (borrowed) is kept with
 * it and with all that it needs. `missing`: as for image_fill(). Returns 1; 0: not found, stopped at a file that is no
 * library, or the image is full; -ENOMEM.
 */
int image_add(struct image *image, const char *name, const char *cause, struct image_missing *missing);

/*
 * Add what the objects from `first` on need, and what that needs, breadth first as loaders do it. `missing`: NULL, or
 * begun empty and filled with the first need that is not met, where the loader gives up before what is found nowhere.
 * Returns 0 or -ENOMEM.
 */
int image_fill(struct image *image, size_t first, struct image_missing *missing);

/* The object that serves a name: by what it was asked for as, or by what it calls itself. NULL: none does. */
const struct image_object *image_find(const struct image *image, const char *name);

/* Forget all but the first `count` objects. */
void image_cut(struct image *image, size_t count);

void image_clear(struct image *image);
#define cleanup_image cleanup_(image_clear)

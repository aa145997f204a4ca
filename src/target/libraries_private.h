/* SPDX-License-Identifier: Apache-2.0 */
/* What libraries.c (for whom, and who is in charge) and libraries_search.c (what there is) share. */
#pragma once

#include "target/image.h"
#include "target/libraries.h"
#include "target/loader.h"
#include "target/packages.h"
#include "target/program.h"

struct gather {
	const struct libraries_request *request;
	struct program program;
	char *const *argv; /* its words: the request's, without env's */
	struct loader loader;
	struct image image;
	size_t startup; /* objects of the image that are there when the program starts */
	struct packages packages;
	bool stopped; /* the program does not start: the loader gives up on one of its libraries */
	struct libraries *found;
};

/* The cause of what the program itself needs; what else is there at its start is preloaded. */
extern const char libraries_by_program[], libraries_by_variable[], libraries_by_file[];

/* All return 0 or -ENOMEM. */

/* Keep what stopped the loader, if anything did, while it worked for `who`. */
int libraries_add_stop(struct gather *gather, const struct image_missing *missing, const char *who);

void libraries_free_stops(struct libraries *libraries);

/* The stop that keeps `library` (NULL: there is none) from being in charge of a family, or NULL. */
const struct library_stop *libraries_stop_of(const struct gather *gather, enum library_family family,
					     const struct library *library);

/* The known libraries among the image's objects from `first` on: each is loaded by what caused it to be there. */
int libraries_add_objects(struct gather *gather, size_t first, enum library_place place);

/* Those in all places where the loader looks for a name that the program opens. */
int libraries_add_loader(struct gather *gather);

/* Those in the packages and folders of the Python environment. */
int libraries_add_python(struct gather *gather);

/* Could the program's loader load each? Leaves the image as it is at the program's start. */
int libraries_check(struct gather *gather);

/* SPDX-License-Identifier: Apache-2.0 */
#include "target/libraries_private.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <string.h>

static bool is_preload(const char *who)
{
	return strcmp(who, libraries_by_variable) == 0 || strcmp(who, libraries_by_file) == 0;
}

/* The loader says so and goes on without a preload; what a program needs ends it, and a module's need its import. */
static char *what_then(const char *who)
{
	struct text text = TEXT_INIT;

	if (strcmp(who, libraries_by_program) == 0)
		text_add(&text, "the program does not start");
	else if (is_preload(who))
		text_add(&text, "the preload is left out");
	else
		text_add(&text, "'import %s' fails", who);
	return text_take(&text);
}

int libraries_add_stop(struct gather *gather, const struct image_missing *missing, const char *who)
{
	struct libraries *found = gather->found;
	struct library_stop *stop;

	if (!missing->why_stopped)
		return 0;
	stop = array_grow(found->stops, &found->stop_capacity, found->stop_count, sizeof(*stop));
	if (!stop)
		return -ENOMEM;
	found->stops = stop;
	stop += found->stop_count++;
	*stop = (struct library_stop){
		.name = strdup(missing->name),
		.path = strdup(missing->at),
		.needed_by = missing->by[0] ? strdup(missing->by) : NULL,
		.who = strdup(who),
		.why = missing->why_stopped,
		.what_then = what_then(who),
	};
	return stop->name && stop->path && stop->who && stop->what_then && (stop->needed_by || !missing->by[0])
		       ? 0
		       : -ENOMEM;
}

void libraries_free_stops(struct libraries *libraries)
{
	for (size_t i = 0; i < libraries->stop_count; i++) {
		free(libraries->stops[i].name);
		free(libraries->stops[i].path);
		free(libraries->stops[i].needed_by);
		free(libraries->stops[i].who);
		free(libraries->stops[i].what_then);
	}
	free(libraries->stops);
}

static bool is_framework(const struct gather *gather, const char *name)
{
	for (size_t i = 0; i < gather->packages.count; i++) {
		if (strcmp(gather->packages.items[i].name, name) == 0)
			return package_is_framework(&gather->packages.items[i]);
	}
	return false;
}

const struct library_stop *libraries_stop_of(const struct gather *gather, enum library_family family,
					     const struct library *library)
{
	for (size_t i = 0; i < gather->found->stop_count; i++) {
		const struct library_stop *stop = &gather->found->stops[i];
		const struct library_name *name = library_name_find(tree_name(stop->name));

		if (strcmp(stop->who, libraries_by_program) == 0)
			return stop;
		if (is_preload(stop->who)) {
			if (!library && name && name->family == family)
				return stop;
			continue;
		}
		/* Packages bring OpenMP, not allocators; the framework's copy is the one that counts. */
		if (family == LIBRARY_OPENMP && (!library || is_framework(gather, stop->who)))
			return stop;
	}
	return NULL;
}

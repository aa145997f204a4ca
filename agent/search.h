/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which library has a function. Read from the tables of what is loaded, as the loader itself does: dlsym() and dladdr()
 * moved between libraries and versions in glibc 2.34, and one that finds nothing allocates its message.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A function that is looked for. */
struct search {
	const char *name;
	void *address;    /* out; NULL: nobody has it */
	const char *path; /* out: its library's file, as the loader names it; "" is the program */
};

/* Of all libraries in the loader's order, or of those behind the agent: the first that has each name not found yet. */
void search_all(struct search *rows, size_t count, bool behind_us);

/*
 * The function `name` of the only library that has `with` and not `without`. NULL: none has it, or several do. Takes
 * the loader's lock for a moment.
 */
void *search_alone(const char *name, const char *with, const char *without);

/* The file of the library with this address, "" for the program, NULL for none. Takes no lock with glibc 2.35 or later.
 */
const char *search_library(const void *address);

/* Call `see` for the file of each library that is loaded. Takes the loader's lock for a moment. */
void search_each(void (*see)(const char *path, void *context), void *context);

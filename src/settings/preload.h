/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LD_PRELOAD is one variable with several of ours in it. Who wants a library in the program is a row of the table in
 * preload.c; the one rule there puts them in front of the user's own and takes out what an outer fettle had put in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct plan_instance;
struct settings_input;
struct text;

#define PRELOAD_SEPARATORS ": " /* of LD_PRELOAD, see ld.so(8) */

struct preload_source {
	/* The library for this instance; NULL: none is wanted. */
	const char *(*path)(const struct settings_input *in, const struct plan_instance *instance);
	/* Says what it is and does, in words that may stand after another library's and a semicolon. */
	void (*explain)(const struct settings_input *in, struct text *why);
	/* It is known by its file name in whatever an outer fettle had set; others are named in its record. */
	const char *name;
};

/* In the order in which they stand in LD_PRELOAD. */
extern const struct preload_source preload_agent, preload_allocator, preload_mkl;

/*
 * Why no library of fettle's can be loaded into the program, in a few words, whichever library it is; NULL: one can.
 */
const char *preload_refused(const struct settings_input *in);

/* Can the path stand in LD_PRELOAD? The loader splits it at blanks and colons and expands a '$', with no way to quote.
 */
bool preload_path_fits(const char *path);

/* Append the file names of what is preloaded for the instance and not known by its name, with commas between. */
void preload_names(const struct settings_input *in, const struct plan_instance *instance, struct text *names);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library that is to answer malloc in a program: where that program's loader finds it, whether it fits, and whether
 * it was seen to work (malloc_probe.h). What was found out is remembered while nothing that it depends on changes.
 */
#pragma once

#include <stdbool.h>

struct err;
struct sysroot;
struct target;

/* A library by fettle's word for it. */
struct malloc_library_names {
	const char *word;
	const char *sonames[4]; /* the best first; NULL-terminated */
};

/* The row of a word, or NULL. */
const struct malloc_library_names *malloc_library_names(const char *word);

struct malloc_library_request {
	const struct sysroot *root;
	const struct target *target;              /* NULL: any program like our own */
	const struct malloc_library_names *names; /* which */
	const char *library_path;                 /* LD_LIBRARY_PATH, or NULL */
	const char *cache_folder;                 /* where it is remembered; NULL: nowhere */
	bool again;                               /* a "no" that is remembered does not count */
};

struct malloc_library {
	char *path;    /* of a library that works, for LD_PRELOAD; NULL: there is none; owned */
	char *why_not; /* then why, in words; owned */
	bool broken;   /* there is one, but it does not do */
	bool untried;  /* there is one, but whether it does cannot be found out */
};

/*
 * Find and prove it. Nothing is looked at beyond the loader's cache and folders, and "lib" beside the program's
 * interpreter. Returns 0 and a result for malloc_library_clear(); -ENOMEM; -errno when no child could be started.
 */
int malloc_library_find(const struct malloc_library_request *request, struct malloc_library *ret_library,
			struct err *err);

void malloc_library_clear(struct malloc_library *library);
#define cleanup_malloc_library cleanup_(malloc_library_clear)

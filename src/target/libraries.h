/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which OpenMP runtimes, allocators, oneDNN and BLAS libraries a program could
 * be given or would load, found as its dynamic loader would find them; for a
 * Python program also what the packages of its environment bring. Nothing is run.
 *
 * Not for the way of `fettle run`: it reads hundreds of files.
 */
#pragma once

#include "target/library_names.h"
#include "target/python.h"
#include "target/target.h"
#include "target/tree.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct sysroot;

/* Where a library was found. */
enum library_place {
	LIBRARY_PRELOADED,   /* LD_PRELOAD or /etc/ld.so.preload */
	LIBRARY_PROGRAM,     /* the program needs it at its start */
	LIBRARY_LOADER,      /* where the loader looks for a name: cache, LD_LIBRARY_PATH, RUNPATH, its own folders */
	LIBRARY_PACKAGE,     /* in a Python package, or opened by one when it is imported */
	LIBRARY_ENVIRONMENT, /* "lib" of the Python environment */
};

struct library {
	enum library_family family;
	const char *name; /* "libgomp", of the table in library_names.c */
	char *path;       /* as the loader would open it; owned */
	char *soname;     /* DT_SONAME, owned; NULL: it has none */
	enum library_place place;
	char *found;     /* how, in words: "/etc/ld.so.cache", "RUNPATH of libtorch_cpu.so"; owned */
	char *package;   /* the package whose folder it is in; NULL: none; owned */
	char *loaded_by; /* who loads it: "program", "LD_PRELOAD", a package when it is imported; NULL: not known to be
			    loaded; owned */
	bool usable;     /* the program's loader could load it */
	char *why_not;   /* why it could not; NULL: usable; owned */
	struct tree_id id;
	size_t order;   /* in which it was found */
	bool in_charge; /* of its family in this program (openmp and allocator only: the others are each package's own)
			 */
};

/* A file that is in the way of a library and is none: the loader's search for the name ends there. */
struct library_stop {
	char *name;      /* what was looked for: "libgomp.so.1"; owned */
	char *path;      /* the file; owned */
	char *needed_by; /* file name of who needs it; NULL: it is opened on its own; owned */
	char *who;       /* "program", "LD_PRELOAD", the package that would load it; owned */
	const char *why; /* in words that follow "which": "is a folder" */
	char *what_then; /* what the loader's giving up leads to: "the program does not start"; owned */
};

struct libraries {
	struct library *items; /* by family: in charge, loaded, usable, others; then as they were found */
	size_t count, capacity;
	/* For whom. */
	char *program;    /* whole path of the ELF file; NULL: no program, only what its loader finds */
	char *chosen_by;  /* what a shim of pyenv went by; NULL: there was none */
	const char *note; /* what was not looked at, in a sentence; NULL: nothing is known to be left out */
	enum target_libc libc;
	unsigned machine, class; /* e_machine; 32 or 64 */
	bool big;
	struct python *python;      /* NULL: not a Python program */
	struct library_stop *stops; /* in the order in which they are met */
	size_t stop_count, stop_capacity;
	char *nobody[LIBRARY_FAMILY_COUNT]; /* why no library of this family is in charge; NULL: one is; owned */
	bool cache_broken;                  /* /etc/ld.so.cache is there and cannot be read */
};

struct libraries_request {
	const struct sysroot *root;
	const char *program;            /* the file to be run; NULL: any program like our own */
	bool secure;                    /* it runs with another's rights (struct target) */
	char *const *argv;              /* the words it was named with, NULL-terminated; NULL: none */
	const char *const *environment; /* NULL-terminated */
	const char *folder;             /* where it is started; whole path */
};

/*
 * Find them. Returns 0 and a struct for libraries_free(); -errno when the program cannot be followed to an ELF file, in
 * words; -ENOMEM. A folder or file that cannot be read is taken as empty.
 */
int libraries_read(const struct libraries_request *request, struct libraries **ret_libraries, struct err *err);

/*
 * What an answer that follows from the request depends on besides the files that are looked at: the key to remember it
 * by (base/answer.h). The caller frees it; NULL: memory ran out.
 */
char *libraries_key(const struct libraries_request *request);

void libraries_free(struct libraries *libraries);
static inline void libraries_free_(struct libraries **libraries)
{
	libraries_free(*libraries);
}
#define cleanup_libraries cleanup_(libraries_free_)

/* The array "libraries" of `fettle machine --json`, and the object "libraries_of" that says for whom. NULL when memory
 * ran out. */
json_t *libraries_to_json(const struct libraries *libraries);
json_t *libraries_of_to_json(const struct libraries *libraries);

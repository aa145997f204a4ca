/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which OpenMP runtime a program would run its teams with, and which others it could be given. libraries.h finds that
 * out at the price of hundreds of files; what it said is remembered here as long as none of those files changes.
 */
#pragma once

#include <stdbool.h>

struct err;
struct libraries;
struct libraries_request;

/* Whose runtime. LLVM's and Intel's are one code base: both read KMP_*, and both answer for GNU's functions too. */
enum openmp_kind {
	OPENMP_ANY, /* not known, or not asked */
	OPENMP_GNU,
	OPENMP_INTEL,
	OPENMP_LLVM,
};
enum { OPENMP_KIND_COUNT = 4 };

extern const char *const openmp_words[OPENMP_KIND_COUNT]; /* "auto", "gnu" ..., the words of --openmp */
extern const char *const openmp_names[OPENMP_KIND_COUNT]; /* "GNU's libgomp" ... */

/* Does it read KMP_*? */
static inline bool openmp_is_kmp(enum openmp_kind kind)
{
	return kind == OPENMP_INTEL || kind == OPENMP_LLVM;
}

struct openmp_candidate {
	char *path;    /* the best one there is; NULL: none; owned */
	char *why_not; /* it cannot be loaded; NULL: it can, as far as can be told without trying; owned */
};

/* All texts are owned. */
struct openmp_found {
	char *program;           /* the ELF file that glibc's loader starts; NULL: there is none */
	enum openmp_kind kind;   /* who is in charge; OPENMP_ANY: not known */
	char *path;              /* the library in charge; NULL: not known, or one of several of this kind */
	bool at_start;           /* it is there before any other code runs: its functions come before all others' */
	char *nobody;            /* why it is not known */
	enum openmp_kind second; /* another kind that is loaded too; OPENMP_ANY: none is known to be */
	char *second_path, *second_by; /* that one, and what loads it */
	struct openmp_candidate candidates[OPENMP_KIND_COUNT];
};

/* Tell the kind from DT_SONAME, or where there is none from the file's name: Debian's and conda's libiomp5.so is a
 * second name of LLVM's libomp. */
enum openmp_kind openmp_kind_of(const char *soname, const char *path);

/* What `libraries` has to say of it. Returns 0 and what openmp_found_clear() frees, or -ENOMEM. */
int openmp_pick(const struct libraries *libraries, struct openmp_found *ret_found);

/*
 * Find it for a program. `cache_folder`: where it is remembered between two starts (NULL: it is not). Returns as
 * libraries_read(), and what openmp_found_clear() frees.
 */
int openmp_find(const struct libraries_request *request, const char *cache_folder, struct openmp_found *ret_found,
		struct err *err);

void openmp_found_clear(struct openmp_found *found);
#define cleanup_openmp_found cleanup_(openmp_found_clear)

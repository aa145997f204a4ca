/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which file names and sonames mean which OpenMP runtime, allocator, oneDNN or
 * BLAS. The one table of these names; a new library is a row in it.
 */
#pragma once

#include <stddef.h>

enum library_family {
	LIBRARY_OPENMP,
	LIBRARY_ALLOCATOR,
	LIBRARY_ONEDNN,
	LIBRARY_BLAS,
};
enum { LIBRARY_FAMILY_COUNT = LIBRARY_BLAS + 1 };

/* In the order of the enum: "openmp" ... */
extern const char *const library_families[LIBRARY_FAMILY_COUNT];

struct library_name {
	enum library_family family;
	const char *stem; /* "libgomp": what stands before ".so", a version or a wheel's hash */
	const char *name; /* "libgomp": what fettle calls it */
};

/* The library that a file name or soname means ("libgomp-a34b3233.so.1.0.0", "libgomp.so.1"), or NULL. */
const struct library_name *library_name_find(const char *name);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glibc's list of libraries, /etc/ld.so.cache, as ldconfig writes it: which
 * name is which file. Reads the format "glibc-ld.so.cache1.1" (glibc 2.2 and
 * later), alone or behind the older one, of this machine's byte order; from the
 * description in glibc's sysdeps/generic/dl-cache.h. Bytes in, names out: no file is touched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ld_cache {
	const char *bytes; /* the newer part, borrowed; offsets count from here */
	size_t length;
	size_t count; /* entries */
};

struct ld_cache_entry {
	const char *name; /* "libgomp.so.1", borrowed from the bytes */
	const char *path; /* "/lib/x86_64-linux-gnu/libgomp.so.1" */
	bool legacy;      /* only for CPU features of a kind that glibc 2.37 no longer knows */
};

/* Look at the cache in these bytes, which must outlive it. False: they are no cache of this kind. */
bool ld_cache_open(const char *bytes, size_t length, struct ld_cache *ret_cache);

/* Entry `i`. False: its texts lie outside the file, or it is not for an ELF file of a C library 6 (glibc). */
bool ld_cache_entry(const struct ld_cache *cache, size_t i, struct ld_cache_entry *ret_entry);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope cleanup: a local that owns something says so where it is declared.
 * Hand ownership over with TAKE(). Every helper accepts NULL (or -1).
 */
#pragma once

#include <dirent.h>
#include <hwloc/bitmap.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cleanup_file_(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

static inline void cleanup_dir_(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

static inline void cleanup_bitmap_(hwloc_bitmap_t *b)
{
	if (*b)
		hwloc_bitmap_free(*b);
}

#define cleanup_(f)    __attribute__((cleanup(f)))
#define cleanup_free   cleanup_(cleanup_free_)
#define cleanup_close  cleanup_(cleanup_close_)
#define cleanup_file   cleanup_(cleanup_file_)
#define cleanup_dir    cleanup_(cleanup_dir_)
#define cleanup_bitmap cleanup_(cleanup_bitmap_)

/* Give an owned pointer away: the variable becomes NULL, so its cleanup does nothing. */
#define TAKE(p)                             \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

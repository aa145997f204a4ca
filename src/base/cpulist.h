/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of CPU or node numbers as Linux list text: "0-3,8,10-14:2"
 * (Documentation/admin-guide/kernel-parameters.rst, "cpu lists").
 * The sets are hwloc bitmaps of OS numbers.
 */
#pragma once

#include <hwloc/bitmap.h>

struct err;

/* Numbers at or above this are refused: the kernel's largest NR_CPUS is 8192; leave room. */
enum { CPULIST_MAX = 65536 };

/*
 * Read a list. Empty text is the empty set; blanks around the whole are cut
 * off (kernel files end in a newline). The caller frees `*ret_set`.
 * Returns -EINVAL for anything else than a list, -ENOMEM.
 */
int cpulist_parse(const char *text, hwloc_bitmap_t *ret_set, struct err *err);

/* Write a list; "" for the empty set. The caller frees it; NULL when memory ran out. */
char *cpulist_text(hwloc_const_bitmap_t set);

/* The `n`th (from 0) number of the set, or -1. */
int cpulist_nth(hwloc_const_bitmap_t set, unsigned n);

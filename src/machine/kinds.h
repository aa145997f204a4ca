/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which cores are alike, and which are small. Pure: judges what the source says about
 * its kinds, which is much finer than what matters (favoured cores of one design differ in frequency).
 */
#pragma once

#include <hwloc/bitmap.h>
#include <stddef.h>

struct err;
struct machine;

enum core_type { CORE_TYPE_UNKNOWN, CORE_TYPE_SMALL, CORE_TYPE_BIG };

/* One kind as the source tells it; 0 means not told. */
struct raw_kind {
	hwloc_bitmap_t pus_os;
	enum core_type type;
	unsigned capacity; /* Linux cpu_capacity, 1024 is the largest */
	unsigned max_mhz;
};

/*
 * Make machine->kinds and the cores' kind_idx (pus and cores are already there). `raw` is
 * sorted in place. No raw kinds: one kind is assumed. Returns 0 or -ENOMEM.
 */
int kinds_make(struct machine *machine, struct raw_kind *raw, size_t raw_count, const char *source, struct err *err);

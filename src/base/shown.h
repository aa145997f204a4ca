/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes and number lists as people read them, short enough for a column or a
 * box. What a program reads back is written by base/cpulist instead.
 */
#pragma once

#include <hwloc/bitmap.h>
#include <stddef.h>

struct fact;
struct text;

/* "192.0 GiB", or "size unknown". */
void shown_size(struct text *text, const struct fact *bytes);

/* A list of at most `room` columns: round-robin numbers as "0-38:2"; ",..." stands for what did not fit. */
void shown_list(struct text *text, hwloc_const_bitmap_t set, size_t room);

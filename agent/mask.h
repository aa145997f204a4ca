/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CPU set of fixed size, for code that may run between vfork() and exec: no
 * memory is taken, no lock, no libc call but the bare system call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* The kernel's largest NR_CPUS. */
enum { MASK_CPUS = 8192 };

struct mask {
	unsigned long words[MASK_CPUS / (8 * sizeof(unsigned long))];
};

/* Read `length` bytes of a list like "0-3,8". False: not such a list, or empty; `ret_mask` is unspecified then. */
bool mask_parse(const char *text, size_t length, struct mask *ret_mask);

bool mask_equal(const struct mask *a, const struct mask *b);

/* Is every CPU of `a` in `b`, and `b` larger? */
bool mask_strictly_inside(const struct mask *a, const struct mask *b);

/* Do `size` bytes of a cpu_set_t hold every CPU of it? */
bool mask_fits(const struct mask *mask, size_t size);

/* Write the first `size` bytes of it to `set`; what is beyond our own size is zero. */
void mask_copy(const struct mask *mask, size_t size, void *set);

/* The calling thread's affinity, asked of and given to the kernel. */
bool mask_get(struct mask *ret_mask);
bool mask_set(const struct mask *mask);

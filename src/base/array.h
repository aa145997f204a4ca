/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing arrays: make room for one more item.
 */
#pragma once

#include <stddef.h>

/*
 * Return `items` with room for at least `count + 1` items of `size` bytes, or
 * NULL when memory ran out (`items` is then still valid and still the caller's).
 * `*capacity` is what is allocated now; growth doubles.
 */
void *array_grow(void *items, size_t *capacity, size_t count, size_t size) __attribute__((warn_unused_result));

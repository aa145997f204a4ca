/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"

#include <stdlib.h>

void *array_grow(void *items, size_t *capacity, size_t count, size_t size)
{
	size_t want = *capacity ? *capacity * 2 : 8;
	void *grown;

	if (count < *capacity)
		return items;
	grown = reallocarray(items, want, size);
	if (grown)
		*capacity = want;
	return grown;
}

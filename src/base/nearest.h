/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which known word did the user mean? The one with the fewest slips: letters
 * left out, put in, changed, or two of them swapped.
 */
#pragma once

#include <stddef.h>

struct nearest {
	const char *word; /* as the user wrote it; dashes in front do not count */
	const char *best; /* NULL: nothing is near */
	unsigned distance;
};

/* Offer a candidate; it becomes the best when it is near and nearer than those before. */
void nearest_try(struct nearest *near, const char *candidate);

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/nearest.h"

#include <string.h>

enum { LENGTH_MAX = 40 }; /* longer words are nobody's slip */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance. Both words are at most LENGTH_MAX long. */
static unsigned slips(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned rows[3][LENGTH_MAX + 1];
	unsigned *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_length; j++)
		above[j] = (unsigned)j;
	memcpy(before, above, sizeof(rows[0]));
	for (size_t i = 1; i <= a_length; i++) {
		unsigned *spare = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			row[j] = least(above[j], row[j - 1]) + 1;
			row[j] = least(row[j], above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = spare;
	}
	return above[b_length];
}

void nearest_try(struct nearest *near, const char *candidate)
{
	const char *word = near->word + strspn(near->word, "-");
	const size_t word_length = strlen(word), length = strlen(candidate);
	unsigned distance;

	if (!word_length || word_length > LENGTH_MAX || length > LENGTH_MAX)
		return;
	distance = slips(word, word_length, candidate, length);
	/* A third of the word may be wrong, and the first letters say more than the last ones. */
	if (length > word_length && strncmp(word, candidate, word_length) == 0 && word_length > 2)
		distance = 1;
	if (distance > least(4, (unsigned)(word_length + 2) / 3) || (near->best && distance >= near->distance))
		return;
	near->best = candidate;
	near->distance = distance;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "mask.h"

#include "kernel.h"

#include <string.h>

enum { WORD_BITS = 8 * sizeof(unsigned long) };

#define WORDS (sizeof(((const struct mask *)0)->words) / sizeof(unsigned long))

static bool take_number(const char **p, const char *end, unsigned *ret_number)
{
	unsigned value = 0;

	if (*p == end || **p < '0' || **p > '9')
		return false;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++) {
		value = value * 10 + (unsigned)(**p - '0');
		if (value >= MASK_CPUS)
			return false;
	}
	*ret_number = value;
	return true;
}

bool mask_parse(const char *text, size_t length, struct mask *ret_mask)
{
	const char *const end = text + length;
	unsigned first, last;

	memset(ret_mask, 0, sizeof(*ret_mask));
	for (const char *p = text;; p++) {
		if (!take_number(&p, end, &first))
			return false;
		last = first;
		if (p < end && *p == '-') {
			p++;
			if (!take_number(&p, end, &last) || last < first)
				return false;
		}
		for (unsigned cpu = first; cpu <= last; cpu++)
			ret_mask->words[cpu / WORD_BITS] |= 1UL << cpu % WORD_BITS;
		if (p == end)
			return true;
		if (*p != ',')
			return false;
	}
}

bool mask_equal(const struct mask *a, const struct mask *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

bool mask_strictly_inside(const struct mask *a, const struct mask *b)
{
	for (size_t i = 0; i < WORDS; i++) {
		if (a->words[i] & ~b->words[i])
			return false;
	}
	return !mask_equal(a, b);
}

bool mask_fits(const struct mask *mask, size_t size)
{
	const unsigned char *bytes = (const unsigned char *)mask->words;

	for (size_t i = size; i < sizeof(mask->words); i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

void mask_copy(const struct mask *mask, size_t size, void *set)
{
	const size_t held = size < sizeof(mask->words) ? size : sizeof(mask->words);

	memcpy(set, mask->words, held);
	memset((char *)set + held, 0, size - held);
}

bool mask_get(struct mask *ret_mask)
{
	/* The kernel writes as many bytes as it has CPUs for, and says how many. */
	memset(ret_mask, 0, sizeof(*ret_mask));
	return kernel_call3(SYS_sched_getaffinity, 0, sizeof(ret_mask->words), ret_mask->words) > 0;
}

bool mask_set(const struct mask *mask)
{
	return kernel_call3(SYS_sched_setaffinity, 0, sizeof(mask->words), mask->words) == 0;
}

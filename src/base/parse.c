/* SPDX-License-Identifier: Apache-2.0 */
#include "base/parse.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

/* Read the digits at *text and move it past them. */
static int take_digits(const char **text, uint64_t *ret_value)
{
	const char *p = *text;
	uint64_t value = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	}
	*text = p;
	*ret_value = value;
	return 0;
}

int parse_u64(const char *text, uint64_t *ret_value)
{
	uint64_t value;
	int r = take_digits(&text, &value);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

int parse_unsigned(const char *text, unsigned *ret_value)
{
	uint64_t value;
	int r = parse_u64(text, &value);

	if (r < 0)
		return r;
	if (value > UINT_MAX)
		return -ERANGE;
	*ret_value = (unsigned)value;
	return 0;
}

int parse_int(const char *text, int *ret_value)
{
	int negative = *text == '-';
	uint64_t value;
	int r = parse_u64(text + negative, &value);

	if (r < 0)
		return r;
	if (value > INT_MAX)
		return -ERANGE;
	*ret_value = negative ? -(int)value : (int)value;
	return 0;
}

int parse_bytes(const char *text, uint64_t *ret_bytes)
{
	static const char suffixes[] = "KMGT";
	uint64_t value;
	const char *suffix;
	int r = take_digits(&text, &value);

	if (r < 0)
		return r;
	if (*text) {
		suffix = strchr(suffixes, *text & ~0x20); /* ASCII upper case */
		if (!suffix || !*suffix || text[1])
			return -EINVAL;
		for (const char *s = suffixes; s <= suffix; s++) {
			if (__builtin_mul_overflow(value, 1024, &value))
				return -ERANGE;
		}
	}
	*ret_bytes = value;
	return 0;
}

int parse_milli(const char *text, uint64_t *ret_milli)
{
	uint64_t value;
	unsigned weight = 100;
	int r = take_digits(&text, &value);

	if (r < 0)
		return r;
	if (__builtin_mul_overflow(value, 1000, &value))
		return -ERANGE;
	if (*text == '.') {
		text++;
		if (!*text)
			return -EINVAL;
		for (; *text >= '0' && *text <= '9'; text++, weight /= 10) {
			if (__builtin_add_overflow(value, (uint64_t)(*text - '0') * weight, &value))
				return -ERANGE;
		}
	}
	if (*text || !value)
		return -EINVAL;
	*ret_milli = value;
	return 0;
}

int parse_part(const char *text, struct part *ret_part)
{
	const size_t length = strlen(text);
	const bool percent = length > 0 && text[length - 1] == '%';
	char digits[16] = "";
	unsigned amount;
	int r;

	if (length - percent >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, length - percent);
	r = parse_unsigned(digits, &amount);
	if (r < 0)
		return r;
	if (percent && amount > 100)
		return -ERANGE;
	*ret_part = (struct part){ amount, percent };
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/profile_lines.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The length of the text in quotes that begins at `quote`, without them. */
static size_t quoted_length(const char *quote)
{
	const char *end = quote + 1;

	while (*end && *end != '"')
		end += *end == '\\' && end[1] ? 2 : 1;
	return (size_t)(end - quote - 1);
}

static bool is_text(const char *quote, size_t length, const char *wanted)
{
	return strlen(wanted) == length && memcmp(quote + 1, wanted, length) == 0;
}

static bool is_key(const char *behind)
{
	return behind[strspn(behind, " \t\r\n")] == ':';
}

unsigned profile_line(const char *text, const char *key, const char *member)
{
	unsigned line = 1, found = 1, depth = 0;
	bool inside = false;

	for (const char *at = text; *at; at++) {
		size_t length;

		line += *at == '\n';
		depth += *at == '{' || *at == '[';
		depth -= *at == '}' || *at == ']';
		if (*at != '"')
			continue;
		length = quoted_length(at);
		if (!at[length + 1])
			return found;
		if (depth == 1 && is_key(at + length + 2)) {
			inside = is_text(at, length, key);
			found = inside ? line : found;
			if (inside && !member)
				return line;
		} else if (inside && member && is_text(at, length, member)) {
			return line;
		}
		at += length + 1;
	}
	return found;
}

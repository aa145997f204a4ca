/* SPDX-License-Identifier: Apache-2.0 */
#include "target/python.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char blanks[] = " \t\r\f\v";

/* Cut blanks off both ends. */
static void trim(const char **text, size_t *length)
{
	while (*length && strchr(blanks, **text)) {
		(*text)++;
		(*length)--;
	}
	while (*length && strchr(blanks, (*text)[*length - 1]))
		(*length)--;
}

int python_config_value(const char *text, const char *key, char **ret_value)
{
	const char *found = NULL;
	size_t found_length = 0;
	char *copy;

	while (*text) {
		const size_t length = strcspn(text, "\n");
		const char *equals = memchr(text, '=', length);
		const char *name = text;
		size_t name_length = equals ? (size_t)(equals - text) : 0;

		trim(&name, &name_length);
		if (equals && name_length == strlen(key) && strncasecmp(name, key, name_length) == 0) {
			found = equals + 1;
			found_length = length - (size_t)(found - text);
			trim(&found, &found_length);
		}
		text += length;
		text += *text == '\n';
	}
	if (!found)
		return -ENOENT;
	copy = strndup(found, found_length);
	if (!copy)
		return -ENOMEM;
	*ret_value = copy;
	return 0;
}

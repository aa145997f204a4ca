/* SPDX-License-Identifier: Apache-2.0 */
#include "base/environ.h"

#include <stddef.h>
#include <string.h>

const char *environ_value(const char *const *environment, const char *name)
{
	const size_t length = strlen(name);

	for (const char *const *entry = environment; entry && *entry; entry++) {
		if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
			return *entry + length + 1;
	}
	return NULL;
}

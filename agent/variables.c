/* SPDX-License-Identifier: Apache-2.0 */
#include "variables.h"

#include "agent.h"

#include "base/agent_record.h"
#include "base/record.h"

#include <string.h>
#include <unistd.h>

static bool lists(const char *list, size_t length, const char *name)
{
	const size_t wanted = strlen(name);

	for (const char *const end = list + length; list < end;) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		const size_t here = (size_t)((comma ? comma : end) - list);

		if (here == wanted && memcmp(list, name, wanted) == 0)
			return true;
		list += here + 1;
	}
	return false;
}

uint64_t variables_watch(const char *plan, const struct agent_record *file)
{
	size_t length = 0;
	const char *list = record_field(plan, "set=", &length);
	uint64_t watched = 0;

	for (uint32_t i = 0; list && i < file->variable_count && i < AGENT_VARIABLES; i++) {
		if (lists(list, length, file->variables[i].name))
			watched |= 1ULL << i;
	}
	return watched;
}

static const char *value_of(const char *name)
{
	const size_t length = strlen(name);

	for (char **entry = environ; entry && *entry; entry++) {
		if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
			return *entry + length + 1;
	}
	return NULL;
}

uint64_t variables_changed(const struct agent_record *file, uint64_t watched)
{
	uint64_t changed = 0;

	for (uint32_t i = 0; watched >> i && i < AGENT_VARIABLES; i++) {
		const struct agent_variable *variable = &file->variables[i];
		const char *value;

		if (!(watched >> i & 1))
			continue;
		value = value_of(variable->name);
		/* What we took out of a child's environment, or made "none" in it, its program did not change. */
		if ((!value || agent_hash(value) != variable->hash) && !agent_withheld(variable->name, value))
			changed |= 1ULL << i;
		if (i + 1 == AGENT_VARIABLES)
			break;
	}
	return changed;
}

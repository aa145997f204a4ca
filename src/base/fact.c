/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fact.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

void fact_clear(struct fact *fact)
{
	free(fact->source);
	free(fact->raw);
	*fact = (struct fact){ .state = FACT_UNKNOWN };
}

int fact_set(struct fact *fact, enum fact_state state, uint64_t value, const char *source, const char *raw)
{
	cleanup_free char *source_copy = source ? strdup(source) : NULL;
	cleanup_free char *raw_copy = raw ? strdup(raw) : NULL;

	if ((source && !source_copy) || (raw && !raw_copy))
		return -ENOMEM;
	fact_clear(fact);
	fact->state = state;
	fact->value = value;
	fact->source = TAKE(source_copy);
	fact->raw = TAKE(raw_copy);
	return 0;
}

int fact_copy(struct fact *to, const struct fact *from)
{
	return fact_set(to, from->state, from->value, from->source, from->raw);
}

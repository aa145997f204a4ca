/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A number from the kernel, with how far it is to be trusted. Unknown is not
 * zero and not "no limit": a file that could not be read says nothing.
 */
#pragma once

#include <stdint.h>

enum fact_state {
	FACT_UNKNOWN, /* could not be found out; `source` says what was tried, if anything */
	FACT_ABSENT,  /* looked for and not there: no limit, no such thing */
	FACT_KNOWN,
};

struct fact {
	enum fact_state state;
	uint64_t value; /* meaningful only when known; unit by the fact's name */
	char *source;   /* path (or option) it came from; owned, may be NULL */
	char *raw;      /* the text found there; owned, may be NULL */
};

/* Free what `fact` owns and make it unknown. */
void fact_clear(struct fact *fact);

/* Copy `from` over `to` (what `to` held is freed). Returns 0 or -ENOMEM; `to` is untouched then. */
int fact_copy(struct fact *to, const struct fact *from);

/* Set state, value and copies of the two texts (either may be NULL). Returns 0 or -ENOMEM. */
int fact_set(struct fact *fact, enum fact_state state, uint64_t value, const char *source, const char *raw);

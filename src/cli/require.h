/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `fettle run --require` asks of a run, and whether a report has it.
 */
#pragma once

#include "base/words.h"

#include <stdbool.h>

struct check;
struct err;
struct finding;
struct report;

struct require {
	bool asked;
	bool start;            /* in the first seconds, too */
	const char *elsewhere; /* the first that is asked for and no look at a run tells; NULL: none; static */
	struct words ids;      /* of findings and checks; none: any check that differs, any finding that is an error */
};

/*
 * Read the option's value: ids with commas between, `start` among them; "": none; NULL: nothing is required. Returns 0,
 * -EINVAL with one line that names the nearest id there is, or -ENOMEM. Free with require_clear().
 */
int require_parse(const char *value, struct require *ret_require, struct err *err);
void require_clear(struct require *require);

/* One thing of a report: a finding or a check. */
struct required {
	const struct finding *finding;
	const struct check *check;
};

/* The first thing that is not as required. False: there is none. */
bool require_unmet(const struct require *require, const struct report *report, struct required *ret_required);

/* "instance 1: cpu-escaped: 1 of 4 threads ..."; `index` is the plan's. NULL when memory ran out; owned. */
char *required_words(const struct required *required, int index);

/* The first check that is required and not known. False: there is none. */
bool require_unknown(const struct require *require, const struct report *report, struct required *ret_required);

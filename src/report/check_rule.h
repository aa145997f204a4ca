/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a check is written down: a row of the table in checks.c. It fills in what was asked, granted and seen, and says
 * met or differs only from evidence; unknown says why.
 */
#pragma once

#include "base/text.h"
#include "report/finding_rule.h"

struct check_say {
	struct text asked, granted, seen; /* empty: there is none */
	struct words evidence;
	bool failed; /* memory ran out */
};

struct check_rule {
	const char *name;
	enum verdict (*test)(const struct finding_input *in, const struct report *report, struct check_say *say);
	/* Is there anything to check? */
	bool (*applies)(const struct finding_input *in);
	enum sight sight;
};

/* Make the checks of one instance, whose findings are in the report already. Returns 0 or -ENOMEM. */
int checks_make(const struct finding_input *in, struct report *report);

/*
 * The same of an instance that nobody saw, and `why`: only what was asked and granted is known. Its process is an empty
 * one. Returns 0 or -ENOMEM.
 */
int checks_unseen(const struct finding_input *in, const char *why, struct report *report);

/* The `i`th check's name, or NULL. */
const char *check_name(size_t i);

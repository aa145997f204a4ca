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
	/* What the agents wrote down says of it, where a look does not tell: what was seen, and evidence. */
	enum verdict (*written)(const struct finding_input *in, struct check_say *say);
};

/* A line of evidence. */
void check_show(struct check_say *say, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* checks_agent.c. The `written` of the rules. Each is called with a record that has the main process. */
enum verdict check_written_binding(const struct finding_input *in, struct check_say *say);
enum verdict check_written_threads(const struct finding_input *in, struct check_say *say);
enum verdict check_written_memory(const struct finding_input *in, struct check_say *say);
enum verdict check_written_preload(const struct finding_input *in, struct check_say *say);
enum verdict check_written_allocator(const struct finding_input *in, struct check_say *say);
enum verdict check_written_openmp(const struct finding_input *in, struct check_say *say);
enum verdict check_written_environment(const struct finding_input *in, struct check_say *say);

/* What the main process wrote down; one in another PID namespace has numbers of its own. NULL: there is nothing. */
const struct observed_agent_process *check_main(const struct finding_input *in);

/*
 * Make the checks of one instance, whose findings are in the report already. `why`: nobody saw it, and why not; then
 * only what was asked, granted and written down by its agents is known. NULL: it was seen. Returns 0 or -ENOMEM.
 */
int checks_make(const struct finding_input *in, const char *why, struct report *report);

/* The `i`th check's name, or NULL. */
const char *check_name(size_t i);

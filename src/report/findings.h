/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plan against observation: what was asked and is so, what differs, what is not known; and what is wrong, by name,
 * with evidence and remedy. Pure: nothing is read but what it is given.
 *
 * The ids of findings are the contract's; the tables of findings_*.c are where one is added.
 */
#pragma once

#include "base/words.h"

#include <jansson.h>
#include <stddef.h>

struct err;
struct machine;
struct observation;

enum severity {
	SEVERITY_ERROR,   /* the plan does not hold */
	SEVERITY_WARNING, /* it costs speed, or will */
	SEVERITY_NOTE,
	SEVERITY_COUNT,
};
extern const char *const severity_words[SEVERITY_COUNT];

enum verdict { VERDICT_DIFFERS, VERDICT_UNKNOWN, VERDICT_MET, VERDICT_COUNT };
extern const char *const verdict_words[VERDICT_COUNT];

/* How often something must be seen in a run that is looked at again and again, to be told of it. */
enum sight {
	SIGHT_ONCE,  /* it happened */
	SIGHT_LAST,  /* what was seen last counts: a program may not have been ready before */
	SIGHT_OFTEN, /* it comes and goes: in a fifth of the looks that could tell */
};

/* All texts are owned. */
struct finding {
	const char *id;
	enum severity severity;
	enum sight sight;
	int instance;   /* index in observation->instances; put together (gather.h): the plan's; -1: of all */
	unsigned looks; /* that saw it; 1 where there is one */
	char *text;
	struct words evidence;
	char *remedy; /* the exact option or command; NULL: there is none */
};

struct check {
	const char *name;
	enum sight sight;
	int instance; /* as that of a finding */
	unsigned looks;
	char *asked, *granted, *seen; /* NULL: nothing was, or it is not known */
	enum verdict verdict;
	struct words evidence; /* of an unknown one: why */
};

struct report {
	struct finding *findings; /* worst first */
	size_t finding_count, finding_capacity;
	struct check *checks;
	size_t check_count, check_capacity;
};

struct report_input {
	const struct machine *machine;
	const struct observation *observation; /* with the plan of each instance, known or inferred */
};

/* Apply every rule to every instance. Returns 0 and a report for report_free(), or -ENOMEM. */
int report_make(const struct report_input *input, struct report **ret_report, struct err *err);

void report_free(struct report *report);
static inline void report_free_(struct report **report)
{
	report_free(*report);
}
#define cleanup_report cleanup_(report_free_)

/* Free what it holds. */
void finding_clear(struct finding *finding);
void check_clear(struct check *check);
void report_clear(struct report *report);

/* Put findings in order: worst first, else as they are. */
void report_sort(struct report *report);

/* The `i`th of all names there are, ids of findings and names of checks; NULL: there are fewer. */
const char *report_name(size_t i);

/* Findings of this weight. */
size_t report_count(const struct report *report, enum severity severity);

/* The document of schema fettle.report/1, with what was seen of each instance. NULL when memory ran out. */
json_t *report_to_json(const struct report *report, const struct report_input *input);

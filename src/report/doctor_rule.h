/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a rule is written down: a row of its subject's table. What holds for all is done once, in doctor.c:
 * a fact that is unknown makes the verdict unknown, facts become evidence, "{}" in a text is what the
 * test had to say.
 */
#pragma once

#include "base/text.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "machine/may.h"
#include "report/doctor.h"

struct fact;

/* What a test says beside its verdict. */
struct doctor_say {
	struct text detail; /* takes the place of "{}" in the row's text */
	struct text cost;   /* the same for the row's cost */
	struct text remedy; /* and remedy */
	char **evidence;
	size_t evidence_count, evidence_capacity;
	bool failed; /* memory ran out */
};

enum { RULE_FACTS = 4 };

struct doctor_rule {
	const char *id;
	/* Host facts it needs: any of them unknown, and the verdict is unknown. */
	enum host_fact facts[RULE_FACTS];
	unsigned fact_count;
	bool libraries; /* it needs the program's libraries */
	bool live;      /* it needs what only the machine itself tells (may, environment) */
	enum doctor_verdict (*test)(const struct doctor_input *in, struct doctor_say *say);
	const char *good, *costs, *blocked,
		*unknown; /* the sentence of each verdict; one it cannot reach may be NULL */
	const char *cost; /* with its source; "measure it" where there is none */
	const char *remedy;
};

struct doctor_rules {
	const struct doctor_rule *rows;
	size_t count;
};

/* All tables, in the order in which equal verdicts are shown. */
extern const struct doctor_rules doctor_cpu_rules, doctor_clock_rules, doctor_memory_rules, doctor_isa_rules,
	doctor_right_rules, doctor_library_rules;

/* Host facts, for a test whose row names them: they are known or absent then. */
const struct fact *doctor_fact(const struct doctor_input *in, enum host_fact fact);

/* The fact's number; 0 when it is absent. */
uint64_t doctor_number(const struct doctor_input *in, enum host_fact fact);

/* Is the fact known and its text this word? */
bool doctor_is(const struct doctor_input *in, enum host_fact fact, const char *word);

/* Add a line of evidence: a fact, or words. */
void doctor_show_fact(struct doctor_say *say, const char *name, const struct fact *fact);
void doctor_show(struct doctor_say *say, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this host, and the container we are in, fit for deep learning? Rules judge the facts: what is good,
 * what costs speed, what we may not do here. Pure: nothing is read, tried or changed.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct libraries;
struct machine;

enum doctor_verdict {
	DOCTOR_COSTS,   /* costs speed */
	DOCTOR_BLOCKED, /* something we could use is refused here, or missing */
	DOCTOR_UNKNOWN, /* what it takes to judge is not known */
	DOCTOR_GOOD,
	DOCTOR_VERDICT_COUNT,
};

extern const char *const doctor_verdict_words[DOCTOR_VERDICT_COUNT];

struct doctor_input {
	const struct machine *machine;     /* with host and may, as far as the source has them */
	const struct libraries *libraries; /* of the program, or of any; NULL: not known */
	const char *const *environment;    /* what a program started here would get, NULL-terminated */
};

struct doctor_judgement {
	const char *id; /* of the rule */
	enum doctor_verdict verdict;
	char *text;      /* one sentence */
	char **evidence; /* "path: what stands there" */
	size_t evidence_count;
	char *cost;   /* what it may cost, and who says so; NULL: nothing in speed */
	char *remedy; /* the command that changes it; NULL: nothing to do */
};

struct doctor {
	struct doctor_judgement *items; /* worst first */
	size_t count;
};

/* Apply every rule. Returns 0 and a struct for doctor_free(), or -ENOMEM. */
int doctor_make(const struct doctor_input *input, struct doctor **ret_doctor, struct err *err);

void doctor_free(struct doctor *doctor);
static inline void doctor_free_(struct doctor **doctor)
{
	doctor_free(*doctor);
}
#define cleanup_doctor cleanup_(doctor_free_)

/* How many judgements of this kind there are. */
size_t doctor_count(const struct doctor *doctor, enum doctor_verdict verdict);

/* The document of schema fettle.doctor/1. NULL when memory ran out. */
json_t *doctor_to_json(const struct doctor *doctor);

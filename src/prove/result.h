/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What came out, for people and programs. Pure.
 */
#pragma once

#include "prove/experiments.h"
#include "prove/trial.h"

#include <jansson.h>

/* One row of the result. */
struct prove_row {
	const struct prove_experiment *experiment;
	const char *workload; /* the model, or the user's program */
	const struct prove_trial *trial;
	const struct words *own;    /* options and words that are the advice's own; NULL: there was nothing to try */
	const struct words *joined; /* what won together: the advice it is made of; NULL or empty of all others */
};

struct prove_result {
	const char *machine; /* machine_summary() */
	const char *metric;  /* the pattern; NULL: wall time */
	const struct prove_row *rows;
	size_t count;
	const char *ended; /* why it ended before all was decided; NULL: it did not */
};

/* The largest noise of all rows that were measured; negative: none was. */
double prove_noise(const struct prove_result *result);

/* "worth-it 1.37x [1.31, 1.44]", "no-difference (noise 1.8 %)", "not-possible: one NUMA node". */
void prove_verdict_text(const struct prove_trial *trial, struct text *text);

/* The document of schema fettle.prove/1. NULL when memory ran out. */
json_t *prove_to_json(const struct prove_result *result);

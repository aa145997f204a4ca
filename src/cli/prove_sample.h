/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of a program under 'fettle run', and what it came to.
 */
#pragma once

#include "base/words.h"

#include <regex.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

/* How samples are taken; the same for all of a session. */
struct sampler {
	char *self;            /* this fettle; owned */
	char *report;          /* where 'run --report' writes; owned, removed with it */
	const regex_t *metric; /* its group is the number; NULL: the time from start to end counts */
	bool rate;             /* of the metric more is better */
};

struct sample {
	bool counts;
	double time;    /* smaller is better, above 0: seconds, the metric, or 1 over it where that is a rate */
	double wall_s;  /* from start to end; 0: not known */
	char why[240];  /* it does not count */
	int told;       /* we were told to end by this signal; 0: we were not */
	bool not_found; /* there is no such program, or it cannot be executed */
};

/* Returns 0 or -errno with one line; sampler_clear() frees what it holds. */
int sampler_open(const regex_t *metric, bool rate, struct sampler *ret_sampler, struct err *err);
void sampler_clear(struct sampler *sampler);
#define cleanup_sampler cleanup_(sampler_clear)

/*
 * Run `program` under these options of 'fettle run'; it is stopped after `limit_ms` (0: never). It counts when program
 * and fettle ended well, nothing of the plan is seen to differ, and the metric was found. Returns 0, or -errno when
 * fettle could not be started.
 */
int sample_take(const struct sampler *sampler, const struct words *options, const struct words *program,
		uint64_t limit_ms, struct sample *ret_sample, struct err *err);

/*
 * Have 'fettle onednn run' look at the program and write its document to the sampler's report. Returns 0, or -errno;
 * `ret_told` as above.
 */
int sample_onednn(const struct sampler *sampler, const struct words *program, int *ret_told, struct err *err);

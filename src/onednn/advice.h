/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to make of a profile: the primitive cache's capacity and its price, layouts, instructions. Pure.
 */
#pragma once

#include "base/words.h"
#include "onednn/profile.h"

enum { ONEDNN_FINDINGS_MAX = 8 };

struct onednn_finding {
	const char *id;       /* the project's ids of findings */
	const char *severity; /* "warning" or "note" */
	char *text, *remedy;  /* owned; remedy NULL: none */
	struct words evidence;
};

struct onednn_advice {
	struct onednn_sizing sizing;
	bool has_cost;
	double cost_bytes; /* memory that the recommended capacity takes more than the run's; negative: it saves that */
	bool worth;        /* setting the recommended capacity is: more than the default, or less and memory is saved */
	char *why;         /* of the recommendation, or why there is none */
	struct onednn_finding findings[ONEDNN_FINDINGS_MAX];
	size_t finding_count;
};

/*
 * Judge. `capacity`: the primitive cache's in that run, 0: not known. `flags`: what the processor it ran on has, as
 * Linux names it; NULL: not known. Returns 0 and what onednn_advice_clear() frees, or -ENOMEM.
 */
int onednn_advise(const struct onednn_profile *profile, unsigned capacity, const char *flags,
		  struct onednn_advice *ret_advice, struct err *err);

void onednn_advice_clear(struct onednn_advice *advice);
#define cleanup_onednn_advice cleanup_(onednn_advice_clear)

/*
 * What a primitive in the cache costs in memory, in bytes, by kind and by oneDNN's version: the mean over those that
 * this program made. False: too few of them are of a kind that was measured.
 */
bool onednn_primitive_bytes(const struct onednn_profile *profile, double *ret_bytes);

/* The document of schema fettle.onednn/1, with at most `shapes` primitives named. NULL when memory ran out. */
json_t *onednn_to_json(const struct onednn_profile *profile, const struct onednn_advice *advice, size_t shapes);

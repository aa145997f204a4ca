/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How experiments go on: which runs are made next, what becomes of them, and when it is enough. Pure: whoever makes the
 * runs hands in what they came to.
 *
 * Trials with the same baseline are a group: a block of it is one run of the baseline, one of its twin (nothing against
 * nothing), and one of each candidate that is not decided yet, in an order that is drawn anew.
 */
#pragma once

#include "prove/judge.h"

struct prove_trial {
	/* Arrays with room for PROVE_BLOCKS_MAX: the logarithms of the pairs that count. */
	double advice[PROVE_BLOCKS_MAX], nothing[PROVE_BLOCKS_MAX];
	size_t blocks;
	size_t lost;   /* runs of the candidate that did not count */
	bool open;     /* not decided yet */
	unsigned rank; /* with too little time for all: lower ones first */
	struct prove_judgement judgement;
	char *why; /* owned; of what is not possible or undecided; NULL: the numbers say it */
};

/* The runs of a block by number: 0 is the baseline, 1 its twin, 2 and up the group's trials. */
enum { PROVE_BASELINE, PROVE_TWIN, PROVE_CANDIDATES };

struct prove_group {
	struct prove_trial **trials; /* borrowed */
	size_t count;
	size_t blocks, lost; /* begun; of which the baseline or its twin did not count */
};

/* One run of a block. */
struct prove_run {
	size_t arm;
	bool counts;
	double time;     /* or what else is better when it is smaller; more than 0 */
	const char *why; /* it does not count; borrowed */
};

/* Draw the runs of the next block into `ret_runs`, which has room for PROVE_CANDIDATES + group->count: those of open
 * trials. Returns how many; 0: nothing is open. */
size_t prove_block_draw(const struct prove_group *group, struct prove_random *random, struct prove_run *ret_runs);

/*
 * Take what they came to. A pair counts when baseline, twin and candidate do. Trials are judged, and closed when it
 * is enough: decided, after PROVE_BLOCKS_MAX blocks, or when its runs do not count. Returns 0 or -ENOMEM.
 */
int prove_block_take(struct prove_group *group, const struct prove_run *runs, size_t count);

bool prove_group_open(const struct prove_group *group);

/* Close a trial: what is decided stays, else it is undecided or (no pair counted, `impossible`) not possible, for the
 * reason given, which is copied. Returns 0 or -ENOMEM. */
int prove_trial_close(struct prove_trial *trial, bool impossible, const char *why);

/* There is time for `fits` trials only: close the open ones of the highest rank, of equals the last, for the reason
 * given, which is copied. Returns 0 or -ENOMEM. */
int prove_group_trim(struct prove_group *group, size_t fits, const char *why);

void prove_trial_clear(struct prove_trial *trial);

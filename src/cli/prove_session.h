/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One 'fettle prove': which advice is tried on what, by which words, and how far it is.
 */
#pragma once

#include "cli/prove_sample.h"
#include "prove/result.h"

struct err;
struct invocation;
struct machine;

struct prove_arm {
	struct words options; /* of 'fettle run' */
	struct words program;
};

/* An experiment with its trial. */
struct prove_entry {
	const struct prove_experiment *experiment;
	const char *workload; /* the name of what is run: a model of ours, or the user's program */
	struct prove_trial trial;
	struct prove_arm with, without;
	struct words own;    /* options and words that are the advice's own */
	struct words joined; /* of what won together: the advice; empty of all others */
};

/* Those with the same baseline. */
struct prove_team {
	const char *workload;
	struct prove_group group;
	struct prove_entry **entries; /* one a trial of the group; borrowed */
	struct prove_trial **trials;
	const struct prove_arm *baseline; /* the first one's `without` */
	double run_s;                     /* what a run takes, about; 0: none was made */
	uint64_t limit_ms;                /* for a run; 0: not known yet */
	bool warm;
	bool joined; /* what won in it was tried together, or is what won together */
};

struct prove_session {
	struct invocation *invocation;
	struct machine *machine;
	char *summary;
	struct words program; /* the user's, or our own workload */
	struct prove_facts facts;
	char no_cache[160];
	struct sampler sampler;
	struct prove_entry *entries;
	size_t count;
	struct prove_team *teams;
	size_t team_count;
	char ended[120]; /* why before all was decided; empty: it was not */
	int told;        /* the signal that ended it; 0: none */
};

/*
 * Take what --only names, find out what is possible on the session's machine, and make teams. machine, program, facts
 * and sampler are there already. Returns 0 or -errno.
 */
int prove_session_build(struct prove_session *session, struct err *err);

/*
 * Measure until all is decided, the budget ends (0: at once) or we are told to; what is open then is closed with
 * `ended` as the reason. Returns 0, or -errno: the baseline cannot be
 * measured, or memory ran out.
 */
int prove_session_run(struct prove_session *session, uint64_t budget_ms, struct err *err);

/*
 * Where several pieces of advice of one team won, of each family the best: add a team that tries them together. Of each
 * team once. Returns 0 or -errno.
 */
int prove_session_join(struct prove_session *session, struct err *err);

/* Is it worth it, and nothing else of its family and workload more so? What changes results wins only where --only
 * names advice. */
bool prove_session_wins(const struct prove_session *session, const struct prove_entry *entry);

void prove_session_clear(struct prove_session *session);
#define cleanup_prove_session cleanup_(prove_session_clear)

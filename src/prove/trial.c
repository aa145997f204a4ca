/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/trial.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* So many runs of a candidate that do not count, and not one that does: it will not be otherwise. */
enum { LOST_AT_FIRST = 3 };

size_t prove_block_draw(const struct prove_group *group, struct prove_random *random, struct prove_run *ret_runs)
{
	size_t count = 0;

	if (!prove_group_open(group))
		return 0;
	ret_runs[count++] = (struct prove_run){ .arm = PROVE_BASELINE };
	ret_runs[count++] = (struct prove_run){ .arm = PROVE_TWIN };
	for (size_t i = 0; i < group->count; i++) {
		if (group->trials[i]->open)
			ret_runs[count++] = (struct prove_run){ .arm = PROVE_CANDIDATES + i };
	}
	/* Fisher and Yates: every order is as likely as any other. */
	for (size_t left = count; left > 1; left--) {
		const size_t chosen = prove_draw_below(random, left);
		const struct prove_run moved = ret_runs[left - 1];

		ret_runs[left - 1] = ret_runs[chosen];
		ret_runs[chosen] = moved;
	}
	return count;
}

static const struct prove_run *run_of(const struct prove_run *runs, size_t count, size_t arm)
{
	for (size_t i = 0; i < count; i++) {
		if (runs[i].arm == arm)
			return &runs[i];
	}
	return NULL;
}

static void judge_now(struct prove_trial *trial)
{
	prove_judge(trial->advice, trial->nothing, trial->blocks, trial->blocks, &trial->judgement);
}

int prove_trial_close(struct prove_trial *trial, bool impossible, const char *why)
{
	const enum prove_verdict verdict = impossible && !trial->blocks ? PROVE_NOT_POSSIBLE : PROVE_UNDECIDED;

	if (!trial->open)
		return 0;
	trial->open = false;
	if (trial->blocks)
		judge_now(trial);
	trial->judgement.verdict = verdict;
	trial->why = strdup(why);
	return trial->why ? 0 : -ENOMEM;
}

/* Does it go on losing what it needs? */
static int give_up(struct prove_trial *trial, const char *why)
{
	if (!trial->blocks && trial->lost >= LOST_AT_FIRST)
		return prove_trial_close(trial, true, why);
	if (trial->lost > trial->blocks + LOST_AT_FIRST)
		return prove_trial_close(trial, false, why);
	return 0;
}

static int judge(struct prove_trial *trial)
{
	double level;

	if (!prove_look_at(trial->blocks, &level))
		return 0;
	judge_now(trial);
	if (trial->judgement.verdict != PROVE_UNDECIDED) {
		trial->open = false;
		return 0;
	}
	return trial->blocks < PROVE_BLOCKS_MAX
		       ? 0
		       : prove_trial_close(trial, false, "2 % cannot be told in 64 blocks: this machine is too noisy");
}

int prove_block_take(struct prove_group *group, const struct prove_run *runs, size_t count)
{
	const struct prove_run *baseline = run_of(runs, count, PROVE_BASELINE), *twin = run_of(runs, count, PROVE_TWIN);
	const bool counts = baseline && twin && baseline->counts && twin->counts;
	int r = 0;

	group->blocks++;
	group->lost += !counts;
	for (size_t i = 0; r == 0 && i < group->count; i++) {
		const struct prove_run *run = run_of(runs, count, PROVE_CANDIDATES + i);
		struct prove_trial *trial = group->trials[i];

		if (!run || !trial->open)
			continue;
		if (!run->counts) {
			trial->lost++;
			r = give_up(trial, run->why);
		} else if (counts) {
			trial->advice[trial->blocks] = log(baseline->time) - log(run->time);
			trial->nothing[trial->blocks] = log(baseline->time) - log(twin->time);
			trial->blocks++;
			r = judge(trial);
		}
	}
	return r;
}

bool prove_group_open(const struct prove_group *group)
{
	for (size_t i = 0; i < group->count; i++) {
		if (group->trials[i]->open)
			return true;
	}
	return false;
}

static struct prove_trial *least_promising(const struct prove_group *group)
{
	struct prove_trial *last = NULL;

	for (size_t i = 0; i < group->count; i++) {
		struct prove_trial *trial = group->trials[i];

		if (trial->open && (!last || trial->rank >= last->rank))
			last = trial;
	}
	return last;
}

int prove_group_trim(struct prove_group *group, size_t fits, const char *why)
{
	struct prove_trial *last;
	size_t open = 0;
	int r = 0;

	for (size_t i = 0; i < group->count; i++)
		open += group->trials[i]->open;
	for (; r == 0 && open > fits && (last = least_promising(group)) != NULL; open--)
		r = prove_trial_close(last, false, why);
	return r;
}

void prove_trial_clear(struct prove_trial *trial)
{
	free(trial->why);
	trial->why = NULL;
}

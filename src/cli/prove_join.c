/* SPDX-License-Identifier: Apache-2.0 */
/* What won, tried together: gains need not add up. */
#include "base/cleanup.h"
#include "base/err.h"
#include "cli/command.h"
#include "cli/prove_session.h"

#include <string.h>

/* May it be kept: does it differ by words of its own, and leave results alone unless the user named it? */
static bool may_win(const struct prove_session *session, const struct prove_entry *entry)
{
	return entry->trial.judgement.verdict == PROVE_WORTH_IT && entry->own.count && !entry->joined.count &&
	       (!entry->experiment->changes_numbers || session->invocation->options.prove.only);
}

bool prove_session_wins(const struct prove_session *session, const struct prove_entry *entry)
{
	const double own = entry->trial.judgement.ratio;

	if (!may_win(session, entry))
		return false;
	for (size_t i = 0; i < session->count; i++) {
		const struct prove_entry *other = &session->entries[i];
		const double ratio = other->trial.judgement.ratio;

		if (other == entry || !may_win(session, other) ||
		    strcmp(other->experiment->family, entry->experiment->family) != 0 ||
		    strcmp(other->workload, entry->workload) != 0)
			continue;
		if (ratio > own || (ratio == own && other < entry))
			return false;
	}
	return true;
}

static int add_copy(const struct words *from, size_t first, size_t end, struct words *to)
{
	int r = 0;

	for (size_t i = first; r == 0 && i < end; i++)
		r = words_add(to, from->items[i]);
	return r;
}

static size_t option_count(const struct prove_experiment *experiment)
{
	size_t count = 0;

	while (experiment->with[count])
		count++;
	return count;
}

/*
 * The winners' options behind the baseline's, and their words for our workload in front of its model, which stands
 * last.
 */
static int join_words(const struct prove_session *session, const struct prove_team *team, struct prove_entry *joined)
{
	const struct prove_arm *baseline = team->baseline;
	const size_t in_front = baseline->program.count - (session->facts.built_in ? 1 : 0);
	int r = add_copy(&baseline->options, 0, baseline->options.count, &joined->with.options);

	if (r == 0)
		r = add_copy(&baseline->program, 0, in_front, &joined->with.program);
	for (size_t i = 0; r == 0 && i < team->group.count; i++) {
		const struct prove_entry *entry = team->entries[i];
		const size_t options = option_count(entry->experiment);

		if (!prove_session_wins(session, entry))
			continue;
		r = add_copy(&entry->own, 0, options, &joined->with.options);
		if (r == 0)
			r = add_copy(&entry->own, options, entry->own.count, &joined->with.program);
		if (r == 0)
			r = add_copy(&entry->own, 0, entry->own.count, &joined->own);
		if (r == 0)
			r = words_add(&joined->joined, entry->experiment->advice);
	}
	if (r == 0)
		r = add_copy(&baseline->program, in_front, baseline->program.count, &joined->with.program);
	if (r == 0)
		r = add_copy(&baseline->options, 0, baseline->options.count, &joined->without.options);
	return r == 0 ? add_copy(&baseline->program, 0, baseline->program.count, &joined->without.program) : r;
}

/* A team of its own: the other one's runs were made at another time. There is room for it. */
static int join(struct prove_session *session, const struct prove_team *team)
{
	struct prove_entry *entry = &session->entries[session->count];
	struct prove_team *added = &session->teams[session->team_count];

	entry->experiment = &prove_together;
	entry->workload = team->workload;
	entry->trial.open = true;
	session->count++;
	if (join_words(session, team, entry) < 0)
		return -ENOMEM;
	*added = (struct prove_team){ .workload = team->workload,
				      .entries = calloc(1, sizeof(struct prove_entry *)),
				      .trials = calloc(1, sizeof(struct prove_trial *)),
				      .baseline = &entry->without,
				      .run_s = team->run_s,
				      .limit_ms = team->limit_ms,
				      .warm = true,
				      .joined = true };
	session->team_count++;
	if (!added->entries || !added->trials)
		return -ENOMEM;
	added->entries[0] = entry;
	added->trials[0] = &entry->trial;
	added->group = (struct prove_group){ .trials = added->trials, .count = 1 };
	return 0;
}

int prove_session_join(struct prove_session *session, struct err *err)
{
	const size_t count = session->team_count;

	for (size_t i = 0; i < count; i++) {
		struct prove_team *team = &session->teams[i];
		size_t winners = 0;

		if (team->joined)
			continue;
		team->joined = true;
		for (size_t k = 0; k < team->group.count; k++)
			winners += prove_session_wins(session, team->entries[k]);
		if (winners > 1 && join(session, team) < 0)
			return err_nomem(err);
	}
	return 0;
}

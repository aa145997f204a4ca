/* SPDX-License-Identifier: Apache-2.0 */
/* What won, as a profile. */
#include "base/cleanup.h"
#include "base/err.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/profile.h"
#include "cli/prove_kept.h"
#include "cli/prove_session.h"

#include <string.h>

/* Is it worth it by an option, and nothing else of its family more so? */
static bool wins(const struct prove_session *session, const struct prove_entry *entry)
{
	if (entry->trial.judgement.verdict != PROVE_WORTH_IT || !entry->experiment->with[0])
		return false;
	for (size_t i = 0; i < session->count; i++) {
		const struct prove_entry *other = &session->entries[i];

		if (strcmp(other->experiment->family, entry->experiment->family) == 0 &&
		    other->trial.judgement.verdict == PROVE_WORTH_IT && other->experiment->with[0] &&
		    (other->trial.judgement.ratio > entry->trial.judgement.ratio ||
		     (other->trial.judgement.ratio == entry->trial.judgement.ratio && other < entry)))
			return false;
	}
	return true;
}

/* What `with` adds to `without`: its last words, as its own options stand last. */
static int add_own(const struct prove_entry *entry, struct words *options)
{
	const struct words *all = &entry->with.options;
	size_t own = 0;
	int r = 0;

	while (entry->experiment->with[own])
		own++;
	for (size_t i = all->count - own; r == 0 && i < all->count; i++)
		r = words_add(options, all->items[i]);
	return r;
}

int prove_profile_save(const struct prove_session *session, const char *name, struct err *err)
{
	const struct command *run = command_find("run", err);
	cleanup_options struct options options = { .machine = NULL };
	cleanup_words struct words words = { .items = NULL };
	cleanup_free char *path = NULL;
	struct option_found found;
	int r = 0;

	for (size_t i = 0; r == 0 && i < session->count; i++) {
		if (wins(session, &session->entries[i]))
			r = add_own(&session->entries[i], &words);
	}
	if (r < 0)
		return err_nomem(err);
	if (!words.count)
		return err_set(err, -ENODATA,
			       "nothing to keep in profile '%s': nothing that an option does was worth it", name);
	r = option_parse(run->tables, "run", (int)words.count, (const char *const *)words.items, &options, &found, err);
	if (r == 0)
		r = profile_save(name, &options, &found, &path, err);
	if (r == 0)
		output_line("profile '%s' has what won: 'fettle run --profile %s' uses it", path, name);
	return r;
}

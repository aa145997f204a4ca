/* SPDX-License-Identifier: Apache-2.0 */
/* What won, as a profile. */
#include "base/cleanup.h"
#include "base/err.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/prove_kept.h"
#include "cli/prove_session.h"
#include "joint/profile.h"

#include <string.h>

/* Did it win by an option, and was it not in vain beside the others that won? */
static bool is_kept(const struct prove_session *session, const struct prove_entry *entry)
{
	bool kept = entry->experiment->with[0] && prove_session_wins(session, entry);

	/* Models of ours may each have another winner of a family: the first counts. */
	for (const struct prove_entry *other = session->entries; kept && other < entry; other++)
		kept = strcmp(other->experiment->family, entry->experiment->family) != 0 ||
		       !prove_session_wins(session, other);
	return kept;
}

/* What is worth it and changes results, which nobody asked for. */
static void tell_left_out(const struct prove_session *session)
{
	for (size_t i = 0; i < session->count; i++) {
		const struct prove_entry *entry = &session->entries[i];

		if (entry->trial.judgement.verdict == PROVE_WORTH_IT && entry->experiment->changes_numbers &&
		    entry->experiment->with[0] && !session->invocation->options.prove.only)
			output_line("'%s' changes results and is not kept: --only %s would keep it",
				    entry->experiment->advice, entry->experiment->advice);
	}
}

/* What won together but is no better than its best part. */
static void warn_in_vain(const struct prove_session *session)
{
	for (size_t i = 0; i < session->count; i++) {
		const struct prove_entry *entry = &session->entries[i];
		const enum prove_verdict verdict = entry->trial.judgement.verdict;

		if (entry->joined.count && (verdict == PROVE_HARMFUL || verdict == PROVE_NO_DIFFERENCE))
			output_line(
				"warning: what won by itself in '%s' is %s together: try the profile before it is used",
				entry->workload, prove_verdict_words[verdict]);
	}
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
		const struct prove_entry *entry = &session->entries[i];

		for (size_t k = 0; r == 0 && is_kept(session, entry) && k < entry->own.count; k++)
			r = words_add(&words, entry->own.items[k]);
	}
	if (r < 0)
		return err_nomem(err);
	tell_left_out(session);
	if (!words.count)
		return err_set(err, -ENODATA,
			       "nothing to keep in profile '%s': nothing that an option does was worth it", name);
	r = option_parse(run->tables, "run", (int)words.count, (const char *const *)words.items, &options, &found, err);
	if (r == 0)
		r = profile_save(name, &options, &found, &path, err);
	if (r < 0)
		return r;
	warn_in_vain(session);
	output_line("profile '%s' has what won: 'fettle run --profile %s' uses it", path, name);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What we are told by signals, and what the children are told of it. */
#include "launch/supervisor.h"

#include <sys/signalfd.h>

/*
 * As long after a request to stop the same request is the same: who signals the whole group reaches us by the group and
 * through the guard, and a child must not take that for impatience.
 */
enum { SAME_REQUEST_MS = 200 };

static void hand_to_all(struct supervisor *s, const struct forwarded *row, bool have_it)
{
	for (size_t i = 0; i < s->count; i++) {
		s->members[i].told = row->number;
		s->members[i].told_to_stop |= row->asks_to_stop;
		if (!have_it)
			supervisor_send(s, i, row->number);
	}
}

/* False: this was said a moment ago. */
static bool note_request(struct supervisor *s, int number)
{
	const uint64_t now = clock_now_ns();
	const bool same = s->asked_at && s->asked_by == number && now - s->asked_at < SAME_REQUEST_MS * 1000000ULL;

	if (same)
		return false;
	if (s->asked_at && number == SIGINT)
		ends_kill_all(s);
	s->asked_at = now;
	s->asked_by = number;
	ends_cancel_starts(s);
	return true;
}

static void take_one(struct supervisor *s, const struct signalfd_siginfo *info)
{
	const struct forwarded *row = signals_row((int)info->ssi_signo);
	const bool have_it = row && row->from_terminal && info->ssi_code == SI_KERNEL;

	if (!row) {
		ends_reap(s); /* SIGCHLD */
	} else if (row->number == SIGTSTP) {
		for (size_t i = 0; i < s->count && !have_it; i++)
			supervisor_send(s, i, SIGTSTP);
		signals_stop_self(SIGTSTP);
	} else if (row->number == SIGCONT) {
		for (size_t i = 0; i < s->count; i++)
			supervisor_send(s, i, SIGCONT);
	} else if (!row->asks_to_stop || note_request(s, row->number)) {
		hand_to_all(s, row, have_it);
	}
}

void commands_take(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		take_one(s, &info);
}

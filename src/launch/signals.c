/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/signals.h"

#include "base/cleanup.h"

#include <time.h>
#include <unistd.h>

/*
 * All that end a program have numbers below SIGCHLD's, so one that ended a child is taken before that end. Of SIGHUP
 * the terminal's own goes to its foreground group too, when it hangs up.
 */
static const struct forwarded table[] = {
	{ SIGINT, true, true },    { SIGQUIT, true, true },   { SIGTERM, true, false }, { SIGHUP, false, true },
	{ SIGUSR1, false, false }, { SIGUSR2, false, false }, { SIGTSTP, false, true }, { SIGCONT, false, false },
};

void signals_block(struct signals *ret_signals)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t blocked;
	struct sigaction now;

	(void)sigemptyset(&ret_signals->taken);
	(void)sigaddset(&ret_signals->taken, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (sigaction(table[i].number, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			(void)sigaddset(&ret_signals->taken, table[i].number);
	}
	blocked = ret_signals->taken;
	(void)sigaddset(&blocked, SIGPIPE); /* an output nobody reads is an error of its write, not our end */
	(void)sigprocmask(SIG_BLOCK, &blocked, &ret_signals->mask);
	(void)sigaction(SIGCHLD, &by_default, &ret_signals->sigchld);
}

void signals_restore(const struct signals *signals)
{
	const struct timespec at_once = { 0 };
	sigset_t pipe_signal;

	(void)sigemptyset(&pipe_signal);
	(void)sigaddset(&pipe_signal, SIGPIPE);
	if (!sigismember(&signals->mask, SIGPIPE))
		(void)sigtimedwait(&pipe_signal, NULL, &at_once);
	(void)sigaction(SIGCHLD, &signals->sigchld, NULL);
	(void)sigprocmask(SIG_SETMASK, &signals->mask, NULL);
}

const struct forwarded *signals_row(int number)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		if (table[i].number == number)
			return &table[i];
	}
	return NULL;
}

void signals_stop_self(int number)
{
	sigset_t one, pending;

	/* Whoever let us go on meanwhile would be forgotten: a stop signal takes back a pending SIGCONT. */
	if (sigpending(&pending) == 0 && sigismember(&pending, SIGCONT) == 1)
		return;
	(void)sigemptyset(&one);
	(void)sigaddset(&one, number);
	(void)kill(getpid(), number); /* pending while it is blocked */
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
	(void)sigprocmask(SIG_BLOCK, &one, NULL);
}

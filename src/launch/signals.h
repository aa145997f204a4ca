/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signals that a supervisor and its guard take instead of dying of them.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>

/* One that is handed on. */
struct forwarded {
	int number;
	bool asks_to_stop;  /* any end after it is an answer to it, not a failure of its own */
	bool from_terminal; /* the kernel sends it to the whole foreground group: the children have it */
};

struct signals {
	sigset_t taken;           /* blocked, to be read from `fd` or by sigwaitinfo() */
	sigset_t mask;            /* what was blocked before */
	struct sigaction sigchld; /* what SIGCHLD did before */
};

/*
 * Block what is in the table, SIGCHLD and SIGPIPE. One we were started to ignore (nohup, a shell's background job)
 * stays ignored, all but SIGCHLD: with that ignored the kernel would reap children itself, and their ends were lost.
 */
void signals_block(struct signals *ret_signals);
void signals_restore(const struct signals *signals);

/* The table's row; NULL: this one is not handed on. */
const struct forwarded *signals_row(int number);

/* Stop as by this signal's default (which a group that no shell minds ignores), until somebody lets us go on; not at
 * all where somebody has done so since, and SIGCONT is pending. */
void signals_stop_self(int number);

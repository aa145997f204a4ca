/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one program whose standard output goes through us, and waits for it. It keeps our standard input and error,
 * unless it is to be alone.
 */
#pragma once

#include "launch/launch.h"

enum piped_state {
	PIPED_NOTHING_HELD,
	PIPED_HELD, /* some bytes are held back: `idle` is to be called when nothing more comes */
	PIPED_GONE, /* nobody takes the output any more: the program is to find its pipe closed */
};

struct piped_taker {
	enum piped_state (*output)(const char *bytes, size_t length, void *context);
	enum piped_state (*idle)(
		void *context); /* nothing came for a fifth of a second, or the program is at its end */
	void *context;
	bool alone; /* what it writes to standard error comes too, and its standard input is empty */
};

/* How it ended. */
struct piped_end {
	int exit_code; /* -1: by a signal */
	int signal;    /* 0: none */
	int told;      /* the last of SIGINT, SIGQUIT, SIGTERM and SIGHUP that we got while it ran; 0: none */
};

/*
 * Start `program` with `environment` and hand what it prints to `taker`, until the last process that holds its standard
 * output is gone. SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 are handed on, SIGINT and SIGQUIT where not the terminal sent
 * them. It does not outlive us (PR_SET_PDEATHSIG). Returns 0 and how it ended, or -errno when it could not
 * be started (codes as launch_exec()). Blocks and restores those signals, SIGPIPE and SIGCHLD; not for use in a program
 * with other children.
 */
int launch_piped(const struct launch_program *program, char *const *environment, const struct piped_taker *taker,
		 struct piped_end *ret_end, struct err *err);

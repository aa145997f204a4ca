/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One child of the supervisor: born bound, tied to its parent's life, and able to say what
 * the kernel granted and at which step it failed.
 */
#pragma once

#include "launch/bind.h"
#include "launch/exec.h"

#include <signal.h>
#include <stdbool.h>

/* What all children share. */
struct child_common {
	const struct exec_orders *exec;
	sigset_t mask;            /* the signal mask the program gets */
	struct sigaction sigchld; /* and its SIGCHLD disposition */
	int null_fd;              /* stdin of those that do not keep ours */
};

struct child_spec {
	const struct bind_orders *bind;
	char *const *environment;
	char *const *unpinned; /* the environment when the CPUs are not granted as asked */
	bool keeps_stdin;
	int output_fds[2]; /* stdout and stderr; -1: ours */
};

enum child_stage { CHILD_RUNS, CHILD_TIE, CHILD_STREAMS, CHILD_EXEC };

/* The first word of a child, sent before its program runs, and what followed. */
struct child_report {
	struct bind_result bind;
	enum child_stage stage; /* where it failed; CHILD_RUNS: nowhere */
	int error;              /* -errno */
};

/*
 * Fork. `*ret_report_fd` is the read end of the child's pipe; the caller closes it.
 * Returns 0 or -errno of the pipe or the fork.
 */
int child_start(const struct child_common *common, const struct child_spec *spec, pid_t *ret_pid, int *ret_report_fd,
		struct err *err);

/*
 * Read the report to its end: until the program runs or the child is gone. A child that
 * died without a word counts as one that runs: how it ended will tell.
 */
void child_read_report(int report_fd, struct child_report *ret_report);

/* The failed step in words. Returns the code to hand on. */
int child_explain(const struct child_report *report, const struct launch_program *program, struct err *err);

/*
 * `fd`, just opened, as a number above 2 (close-on-exec): a caller with a closed stdin must not get a
 * file of ours in its place. Returns the descriptor or -errno, of the failed open too.
 */
int child_fd_above_stdio(int fd);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What 'fettle onednn' does with a stream that was read, wherever it came from.
 */
#pragma once

#include "cli/command.h"

struct decision;
struct err;
struct onednn_profile;

/* The first option of a plan among `found`, or NULL. */
const struct option *onednn_plan_option(const struct invocation *invocation, const struct option_found *found);

/* Options that contradict each other, before anything is read. */
int onednn_check_options(const struct options *options, struct err *err);

/*
 * Judge the stream and write what the options ask for: to --output or standard output, --folded, --save. `flags`: what
 * the processor it ran on has, NULL: not known; `capacity`: its cache's, 0: not known. `to_stderr`: standard output is
 * a program's. Returns the exit code.
 */
int onednn_tell(const struct invocation *invocation, struct onednn_profile *profile, unsigned capacity,
		const char *flags, bool to_stderr);

/* 'fettle onednn run -- program'; `words` begins behind "run". */
int onednn_run(struct invocation *invocation, char *const *words, int count);

/* The same under a plan, of one or several instances; `words` are the program's. */
int onednn_run_planned(struct invocation *invocation, char *const *words, int count);

/* Have what is started from now on print, unless the user has told oneDNN what to say. Changes our environment. */
int onednn_speak(struct err *err);

/* What environment and options say the cache can hold; 0: they say nothing, or what is no number. */
unsigned onednn_capacity_asked(const struct options *options);

/* What this machine's processor has; NULL: cannot be told. To be asked when the program is at its end. */
const char *onednn_processor_flags(struct decision *decision);

extern const char onednn_nothing_printed[];

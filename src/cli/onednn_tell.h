/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What 'fettle onednn' makes of a stream that was read, wherever it came from.
 */
#pragma once

#include <stdbool.h>

struct err;
struct invocation;
struct onednn_profile;
struct options;

/* Options that contradict each other, before anything is read. Returns 0 or -EINVAL. */
int onednn_check_options(const struct options *options, struct err *err);

/*
 * Judge the stream and write what the options ask for: to --output or standard output, --folded, --save. `flags`: what
 * the processor it ran on has, NULL: not known; `capacity`: its cache's, 0: not known. `to_stderr`: standard output is
 * a program's, which ran here. Returns the exit code.
 */
int onednn_tell(const struct invocation *invocation, struct onednn_profile *profile, unsigned capacity,
		const char *flags, bool to_stderr);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where children write: to our own standard streams, to a file each, or line by line through us. What goes through us
 * keeps its bytes; of each pipe at most one line and of each place it goes to a bounded queue is held. Whoever writes
 * more than a slow reader takes waits, as it would without us; signals and ends are still attended to.
 */
#pragma once

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

/* Hands bytes on, from within a call of a tap. */
typedef void launch_pass(const char *bytes, size_t length, void *to);

/* Takes something out of what a child writes to its standard output before it goes where it goes. */
struct launch_tap {
	/* Bytes of child `index`; what is to go on is given to `pass`, now or with a later call. */
	void (*take)(size_t index, const char *bytes, size_t length, launch_pass *pass, void *to, void *context);
	/* Its output is at its end: what was held back is to go on, or never will. */
	void (*end)(size_t index, launch_pass *pass, void *to, void *context);
	void *context;
};

/* All zero: children have our stdout and stderr. */
struct launch_output {
	bool through[2];              /* stdout, stderr go through us */
	bool together;                /* both through us to the same file: one pipe keeps their order */
	const char *prefix[2];        /* of each line: "[I] " when "", else "[PREFIX.I] "; NULL: none */
	const int *log_fds;           /* one a child, in place of both; NULL: none */
	const regex_t *collect;       /* its one group is a number; needs both streams to go through us; NULL: none */
	const struct launch_tap *tap; /* needs stdout to go through us; NULL: none */
};

/*
 * Open DIR/PREFIX.I.log for appending for each of `count` instances, making the folder. Refused (-errno and one line)
 * when it cannot be written or has no room. The caller closes the descriptors, which are above 2 and close-on-exec.
 */
int launch_open_logs(const char *dir, const char *prefix, const unsigned *instances, size_t count, int *ret_fds,
		     struct err *err);

/*
 * Compile a POSIX extended regular expression with exactly one group. Returns 0 or -EINVAL with one line; free with
 * regfree().
 */
int launch_compile_collect(const char *pattern, regex_t *ret_regex, struct err *err);

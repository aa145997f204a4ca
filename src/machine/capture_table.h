/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files a capture holds.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether a line of a file goes into the capture. `text` is the whole file. */
typedef bool capture_keeps(const char *text, const char *line, size_t length);

struct capture_row {
	const char *pattern; /* below the root; each component is matched as by fnmatch(3) */
	/* A link on the way is stored as a link: what it leads to has rows of its own. Else it is followed. */
	bool links;
	capture_keeps *keeps; /* NULL: the whole file */
};

extern const struct capture_row capture_rows[];
extern const size_t capture_row_count;

/* What is taken of each cgroup directory on our path, whichever controller it is of. */
extern const char *const capture_cgroup_files[]; /* NULL-terminated */

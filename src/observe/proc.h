/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of /proc, as this room reads them: a file that is refused or gone leaves a gap and no failure.
 */
#pragma once

#include "base/sysroot.h"
#include "observe/observation.h"

#include <stdio.h>

enum { PROC_PATH = 320 };

/* Note what could not be had. At most a hundred are kept: a tree of denied processes says one thing. Returns 0 or
 * -ENOMEM. */
int proc_gap(struct observation *observation, const char *path, const char *what, int code);

/*
 * Read a small file as text. Returns 1; 0: it could not be read, a gap was left (`what` NULL: it says nothing to
 * anybody); -ENOMEM. The caller frees the text.
 */
int proc_read(const struct sysroot *root, struct observation *observation, const char *path, const char *what,
	      char **ret_text);

/*
 * Read a file that is shorter than a page into `text`, with one call: what every look reads of every thread. Cut off
 * at `size`. Returns 0 or -errno.
 */
int proc_read_short(const struct sysroot *root, const char *path, char *text, size_t size);

/* The process's file as a stream for getline(), however long it is. Returns as proc_read(). */
int proc_open(const struct sysroot *root, struct observation *observation, const char *path, const char *what,
	      FILE **ret_file);

/* "/proc/PID/name" into `path`. */
void proc_path(char path[PROC_PATH], pid_t pid, const char *name);

/* The value of "key:" or of "key" and blanks at the start of a line; NULL: there is none. Not NUL-terminated: it ends
 * at the line's end. */
const char *proc_field(const char *text, const char *key);

/* The number that a field begins with. False: there is none. */
bool proc_number(const char *text, const char *key, uint64_t *ret_value);

/* Take the next number of a line, behind blanks; `base` is 10 or 16. False, with nothing taken: none stands there. */
bool proc_take(const char **at, int base, uint64_t *ret_value);

/* The link's target, NUL-terminated. Returns 0 or -errno. */
int proc_link(const struct sysroot *root, const char *path, char **ret_target);

/* Numbers of the folder's entries that are numbers, ascending. The caller frees them. Returns 0 or -errno. */
int proc_numbers(const struct sysroot *root, const char *path, pid_t **ret_numbers, size_t *ret_count);

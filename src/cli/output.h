/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that prints. Results go to standard output or --output FILE
 * and are known to have arrived; everything else is one line on stderr.
 */
#pragma once

#include "base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct invocation;
struct options;

/*
 * Write a result: to `path`, whole or not at all (a temporary file beside it is renamed over it; a device
 * or pipe is written to as it is), or to standard output when `path` is NULL, flushed and checked.
 */
int output_write(const char *path, const char *data, struct err *err);

/* A regular file that comes to be whole or not at all: under a name of its own until it is committed. */
struct output_file {
	int fd;        /* write here */
	bool nameless; /* until it is whole; `name` is a template as long */
	char *name, *path;
};

#define OUTPUT_FILE_INIT \
	{                \
		.fd = -1 \
	}

/* Begin one; a device or pipe is refused. Returns 0 or -errno. */
int output_open(const char *path, struct output_file *ret_file, struct err *err);

/* Write into it. Returns 0 or -errno. */
int output_put(const struct output_file *file, const char *data, struct err *err);

/* Put it in its place. Returns 0 or -errno, with `file` still to be discarded. */
int output_commit(struct output_file *file, struct err *err);

void output_discard(struct output_file *file);
#define cleanup_output_file cleanup_(output_discard)

/* As output_write() with the command's --output; returns the command's exit code. `data` NULL: memory ran out. */
int output_result(const struct invocation *invocation, const char *data);

/*
 * As output_result(), with a picture for --svg FILE written first, whole or not at all. With "--svg -" the picture
 * takes standard output, and `data` is written to --output FILE alone. `svg` is only looked at when --svg was given.
 */
int output_with_picture(const struct invocation *invocation, const char *svg, const char *data);

/* -EINVAL and one line when --svg and the result would get into the same file. */
int output_check_picture(const struct options *options, struct err *err);

/* One line on stderr: "fettle: ...". Control characters are shown as \xNN, so that a line stays one line. */
void output_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* These bytes, as they are, to a descriptor. Returns 0 or -errno. */
int output_bytes(int fd, const char *bytes, size_t length);

/* Say what failed, in one line, with its hint; returns `exit_code`. */
int output_failure(int exit_code, const struct err *err);

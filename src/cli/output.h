/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place that prints. Results go to standard output or --output FILE
 * and are known to have arrived; everything else is one line on stderr.
 */
#pragma once

struct err;
struct invocation;

/*
 * Write a result: to `path`, whole or not at all (a temporary file beside it is renamed over it; a device
 * or pipe is written to as it is), or to standard output when `path` is NULL, flushed and checked.
 */
int output_write(const char *path, const char *data, struct err *err);

/* As output_write() with the command's --output; returns the command's exit code. `data` NULL: memory ran out. */
int output_result(const struct invocation *invocation, const char *data);

/* One line on stderr: "fettle: ...". Control characters are shown as \xNN, so that a line stays one line. */
void output_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Say what failed, in one line, with its hint; returns `exit_code`. */
int output_failure(int exit_code, const struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What went wrong, in words a user can act on.
 *
 * A fallible function takes a `struct err *` last and returns 0 or -errno.
 * On failure it fills the error and leaves its outputs untouched; on success
 * it leaves the error untouched. The struct is fixed text on the caller's
 * stack: reporting a failure allocates nothing. Only cli prints it.
 */
#pragma once

#include <errno.h>

struct err {
	int code;       /* -errno of the first failure */
	char text[768]; /* what failed and why; lower case, no full stop */
	char hint[256]; /* what the user can do; may be empty */
};

/* Record a failure. `code` is a negative errno; returns `code`. */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and the errno's own words appended. */
int err_errno(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Put context in front of a recorded failure: "context: old text". Returns err->code. */
int err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Say what the user can do about a recorded failure. Returns err->code. */
int err_hint(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Memory ran out. Returns -ENOMEM. */
int err_nomem(struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment as the program would see it, were it not for fettle, and the question that a search for its libraries
 * is asked with it.
 */
#pragma once

#include "base/sysroot.h"
#include "base/text.h"
#include "target/libraries.h"

struct decision;
struct err;

struct seen {
	const char **environment; /* NULL-terminated; the texts are borrowed */
	struct text preload;      /* one of them */
	struct sysroot root;
	char *folder;
	struct libraries_request request; /* about the decision's program, of this machine; borrows from all of these */
};

#define SEEN_INIT                    \
	{                            \
		.root = SYSROOT_INIT \
	}

/*
 * What --set, --unset and the user's own preloads make of the environment. `words`: the program and its arguments,
 * NULL-terminated. Returns 0 and what seen_clear() frees, or -errno.
 */
int seen_init(const struct decision *decision, char *const *words, struct seen *seen, struct err *err);

void seen_clear(struct seen *seen);
#define cleanup_seen cleanup_(seen_clear)

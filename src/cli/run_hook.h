/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hook for PyTorch did in a supervised run: where it tells it is made before the start, and read and shown
 * when all is over.
 */
#pragma once

#include "observe/hook_file.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct options;
struct start;

struct run_hook {
	bool asked;            /* for this instance: it has the hook, and somebody wants to know */
	struct hook_file file; /* without a descriptor: it could not be made */
	json_t *told;          /* at the end; NULL: not known */
};

struct run_hooks {
	struct run_hook *items; /* one a child; NULL: nobody asks */
	size_t count;
};

/* Prepare: the children's environments are told. Returns 0 or -ENOMEM; free with run_hooks_clear(), whatever comes. */
int run_hooks_begin(const struct options *options, const struct start *start, struct run_hooks *ret_hooks,
		    struct err *err);
void run_hooks_clear(struct run_hooks *hooks);

/* All is over: read what was told, and show its lines where -v or --verify wants them. Returns 0 or -ENOMEM. */
int run_hooks_finish(struct run_hooks *hooks, const struct options *options, const struct start *start,
		     struct err *err);

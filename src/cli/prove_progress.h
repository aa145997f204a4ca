/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bar on the terminal while measurements go on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct options;
struct prove_session;

struct prove_progress {
	bool wanted, shown;
	double budget_s;
};

void prove_progress_init(struct prove_progress *progress, const struct options *options, double budget_s);

/* Draw it: what is decided, where it is, how much time is left at most. */
void prove_progress_draw(struct prove_progress *progress, const struct prove_session *session, const char *workload,
			 size_t block, double left_s);

/* Take it away before anything else is written. */
void prove_progress_clear(struct prove_progress *progress);

/* The bar as text, for `width` columns. Pure; `done` of `all`, `left_s` of `budget_s`. */
void prove_progress_bar(size_t done, size_t all, double left_s, double budget_s, const char *workload, size_t block,
			char *ret_line, size_t size);

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prove_progress.h"

#include "cli/prove_session.h"
#include "joint/options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR_WIDTH = 24 };

void prove_progress_init(struct prove_progress *progress, const struct options *options, double budget_s)
{
	const char *term = getenv("TERM");

	*progress = (struct prove_progress){
		.wanted = !options->quiet && isatty(STDERR_FILENO) == 1 && term && *term && strcmp(term, "dumb") != 0,
		.budget_s = budget_s,
	};
}

/* One that cannot be written is none: it says nothing that anybody needs. */
static void put(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		return;
}

void prove_progress_bar(size_t done, size_t all, double left_s, double budget_s, const char *workload, size_t block,
			char *ret_line, size_t size)
{
	const double by_count = all ? (double)done / (double)all : 1,
		     by_time = budget_s > 0 ? 1 - left_s / budget_s : 1;
	const size_t filled = (size_t)(BAR_WIDTH * fmax(by_count, by_time));
	const unsigned long left = (unsigned long)ceil(left_s);
	char bar[BAR_WIDTH + 1], where[32];

	memset(bar, '.', BAR_WIDTH);
	memset(bar, '#', filled < BAR_WIDTH ? filled : BAR_WIDTH);
	bar[BAR_WIDTH] = '\0';
	if (block)
		(void)snprintf(where, sizeof(where), "block %zu", block);
	else
		(void)snprintf(where, sizeof(where), "warm-up");
	(void)snprintf(ret_line, size, "[%s] %zu of %zu decided, %.12s %s, at most %lu:%02lu left", bar, done, all,
		       workload, where, left / 60, left % 60);
}

void prove_progress_draw(struct prove_progress *progress, const struct prove_session *session, const char *workload,
			 size_t block, double left_s)
{
	char line[160];
	size_t done = 0;

	if (!progress->wanted || tcgetpgrp(STDERR_FILENO) != getpgrp())
		return;
	for (size_t i = 0; i < session->count; i++)
		done += !session->entries[i].trial.open;
	prove_progress_bar(done, session->count, left_s, progress->budget_s, workload, block, line, sizeof(line));
	put("\r\033[K");
	put(line);
	progress->shown = true;
}

void prove_progress_clear(struct prove_progress *progress)
{
	if (progress->shown)
		put("\r\033[K");
	progress->shown = false;
}

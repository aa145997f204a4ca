/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include "launch/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void progress_init(struct progress *progress, bool wanted)
{
	const char *term = getenv("TERM");

	*progress = (struct progress){ .wanted = wanted && term && *term && strcmp(term, "dumb") != 0,
				       .begin_ns = clock_now_ns() };
}

/* One that cannot be written is none: it says nothing that anybody needs. */
static void put(const char *text, int length)
{
	if (write(STDERR_FILENO, text, (size_t)length) < 0)
		return;
}

void progress_draw(struct progress *progress, size_t running, size_t count, unsigned restarts)
{
	const unsigned long long s = (clock_now_ns() - progress->begin_ns) / 1000000000U;
	char line[96], again[32] = "";
	int length;

	if (!progress->wanted || tcgetpgrp(STDERR_FILENO) != getpgrp())
		return;
	if (restarts)
		(void)snprintf(again, sizeof(again), ", %u restart%s", restarts, restarts == 1 ? "" : "s");
	length = snprintf(line, sizeof(line), "\r\033[Kfettle: %zu of %zu run, %llu:%02llu%s", running, count, s / 60,
			  s % 60, again);
	put(line, length);
	progress->shown = true;
}

void progress_clear(struct progress *progress)
{
	static const char gone[] = "\r\033[K";

	if (progress->shown)
		put(gone, sizeof(gone) - 1);
	progress->shown = false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line on the terminal that says how far a run is, taken away before anything else is written there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRESS_MS = 1000 };

struct progress {
	bool wanted; /* stderr is a terminal that can take a line away again */
	bool shown;
	uint64_t begin_ns;
};

void progress_init(struct progress *progress, bool wanted);

/* Draw it, unless another job has the terminal. */
void progress_draw(struct progress *progress, size_t running, size_t count, unsigned restarts);

void progress_clear(struct progress *progress);

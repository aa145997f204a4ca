/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the CPU quota of a control group, or of one above it, has held its processes back: counters to be read at
 * two moments. Cheap: files are found once and read where they are open.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sysroot;

enum { THROTTLE_LEVELS = 8 };

struct throttle {
	struct {
		int fd;
		char *path;        /* owned */
	} levels[THROTTLE_LEVELS]; /* from the process's own group upwards */
	size_t count;              /* 0: no group counts, or none was found */
	bool unified;
};

struct throttle_counts {
	uint64_t periods[THROTTLE_LEVELS], ns[THROTTLE_LEVELS];
};

/* Find the groups of the calling process. Returns 0, also where there are none, or -ENOMEM. */
int throttle_open(const struct sysroot *root, struct throttle *ret_throttle);
void throttle_close(struct throttle *throttle);

/* Read them all; what cannot be read counts as it did before, in `counts`. */
void throttle_read(const struct throttle *throttle, struct throttle_counts *counts);

/*
 * Between two readings: in how many periods the group that held most was throttled, for how many ns its threads stood
 * still, added up, and which file says so. False: nobody counts.
 */
bool throttle_between(const struct throttle *throttle, const struct throttle_counts *before,
		      const struct throttle_counts *after, uint64_t *ret_periods, uint64_t *ret_ns,
		      const char **ret_path);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mounts this process sees, from /proc/self/mountinfo.
 */
#pragma once

#include <stddef.h>

struct sysroot;

#define MOUNTS_FILE "/proc/self/mountinfo"

struct mount {
	const char *root;    /* which directory of the file system is mounted */
	const char *point;   /* where */
	const char *type;    /* file system type */
	const char *options; /* of the file system itself: v1 cgroups name their controllers here */
};

struct mounts {
	struct mount *items; /* the latest mount of each place first */
	size_t count, capacity;
	char *text; /* what the items point into */
};

/*
 * Read them; places mounted over by a later mount are left out. Lines that are not understood
 * are skipped. Returns 0, -ENOMEM, or sysroot_read's -errno.
 */
int mounts_read(const struct sysroot *root, struct mounts *ret_mounts);

void mounts_clear(struct mounts *mounts);
#define cleanup_mounts cleanup_(mounts_clear)

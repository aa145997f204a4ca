/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fettle-archive: reads and writes tar archives for fettle, see base/archive_wire.h.
 */
#pragma once

struct err;

/*
 * Unpack the archive on descriptor `fd` below the folder `dir_fd`: regular files, folders, and links that stay
 * inside; anything else is left out. Returns 0, or -errno with the reason for a damaged or hostile archive.
 */
int unpack(int fd, int dir_fd, struct err *err);

/* Write the records of the wire into an archive on `fd`; `filter` is none, gzip, bzip2 or xz. Returns 0 or -errno. */
int pack(const char *filter, int wire_fd, int fd, struct err *err);

/*
 * Carry out an unpacking in a child with limits, answer on the wire, wait for the wire to close, and remove
 * what was unpacked. Returns the exit code.
 */
int guard_unpacking(void);

/* Write the answer to the wire. */
void answer(const char *word, const char *text);

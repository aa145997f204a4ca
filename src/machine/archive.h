/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives of captured machines, through the helper that knows libarchive (base/archive_wire.h).
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;

/* A running helper. */
struct archive_helper {
	int wire; /* -1: none */
	pid_t pid;
};

#define ARCHIVE_HELPER_INIT \
	{                   \
		.wire = -1  \
	}

/* How the file name's ending says to compress: "none", "gzip", "bzip2" or "xz". NULL: not an archive's name. */
const char *archive_filter(const char *path);

/*
 * Unpack the archive open on `fd` into a new private folder, `*ret_dir` (the caller frees the text). The folder goes
 * with archive_close(), or when this process ends. Returns 0, or -errno with the reason, without the archive's name.
 */
int archive_unpack(int fd, struct archive_helper *ret_helper, char **ret_dir, struct err *err);

/* Begin an archive on `fd`. */
int archive_create(int fd, const char *filter, struct archive_helper *ret_helper, struct err *err);

/* Add a file, or a link (`target` instead of bytes). */
int archive_add_file(struct archive_helper *helper, const char *path, const void *bytes, size_t length,
		     struct err *err);
int archive_add_link(struct archive_helper *helper, const char *path, const char *target, struct err *err);

/* All is added: finish the archive. Returns 0 or -errno with the reason. */
int archive_finish(struct archive_helper *helper, struct err *err);

/* End the helper, waiting until its folder is gone. */
void archive_close(struct archive_helper *helper);
#define cleanup_archive cleanup_(archive_close)

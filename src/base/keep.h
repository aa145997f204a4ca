/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was costly to find out, remembered between two starts of fettle. What is kept is handed out only under the very
 * key it was stored with: whatever may change it belongs into the key.
 *
 * The folder holds a few files of each kind, each named by its key's hash, so that hosts that share a home folder do
 * not get in each other's way and old boots leave nothing behind for long. It and its files must be ours and writable
 * by nobody else.
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>

struct kept {
	const char *bytes; /* in `file` */
	size_t length;
	char *file; /* owned */
};

static inline void kept_clear(struct kept *kept)
{
	free(kept->file);
}
#define cleanup_kept cleanup_(kept_clear)

/*
 * Find what was kept in `folder` under `key`, text; `kind` is a short word, the beginning of the file's name. Returns 0
 * and what kept_clear() frees; -ENOENT: nothing is kept; -EPERM: folder or file is another's, or another may write to
 * it; -ESTALE: it was stored with another key; -EBADMSG: it is torn; -ENOMEM or the errno of a failed read.
 */
int keep_load(const char *folder, const char *kind, const char *key, struct kept *ret_kept);

/* Keep it, making the folder (0700) if need be; a reader sees the old file or the whole new one. Returns 0 or -errno.
 */
int keep_store(const char *folder, const char *kind, const char *key, const char *bytes, size_t length);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and folders that the target would meet, below a root that can be
 * moved: "/" on the machine itself, a prepared tree in a test. Paths are whole
 * ("/usr/lib"). Looks, and never writes or runs anything.
 */
#pragma once

#include "base/sysroot.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct words;

/* Two paths are one file when these are equal. */
struct tree_id {
	dev_t device;
	ino_t file;
};

bool tree_is_folder(const struct sysroot *root, const char *path);
bool tree_is_file(const struct sysroot *root, const char *path);

/*
 * Open a regular file for reading. Returns a descriptor, or -errno (-ENOENT, -EACCES ...; -EINVAL: not a regular
 * file). `ret_id` may be NULL.
 */
int tree_open(const struct sysroot *root, const char *path, struct tree_id *ret_id);

/*
 * Read a whole regular file of at most `most` bytes. Returns 0 or -errno (-EFBIG: larger). The caller frees
 * `*ret_bytes`, which has a NUL behind the last byte.
 */
int tree_read(const struct sysroot *root, const char *path, size_t most, char **ret_bytes, size_t *ret_length);

/* Read the first bytes of a regular file, at most `size`. Returns their number or -errno. */
ssize_t tree_read_head(const struct sysroot *root, const char *path, char *buffer, size_t size);

/*
 * Append the names in a folder, those that begin with a dot only if `hidden`, in the order of their bytes. A folder of
 * thousands of names is read as far as TREE_NAMES_MAX. Returns 0 or -errno (-ENOENT, -ENOTDIR ...).
 */
enum { TREE_NAMES_MAX = 65536 };
int tree_names(const struct sysroot *root, const char *folder, bool hidden, struct words *names);

/* The path of the same file without links, as seen below the root. Returns 0 or -errno. The caller frees it. */
int tree_real_path(const struct sysroot *root, const char *path, char **ret_path);

/* "/a/b" of "/a/b/c", "/" of "/a"; "." of a name alone. The caller frees it; NULL when memory ran out. */
char *tree_parent(const char *path);

/* What follows the last slash. */
const char *tree_name(const char *path);

/* "folder/name". `name` may hold slashes. The caller frees it; NULL when memory ran out. */
char *tree_join(const char *folder, const char *name);

/* `path`, seen from `folder` unless it is whole already, without "./" in front. The caller frees it; NULL when memory
 * ran out. */
char *tree_whole(const char *folder, const char *path);

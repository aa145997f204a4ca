/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads kernel files below a root that can be moved: "/" on the machine
 * itself, a directory of captured files for any other. Every read of /proc,
 * /sys and the cgroup file systems goes through here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Told of each path that is to be opened, there or not, before it is. */
struct sysroot_watch {
	void (*opens)(struct sysroot_watch *watch, const char *path);
};

struct sysroot {
	int fd;                      /* directory the paths are relative to */
	bool live;                   /* this is "/", the running machine */
	char *path;                  /* for messages; owned */
	struct sysroot_watch *watch; /* NULL: nobody wants to know; borrowed */
};

#define SYSROOT_INIT     \
	{                \
		.fd = -1 \
	}

/* Open `path` ("/" for the machine itself). Close with sysroot_close(). */
int sysroot_open(struct sysroot *root, const char *path, struct err *err);

void sysroot_close(struct sysroot *root);
#define cleanup_sysroot cleanup_(sysroot_close)

/*
 * Open a file below the root for reading, close-on-exec. `path` may begin
 * with '/'; below a captured root it never leaves the root, symbolic links
 * included. Returns a descriptor or -errno.
 */
int sysroot_open_file(const struct sysroot *root, const char *path);

/* Is there a folder, though perhaps one we may not list? Stays below the root as sysroot_open_file() does. */
bool sysroot_has_folder(const struct sysroot *root, const char *path);

/*
 * Read a whole file as text, without its trailing newlines and blanks. At most
 * 1 MiB is read: kernel files are small, and a hostile capture must not eat memory.
 * Returns 0 or -errno (-ENOENT absent, -EACCES denied, -EFBIG too large).
 * The caller frees `*ret_text`.
 */
int sysroot_read(const struct sysroot *root, const char *path, char **ret_text);

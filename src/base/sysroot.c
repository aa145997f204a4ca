/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sysroot.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

enum { FILE_MAX_BYTES = 1 << 20 };

int sysroot_open(struct sysroot *root, const char *path, struct err *err)
{
	cleanup_free char *copy = strdup(path);
	cleanup_close int fd = -1;

	if (!copy)
		return err_nomem(err);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, -errno, "cannot open '%s'", path);
	root->fd = fd;
	root->live = strcmp(path, "/") == 0;
	root->path = TAKE(copy);
	fd = -1;
	return 0;
}

void sysroot_close(struct sysroot *root)
{
	if (root->fd >= 0)
		(void)close(root->fd);
	free(root->path);
	*root = (struct sysroot)SYSROOT_INIT;
}

static int open_below(const struct sysroot *root, const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned)flags, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int fd;

	if (root->watch)
		root->watch->opens(root->watch, path);
	while (*path == '/')
		path++;
	if (root->live)
		fd = openat(root->fd, path, flags);
	else
		fd = (int)syscall(SYS_openat2, root->fd, path, &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

int sysroot_open_file(const struct sysroot *root, const char *path)
{
	/* O_NONBLOCK: a FIFO in a capture must not hang us; kernel files ignore it. */
	return open_below(root, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

bool sysroot_has_folder(const struct sysroot *root, const char *path)
{
	cleanup_close int fd = open_below(root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0;
}

int sysroot_read(const struct sysroot *root, const char *path, char **ret_text)
{
	cleanup_text struct text text = TEXT_INIT;
	cleanup_close int fd = sysroot_open_file(root, path);
	char chunk[4096];
	ssize_t n;
	char *data;

	if (fd < 0)
		return fd;
	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0)
			return -errno;
		text_add_bytes(&text, chunk, (size_t)n);
		if (text.length > FILE_MAX_BYTES)
			return -EFBIG;
	} while (n > 0);
	data = text_take(&text);
	if (!data)
		return -ENOMEM;
	for (size_t length = strlen(data); length && strchr(" \t\n", data[length - 1]); length--)
		data[length - 1] = '\0';
	*ret_text = data;
	return 0;
}

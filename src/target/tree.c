/* SPDX-License-Identifier: Apache-2.0 */
#include "target/tree.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/words.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* What `path` is, or 0: not there, or not for us to see. */
static mode_t kind_of(const struct sysroot *root, const char *path)
{
	cleanup_close int fd = sysroot_open_file(root, path);
	struct stat status;

	return fd >= 0 && fstat(fd, &status) == 0 ? status.st_mode & S_IFMT : 0;
}

bool tree_is_folder(const struct sysroot *root, const char *path)
{
	return kind_of(root, path) == S_IFDIR;
}

bool tree_is_file(const struct sysroot *root, const char *path)
{
	return kind_of(root, path) == S_IFREG;
}

int tree_open(const struct sysroot *root, const char *path, struct tree_id *ret_id)
{
	cleanup_close int fd = sysroot_open_file(root, path);
	struct stat status;
	int opened;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (ret_id)
		*ret_id = (struct tree_id){ status.st_dev, status.st_ino };
	opened = fd;
	fd = -1;
	return opened;
}

/* At most `size` bytes from the start. */
static ssize_t read_some(int fd, char *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = read(fd, buffer + done, size - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

ssize_t tree_read_head(const struct sysroot *root, const char *path, char *buffer, size_t size)
{
	cleanup_close int fd = tree_open(root, path, NULL);

	return fd < 0 ? fd : read_some(fd, buffer, size);
}

int tree_read(const struct sysroot *root, const char *path, size_t most, char **ret_bytes, size_t *ret_length)
{
	cleanup_close int fd = tree_open(root, path, NULL);
	cleanup_free char *bytes = NULL;
	struct stat status;
	ssize_t length;

	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0)
		return -errno;
	if ((uint64_t)status.st_size > most)
		return -EFBIG;
	/* What grows while it is read is cut off: the next reading will see it whole. */
	bytes = malloc((size_t)status.st_size + 1);
	if (!bytes)
		return -ENOMEM;
	length = read_some(fd, bytes, (size_t)status.st_size);
	if (length < 0)
		return (int)length;
	bytes[length] = '\0';
	*ret_bytes = TAKE(bytes);
	*ret_length = (size_t)length;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int tree_names(const struct sysroot *root, const char *folder, bool hidden, struct words *names)
{
	cleanup_close int fd = sysroot_open_file(root, folder);
	cleanup_dir DIR *stream = NULL;
	const size_t first = names->count;
	const struct dirent *entry;
	unsigned seen = 0;
	int r = 0;

	if (fd < 0)
		return fd;
	stream = fdopendir(fd);
	if (!stream)
		return -errno;
	fd = -1;
	while (r == 0 && seen++ < TREE_NAMES_MAX && (entry = readdir(stream))) {
		if (hidden || entry->d_name[0] != '.')
			r = words_add(names, entry->d_name);
	}
	/* The order on the disk is nobody's: the same tree must give the same answer. */
	if (names->count > first)
		qsort(names->items + first, names->count - first, sizeof(*names->items), compare_names);
	return r;
}

/* Where the kernel says the open file is. */
static int path_of(int fd, char ret_real[PATH_MAX])
{
	char magic[32];
	ssize_t length;

	(void)snprintf(magic, sizeof(magic), "/proc/self/fd/%d", fd);
	length = readlink(magic, ret_real, PATH_MAX - 1);
	if (length < 0)
		return -errno;
	ret_real[length] = '\0';
	return 0;
}

int tree_real_path(const struct sysroot *root, const char *path, char **ret_path)
{
	cleanup_close int fd = sysroot_open_file(root, path);
	char real[PATH_MAX], top[PATH_MAX];
	size_t length;
	char *copy;
	int r;

	if (fd < 0)
		return fd;
	r = path_of(fd, real);
	if (r == 0)
		r = path_of(root->fd, top);
	if (r < 0)
		return r;
	length = strcmp(top, "/") == 0 ? 0 : strlen(top);
	if (strncmp(real, top, length) != 0 || real[length] != '/')
		return -EXDEV;
	copy = strdup(real + length);
	if (!copy)
		return -ENOMEM;
	*ret_path = copy;
	return 0;
}

char *tree_parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

const char *tree_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *tree_join(const char *folder, const char *name)
{
	cleanup_text struct text text = TEXT_INIT;
	const size_t length = strlen(folder);

	text_add(&text, "%s%s%s", folder, length && folder[length - 1] == '/' ? "" : "/", name);
	return text_take(&text);
}

char *tree_whole(const char *folder, const char *path)
{
	if (*path == '/')
		return strdup(path);
	while (strncmp(path, "./", 2) == 0) {
		path += 2;
		path += strspn(path, "/");
	}
	return tree_join(folder, path);
}

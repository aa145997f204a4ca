/* SPDX-License-Identifier: Apache-2.0 */
#include "base/keep.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

enum {
	SLOTS = 16,              /* files of a kind in the folder at most */
	FILE_MAX_BYTES = 8 << 20 /* the topology of 8192 CPUs takes 2 MiB */
};

/* A file: this, the key, the bytes. */
struct header {
	char magic[8];
	uint64_t key_length;
	uint64_t bytes_length;
	uint64_t sum; /* of key and bytes */
};

static const char MAGIC[8] = "fettle\n\1";

/* FNV-1a with 64 bits (RFC 9923): against torn files, not against people. */
static uint64_t hash(const char *bytes, size_t length)
{
	uint64_t sum = 0xcbf29ce484222325;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ (unsigned char)bytes[i]) * 0x100000001b3;
	return sum;
}

static void slot_name(const char *kind, const char *key, char name[32])
{
	(void)snprintf(name, 32, "%s-%x", kind, (unsigned)(hash(key, strlen(key)) % SLOTS));
}

static bool is_ours(const struct stat *status)
{
	return status->st_uid == geteuid() && !(status->st_mode & (S_IWGRP | S_IWOTH));
}

/* The folder as a descriptor, or -errno; -EPERM when we must not trust it. */
static int open_folder(const char *folder)
{
	cleanup_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	int kept;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!is_ours(&status))
		return -EPERM;
	kept = fd;
	fd = -1;
	return kept;
}

/* The slot's file, whole. */
static int read_slot(const char *folder, const char *name, char **ret_bytes, size_t *ret_length)
{
	cleanup_close int dir = open_folder(folder), fd = -1;
	cleanup_free char *bytes = NULL;
	struct stat status;
	ssize_t n;

	if (dir < 0)
		return dir;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || !is_ours(&status))
		return -EPERM;
	if (status.st_size < (off_t)sizeof(struct header) || status.st_size > FILE_MAX_BYTES)
		return -EBADMSG;
	bytes = malloc((size_t)status.st_size);
	if (!bytes)
		return -ENOMEM;
	n = read(fd, bytes, (size_t)status.st_size);
	if (n < 0)
		return -errno;
	if (n != (ssize_t)status.st_size)
		return -EBADMSG;
	*ret_bytes = TAKE(bytes);
	*ret_length = (size_t)n;
	return 0;
}

int keep_load(const char *folder, const char *kind, const char *key, struct kept *ret_kept)
{
	cleanup_free char *file = NULL;
	struct header header;
	const char *content;
	size_t length = 0;
	char name[32];
	int r;

	slot_name(kind, key, name);
	r = read_slot(folder, name, &file, &length);
	if (r < 0)
		return r;
	if (!file || length < sizeof(header))
		return -EBADMSG;
	memcpy(&header, file, sizeof(header));
	content = file + sizeof(header);
	length -= sizeof(header);
	if (memcmp(header.magic, MAGIC, sizeof(MAGIC)) != 0 || header.key_length > length ||
	    header.bytes_length != length - header.key_length || header.sum != hash(content, length))
		return -EBADMSG;
	if (header.key_length != strlen(key) || memcmp(content, key, header.key_length) != 0)
		return -ESTALE;
	ret_kept->bytes = content + header.key_length;
	ret_kept->length = header.bytes_length;
	ret_kept->file = TAKE(file);
	return 0;
}

/* Make `folder` in a place of our own: under sudo with the user's HOME nothing of root's may stay there. */
static int make_folder(const char *folder)
{
	cleanup_free char *parent = strdup(folder);
	char *slash = parent ? strrchr(parent, '/') : NULL;
	struct stat status;

	if (!slash || slash == parent)
		return parent ? -EPERM : -ENOMEM;
	*slash = '\0';
	if (stat(parent, &status) < 0) {
		int r = errno == ENOENT && strrchr(parent, '/') ? make_folder(parent) : -errno;

		if (r < 0 || stat(parent, &status) < 0)
			return r < 0 ? r : -errno;
	}
	if (status.st_uid != geteuid())
		return -EPERM;
	return mkdir(folder, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int write_all(int fd, const char *bytes, size_t length)
{
	while (length) {
		const ssize_t n = write(fd, bytes, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

static int write_slot(int dir, const char *name, const struct text *file)
{
	char temporary[64];
	cleanup_close int fd = -1;
	int r;

	(void)snprintf(temporary, sizeof(temporary), ".%s.%ld", name, (long)getpid());
	fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, file->data, file->length);
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dir, temporary, 0);
	return r;
}

int keep_store(const char *folder, const char *kind, const char *key, const char *bytes, size_t length)
{
	struct header header = { .key_length = strlen(key), .bytes_length = length };
	cleanup_text struct text file = TEXT_INIT;
	cleanup_close int dir = -1;
	char name[32];
	int r;

	text_add_bytes(&file, (const char *)&header, sizeof(header));
	text_add_bytes(&file, key, header.key_length);
	text_add_bytes(&file, bytes, length);
	if (file.failed)
		return -ENOMEM;
	memcpy(header.magic, MAGIC, sizeof(MAGIC));
	header.sum = hash(file.data + sizeof(header), file.length - sizeof(header));
	memcpy(file.data, &header, sizeof(header));
	dir = open_folder(folder);
	if (dir == -ENOENT) {
		r = make_folder(folder);
		if (r < 0)
			return r;
		dir = open_folder(folder);
	}
	if (dir < 0)
		return dir;
	slot_name(kind, key, name);
	return write_slot(dir, name, &file);
}

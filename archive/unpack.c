/* SPDX-License-Identifier: Apache-2.0 */
#include "helper.h"

#include "base/archive_wire.h"
#include "base/cleanup.h"
#include "base/err.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { BLOCK_BYTES = 65536 };

static void cleanup_read_(struct archive **archive)
{
	if (*archive)
		(void)archive_read_free(*archive);
}
#define cleanup_read cleanup_(cleanup_read_)

struct unpacking {
	struct archive *archive;
	int dir_fd;
	uint64_t entries, bytes;
	struct err *err;
};

/* "a/./b//c" and "./a/b/" as "a/b/c" and "a/b", in `ret_clean`. False: it would leave the folder, or is too long. */
static bool clean_path(const char *path, char ret_clean[ARCHIVE_MAX_PATH])
{
	size_t used = 0;

	if (*path == '/')
		return false;
	while (*path) {
		const size_t length = strcspn(path, "/");

		if (length == 2 && memcmp(path, "..", 2) == 0)
			return false;
		if (length && !(length == 1 && *path == '.')) {
			if (used + length + 2 > ARCHIVE_MAX_PATH)
				return false;
			if (used)
				ret_clean[used++] = '/';
			memcpy(ret_clean + used, path, length);
			used += length;
		}
		path += length;
		path += *path == '/';
	}
	ret_clean[used] = '\0';
	return true;
}

/*
 * Whether a link at `path` leads somewhere inside. Only leading ".." are taken: the folders above the link are real
 * ones, while one further on in the target might be another link that leads up.
 */
static bool stays_inside(const char *path, const char *target)
{
	size_t depth = 0;

	if (!*target || *target == '/')
		return false;
	for (const char *c = path; *c; c++)
		depth += *c == '/';
	while (strncmp(target, "..", 2) == 0 && (target[2] == '/' || !target[2])) {
		if (depth-- == 0)
			return false;
		target += 2;
		target += strspn(target, "/");
	}
	while (*target) {
		const size_t length = strcspn(target, "/");

		if (length == 2 && memcmp(target, "..", 2) == 0)
			return false;
		target += length;
		target += *target == '/';
	}
	return true;
}

/* Open a folder below ours, never through a link. */
static int open_folder(const struct unpacking *unpacking, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };

	return (int)syscall(SYS_openat2, unpacking->dir_fd, *path ? path : ".", &how, sizeof(how));
}

/* The folder `path`, made with all above it; -1 where a file or a link is in the way. */
static int make_folder(const struct unpacking *unpacking, char *path)
{
	int fd = open_folder(unpacking, path);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	for (char *slash = strchr(path, '/');; slash = strchr(slash + 1, '/')) {
		char *name;
		int parent;

		if (slash)
			*slash = '\0';
		/* Each level is opened again: nothing but folders may stand on the way. */
		name = strrchr(path, '/');
		if (name)
			*name = '\0';
		parent = open_folder(unpacking, name ? path : "");
		if (name)
			*name = '/';
		if (parent >= 0) {
			(void)mkdirat(parent, name ? name + 1 : path, 0700);
			(void)close(parent);
		}
		if (!slash)
			return open_folder(unpacking, path);
		*slash = '/';
		if (parent < 0)
			return -1;
	}
}

static int damaged(struct unpacking *unpacking)
{
	const char *const why = archive_error_string(unpacking->archive);

	return err_set(unpacking->err, -EINVAL, "damaged: %.200s", why ? why : "no archive");
}

static int too_large(struct unpacking *unpacking)
{
	return err_set(unpacking->err, -EFBIG, "it unpacks to more than any machine's files");
}

/* Only what has data is written: a sparse file's holes cost nothing. */
static int write_data(struct unpacking *unpacking, int fd)
{
	for (;;) {
		const void *block;
		size_t length;
		la_int64_t offset;
		const int r = archive_read_data_block(unpacking->archive, &block, &length, &offset);

		if (r == ARCHIVE_EOF)
			return 0;
		if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
			return damaged(unpacking);
		unpacking->bytes += length;
		if (offset < 0 || offset > ARCHIVE_MAX_FILE_BYTES || length > ARCHIVE_MAX_FILE_BYTES ||
		    (uint64_t)offset + length > ARCHIVE_MAX_FILE_BYTES || unpacking->bytes > ARCHIVE_MAX_TOTAL_BYTES)
			return too_large(unpacking);
		while (length) {
			const ssize_t n = pwrite(fd, block, length, offset);

			if (n < 0)
				return err_errno(unpacking->err, -errno, "cannot write what it holds");
			block = (const char *)block + n;
			offset += n;
			length -= (size_t)n;
		}
	}
}

/* Twice the same name: the first stays. A name below a link or a file: left out. */
static int take_file(struct unpacking *unpacking, struct archive_entry *entry, char *path)
{
	char *const slash = strrchr(path, '/');
	cleanup_close int folder = -1, fd = -1;

	if (archive_entry_size(entry) > ARCHIVE_MAX_FILE_BYTES)
		return too_large(unpacking);
	if (slash)
		*slash = '\0';
	folder = make_folder(unpacking, slash ? path : path + strlen(path));
	if (slash)
		*slash = '/';
	if (folder < 0)
		return 0;
	fd = openat(folder, slash ? slash + 1 : path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno != EEXIST)
		return err_errno(unpacking->err, -errno, "cannot write what it holds");
	return fd < 0 ? 0 : write_data(unpacking, fd);
}

static int take_link(struct unpacking *unpacking, const char *target, char *path)
{
	char *const slash = strrchr(path, '/');
	cleanup_close int folder = -1;

	if (!target || strlen(target) >= ARCHIVE_MAX_PATH || !stays_inside(path, target))
		return 0;
	if (slash)
		*slash = '\0';
	folder = make_folder(unpacking, slash ? path : path + strlen(path));
	if (folder >= 0)
		(void)symlinkat(target, folder, slash ? slash + 1 : path);
	return 0;
}

static int take_folder(struct unpacking *unpacking, char *path)
{
	const int fd = make_folder(unpacking, path);

	if (fd >= 0)
		(void)close(fd);
	return 0;
}

/*
 * Folders that say nothing we or hwloc ask of a machine; they are more than half the files of many captures. Prefixes
 * of a component.
 */
static bool is_unused(const char *path)
{
	static const char *const unused[] = { "power/", "cpuidle/", "thermal_throttle/", "microcode/", "pci", "class/",
					      "block/", "irq/" };

	for (const char *part = path; part; part = strchr(part, '/')) {
		part += *part == '/';
		for (size_t i = 0; i < ARRAY_SIZE(unused); i++) {
			if (strncmp(part, unused[i], strlen(unused[i])) == 0)
				return true;
		}
	}
	return false;
}

static int take_entry(struct unpacking *unpacking, struct archive_entry *entry)
{
	const char *const name = archive_entry_pathname(entry);
	char path[ARCHIVE_MAX_PATH];

	if (++unpacking->entries > ARCHIVE_MAX_ENTRIES)
		return too_large(unpacking);
	if (!name)
		return 0;
	if (!clean_path(name, path))
		return err_set(unpacking->err, -EINVAL, "hostile: the name '%.100s' leaves its folder or is too long",
			       name);
	if (!*path || archive_entry_hardlink(entry) || is_unused(path))
		return 0;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return take_file(unpacking, entry, path);
	case AE_IFDIR:
		return take_folder(unpacking, path);
	case AE_IFLNK:
		return take_link(unpacking, archive_entry_symlink(entry), path);
	default: /* devices, FIFOs, sockets */
		return 0;
	}
}

static struct archive *open_archive(int fd)
{
	struct archive *archive = archive_read_new();

	if (!archive)
		return NULL;
	if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_bzip2(archive) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(archive) != ARCHIVE_OK) {
		(void)archive_read_free(archive);
		return NULL;
	}
	/* An error here is seen again at the first header. */
	(void)archive_read_open_fd(archive, fd, BLOCK_BYTES);
	return archive;
}

int unpack(int fd, int dir_fd, struct err *err)
{
	cleanup_read struct archive *archive = open_archive(fd);
	struct unpacking unpacking = { .archive = archive, .dir_fd = dir_fd, .err = err };
	int r = 0;

	if (!archive)
		return err_set(err, -EINVAL, "libarchive cannot read gzip, bzip2 and xz here");
	while (r == 0) {
		struct archive_entry *entry;
		const int said = archive_read_next_header(archive, &entry);

		if (said == ARCHIVE_EOF)
			break;
		if (said != ARCHIVE_OK && said != ARCHIVE_WARN)
			return damaged(&unpacking);
		r = take_entry(&unpacking, entry);
	}
	return r;
}

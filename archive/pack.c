/* SPDX-License-Identifier: Apache-2.0 */
#include "helper.h"

#include "base/archive_wire.h"
#include "base/cleanup.h"
#include "base/err.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <string.h>

static void cleanup_write_(struct archive **archive)
{
	if (*archive)
		(void)archive_write_free(*archive);
}
#define cleanup_write cleanup_(cleanup_write_)

static void cleanup_entry_(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}
#define cleanup_entry cleanup_(cleanup_entry_)

static int add_xz(struct archive *archive)
{
	return archive_write_add_filter_xz(archive);
}

/* Without the time of day: the same machine gives the same bytes. */
static int add_gzip(struct archive *archive)
{
	const int r = archive_write_add_filter_gzip(archive);

	return r == ARCHIVE_OK ? archive_write_set_filter_option(archive, "gzip", "timestamp", NULL) : r;
}

static const struct {
	const char *name;
	int (*add)(struct archive *archive);
} filters[] = {
	{ "none", archive_write_add_filter_none },
	{ "gzip", add_gzip },
	{ "bzip2", archive_write_add_filter_bzip2 },
	{ "xz", add_xz },
};

/* Read exactly `length` bytes. Returns how many there were. */
static size_t read_all(int fd, void *data, size_t length)
{
	size_t done = 0;

	while (done < length) {
		const ssize_t n = read(fd, (char *)data + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

static int failed(struct archive *archive, struct err *err)
{
	const char *const why = archive_error_string(archive);

	return err_set(err, -EIO, "cannot write it: %.200s", why ? why : "no reason is known");
}

static int write_entry(struct archive *archive, const struct archive_record *record, const char *path,
		       const char *content, struct err *err)
{
	cleanup_entry struct archive_entry *entry = archive_entry_new();

	if (!entry)
		return err_nomem(err);
	archive_entry_set_pathname(entry, path);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	archive_entry_set_mtime(entry, 0, 0);
	if (record->type == ARCHIVE_RECORD_LINK) {
		archive_entry_set_filetype(entry, AE_IFLNK);
		archive_entry_set_perm(entry, 0777);
		archive_entry_set_symlink(entry, content);
	} else {
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, (la_int64_t)record->length);
	}
	if (archive_write_header(archive, entry) != ARCHIVE_OK)
		return failed(archive, err);
	if (record->type == ARCHIVE_RECORD_FILE && record->length &&
	    archive_write_data(archive, content, record->length) != (la_ssize_t)record->length)
		return failed(archive, err);
	return 0;
}

static int take_record(struct archive *archive, const struct archive_record *record, int wire_fd, struct err *err)
{
	cleanup_free char *path = NULL, *content = NULL;

	if (record->path_length >= ARCHIVE_MAX_PATH || record->length > ARCHIVE_MAX_FILE_BYTES)
		return err_set(err, -EFBIG, "a record is too long");
	path = calloc(1, record->path_length + 1);
	content = calloc(1, record->length + 1);
	if (!path || !content)
		return err_nomem(err);
	if (read_all(wire_fd, path, record->path_length) != record->path_length ||
	    read_all(wire_fd, content, record->length) != record->length)
		return err_set(err, -EPIPE, "a record was cut off");
	return write_entry(archive, record, path, content, err);
}

static struct archive *open_archive(const char *filter, int fd, struct err *err)
{
	cleanup_write struct archive *archive = archive_write_new();

	if (!archive) {
		(void)err_nomem(err);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		if (strcmp(filters[i].name, filter) != 0)
			continue;
		if (filters[i].add(archive) != ARCHIVE_OK ||
		    archive_write_set_format_pax_restricted(archive) != ARCHIVE_OK ||
		    archive_write_open_fd(archive, fd) != ARCHIVE_OK) {
			(void)failed(archive, err);
			return NULL;
		}
		return TAKE(archive);
	}
	(void)err_set(err, -EINVAL, "'%.40s' is no way to compress", filter);
	return NULL;
}

int pack(const char *filter, int wire_fd, int fd, struct err *err)
{
	cleanup_write struct archive *archive = open_archive(filter, fd, err);
	struct archive_record record;
	size_t length;
	int r = archive ? 0 : err->code;

	while (r == 0 && (length = read_all(wire_fd, &record, sizeof(record))) > 0)
		r = length == sizeof(record) ? take_record(archive, &record, wire_fd, err)
					     : err_set(err, -EPIPE, "a record was cut off");
	if (r == 0 && archive_write_close(archive) != ARCHIVE_OK)
		r = failed(archive, err);
	return r;
}

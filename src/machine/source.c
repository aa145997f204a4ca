/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/source.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

enum { SOURCE_MAX_BYTES = 64 << 20 };

static const char synthetic_prefix[] = "synthetic:";
static const char lscpu_prefix[] = "lscpu:";
static const char forms[] = "live, FILE.xml (hwloc), DIR or FILE.tar (captured), lscpu:FILE or synthetic:TEXT";

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int open_regular(const char *path, int *ret_fd, struct err *err)
{
	/* O_NONBLOCK: opening a FIFO nobody writes to must not wait. */
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_errno(err, -errno, "cannot read machine '%s'", path);
	if (fstat(fd, &st) < 0)
		return err_errno(err, -errno, "cannot read machine '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "cannot read machine '%s': not a regular file", path);
	if (st.st_size > SOURCE_MAX_BYTES)
		return err_set(err, -EFBIG, "cannot read machine '%s': larger than %d MiB", path,
			       SOURCE_MAX_BYTES >> 20);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* Some editors and shells put one in front of UTF-8; it would hide the first line's first word. */
static void drop_byte_order_mark(struct text *text)
{
	static const char mark[] = "\xef\xbb\xbf";
	const size_t length = sizeof(mark) - 1;

	if (text->length < length || memcmp(text->data, mark, length) != 0)
		return;
	text->length -= length;
	memmove(text->data, text->data + length, text->length + 1);
}

/* CR LF ends a line as LF does: hwloc's own reader of XML takes only the latter. */
static void unify_line_ends(struct text *text)
{
	size_t kept = 0;

	for (size_t i = 0; i < text->length; i++) {
		if (text->data[i] != '\r' || text->data[i + 1] != '\n')
			text->data[kept++] = text->data[i];
	}
	if (text->data)
		text->data[kept] = '\0';
	text->length = kept;
}

static int read_all(const char *path, struct text *text, struct err *err)
{
	cleanup_close int fd = -1;
	char chunk[65536];
	ssize_t n;
	int r = open_regular(path, &fd, err);

	if (r < 0)
		return r;
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0)
			return err_errno(err, -errno, "cannot read machine '%s'", path);
		text_add_bytes(text, chunk, (size_t)n);
		/* A file that grows while it is read, or one of /proc whose size says 0. */
		if (text->length > SOURCE_MAX_BYTES)
			return err_set(err, -EFBIG, "cannot read machine '%s': larger than %d MiB", path,
				       SOURCE_MAX_BYTES >> 20);
	}
	drop_byte_order_mark(text);
	unify_line_ends(text);
	return text->failed ? err_nomem(err) : 0;
}

static int read_lscpu(const char *path, struct source *source, struct err *err)
{
	cleanup_text struct text text = TEXT_INIT;
	int r = read_all(path, &text, err);

	if (r < 0)
		return r;
	source->kind = MACHINE_LSCPU;
	source->length = text.length;
	source->bytes = text_take(&text);
	return source->bytes ? 0 : err_nomem(err);
}

/* The file's bytes, once its first one says that they are XML. */
static int read_xml(const char *path, struct source *source, struct err *err)
{
	cleanup_text struct text text = TEXT_INIT;
	int r = read_all(path, &text, err);

	if (r < 0)
		return r;
	if (!text.length || text.data[strspn(text.data, " \t\r\n")] != '<') {
		err_set(err, -EINVAL, "cannot read machine '%s': not an XML file", path);
		return err_hint(err, "%s", forms);
	}
	source->kind = MACHINE_XML;
	source->length = text.length;
	source->bytes = text_take(&text);
	return source->bytes ? 0 : err_nomem(err);
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int take_directory(const char *path, struct source *source, struct err *err)
{
	source->kind = MACHINE_ROOT;
	source->dir = strdup(path);
	return source->dir ? 0 : err_nomem(err);
}

static int unpack(const char *path, struct source *source, struct err *err)
{
	cleanup_close int fd = -1;
	int r = open_regular(path, &fd, err);

	if (r < 0)
		return r;
	source->kind = MACHINE_ROOT;
	r = archive_unpack(fd, &source->helper, &source->dir, err);
	return r < 0 ? err_wrap(err, "cannot read machine '%s'", path) : 0;
}

static int open_path(const char *path, struct source *source, struct err *err)
{
	if (is_directory(path))
		return take_directory(path, source, err);
	return archive_filter(path) ? unpack(path, source, err) : read_xml(path, source, err);
}

int source_open(const char *spec, struct source *ret_source, struct err *err)
{
	cleanup_source struct source source = SOURCE_INIT;
	int r = 0;

	if (!spec)
		spec = "live";
	source.name = strdup(spec);
	if (!source.name)
		return err_nomem(err);
	if (has_prefix(spec, synthetic_prefix)) {
		source.kind = MACHINE_SYNTHETIC;
		source.bytes = strdup(spec + strlen(synthetic_prefix));
		if (!source.bytes)
			return err_nomem(err);
		source.length = strlen(source.bytes);
	} else if (has_prefix(spec, lscpu_prefix)) {
		r = read_lscpu(spec + strlen(lscpu_prefix), &source, err);
	} else if (strcmp(spec, "live") != 0) {
		r = open_path(spec, &source, err);
	}
	if (r < 0)
		return r;
	*ret_source = source;
	source = (struct source)SOURCE_INIT;
	return 0;
}

void source_clear(struct source *source)
{
	free(source->name);
	free(source->bytes);
	free(source->dir);
	archive_close(&source->helper);
	*source = (struct source)SOURCE_INIT;
}

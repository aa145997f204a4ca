/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/command.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int write_all(int fd, const char *data, size_t length)
{
	while (length) {
		const ssize_t n = write(fd, data, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Write and close, so that an error that comes only with close() is seen too. */
static int write_and_close(int *fd, const char *data)
{
	int r = write_all(*fd, data, strlen(data));

	if (close(*fd) < 0 && r == 0)
		r = -errno;
	*fd = -1;
	return r;
}

static int write_in_place(const char *path, const char *data)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : write_and_close(&fd, data);
}

/* The mode a plain open() would have given a new file. */
static mode_t new_file_mode(void)
{
	const mode_t mask = umask(0);

	(void)umask(mask);
	return 0666 & ~mask;
}

/* The name under which /proc knows one of our descriptors. */
static void name_of_fd(int fd, char ret_name[32])
{
	(void)snprintf(ret_name, 32, "/proc/self/fd/%d", fd);
}

/* A file without a name in the folder of `path`: whatever ends us, nothing is left. -1 where that is impossible. */
static int open_nameless(const char *path, mode_t mode)
{
	const char *const slash = strrchr(path, '/');
	cleanup_free char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	cleanup_close int fd = folder ? open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600) : -1;
	char name[32];
	int taken;

	name_of_fd(fd, name);
	if (fd < 0 || access(name, F_OK) < 0 || fchmod(fd, mode) < 0)
		return -1;
	taken = fd;
	fd = -1;
	return taken;
}

/* Give a nameless file this name, which nothing may have. */
static int link_as(const struct output_file *file, const char *name)
{
	char nameless[32];

	name_of_fd(file->fd, nameless);
	return linkat(AT_FDCWD, nameless, AT_FDCWD, name, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* Give it the name that `file->name` is a template of. */
static int give_name(struct output_file *file)
{
	const int fd = mkostemp(file->name, O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	(void)close(fd);
	/* This one was free just now. */
	r = unlink(file->name) < 0 ? -errno : link_as(file, file->name);
	file->nameless = r < 0;
	return r;
}

/* Put it where `path` says. Only in place of another file it has a third name for a moment. */
static int place(struct output_file *file)
{
	int r = file->nameless ? link_as(file, file->path) : -EEXIST;

	if (r == 0)
		return 0;
	r = file->nameless ? give_name(file) : 0;
	if (r == 0 && rename(file->name, file->path) < 0)
		r = -errno;
	return r;
}

/* Begin a file beside `path`, which is a real one or none. */
static int open_beside(char **path, mode_t mode, struct output_file *ret_file, struct err *err)
{
	cleanup_output_file struct output_file file = OUTPUT_FILE_INIT;

	if (asprintf(&file.name, "%s.XXXXXX", *path) < 0) {
		file.name = NULL;
		return err_nomem(err);
	}
	file.fd = open_nameless(*path, mode);
	file.nameless = file.fd >= 0;
	if (!file.nameless)
		file.fd = mkostemp(file.name, O_CLOEXEC);
	if (file.fd < 0 || (!file.nameless && fchmod(file.fd, mode) < 0))
		return err_errno(err, -errno, "cannot write '%s'", *path);
	file.path = TAKE(*path);
	*ret_file = file;
	file = (struct output_file)OUTPUT_FILE_INIT;
	return 0;
}

int output_open(const char *path, struct output_file *ret_file, struct err *err)
{
	cleanup_free char *real = NULL;
	struct stat st;
	mode_t mode = new_file_mode();

	if (stat(path, &st) < 0) {
		real = strdup(path);
	} else if (!S_ISREG(st.st_mode)) {
		return err_set(err, -EINVAL, "cannot write '%s': not a regular file", path);
	} else {
		real = realpath(path, NULL); /* a symbolic link stays one */
		mode = st.st_mode & 0777;
	}
	return real ? open_beside(&real, mode, ret_file, err) : err_nomem(err);
}

int output_put(const struct output_file *file, const char *data, struct err *err)
{
	const int r = write_all(file->fd, data, strlen(data));

	return r < 0 ? err_errno(err, r, "cannot write '%s'", file->path) : 0;
}

int output_commit(struct output_file *file, struct err *err)
{
	/* What a network's file system has against it, it says when one of its descriptors is closed. */
	const int copy = dup(file->fd);
	int r = copy < 0 || close(copy) < 0 ? -errno : 0;

	if (r == 0)
		r = place(file);
	(void)close(file->fd);
	file->fd = -1;
	if (r < 0)
		return err_errno(err, r, "cannot write '%s'", file->path);
	free(file->name);
	file->name = NULL;
	return 0;
}

void output_discard(struct output_file *file)
{
	if (file->fd >= 0)
		(void)close(file->fd);
	if (file->name && !file->nameless)
		(void)unlink(file->name);
	free(file->name);
	free(file->path);
	*file = (struct output_file)OUTPUT_FILE_INIT;
}

int output_write(const char *path, const char *data, struct err *err)
{
	cleanup_output_file struct output_file file = OUTPUT_FILE_INIT;
	struct stat st;
	int r;

	if (!path) {
		r = write_all(STDOUT_FILENO, data, strlen(data));
		return r < 0 ? err_errno(err, r, "cannot write to standard output") : 0;
	}
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_errno(err, -EISDIR, "cannot write '%s'", path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) { /* renaming over /dev/stdout or a pipe would replace it */
		r = write_in_place(path, data);
		return r < 0 ? err_errno(err, r, "cannot write '%s'", path) : 0;
	}
	r = output_open(path, &file, err);
	if (r < 0)
		return r;
	r = output_put(&file, data, err);
	return r < 0 ? r : output_commit(&file, err);
}

int output_result(const struct invocation *invocation, const char *data)
{
	struct err err = { 0 };
	int r = data ? output_write(invocation->options.output, data, &err) : err_nomem(&err);

	return r < 0 ? output_failure(invocation->command->failure, &err) : EXIT_OK;
}

static bool is_stdout(const char *path)
{
	return strcmp(path, "-") == 0;
}

int output_check_picture(const struct options *options, struct err *err)
{
	if (!options->svg)
		return 0;
	if (options->output && strcmp(options->svg, options->output) == 0)
		return err_set(err, -EINVAL, "options '--svg' and '--output' name the same file '%s'", options->svg);
	if (options->json && !options->output && is_stdout(options->svg))
		return err_set(err, -EINVAL,
			       "options '--svg -' and '--json' do not go together without --output: both would be "
			       "standard output");
	return 0;
}

int output_with_picture(const struct invocation *invocation, const char *svg, const char *data)
{
	const struct options *options = &invocation->options;
	struct err err = { 0 };
	int r;

	if (!options->svg)
		return output_result(invocation, data);
	if (!svg || !data)
		r = err_nomem(&err);
	else
		r = output_write(is_stdout(options->svg) ? NULL : options->svg, svg, &err);
	if (r < 0)
		return output_failure(invocation->command->failure, &err);
	if (is_stdout(options->svg) && !options->output)
		return EXIT_OK;
	return output_result(invocation, data);
}

static void add_escaped(struct text *line, const char *words)
{
	for (; *words; words++) {
		const unsigned char c = (unsigned char)*words;

		if (c < 0x20 || c == 0x7f)
			text_add(line, "\\x%02x", c);
		else
			text_add_bytes(line, words, 1);
	}
}

void output_line(const char *format, ...)
{
	cleanup_free char *words = NULL;
	cleanup_text struct text line = TEXT_INIT;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&words, format, args);
	va_end(args);
	if (length < 0) {
		words = NULL;
		return;
	}
	text_add(&line, "fettle: ");
	add_escaped(&line, words);
	text_add(&line, "\n");
	if (!line.failed) /* one write: lines of several processes do not mix */
		(void)write_all(STDERR_FILENO, line.data, line.length);
}

int output_bytes(int fd, const char *bytes, size_t length)
{
	return write_all(fd, bytes, length);
}

int output_failure(int exit_code, const struct err *err)
{
	output_line("%s%s%s", err->text, err->hint[0] ? "; hint: " : "", err->hint);
	return exit_code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/archive.h"

#include "base/archive_wire.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/installed.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

static const struct {
	const char *ending, *filter;
} endings[] = {
	{ ".tar", "none" },   { ".tar.gz", "gzip" }, { ".tgz", "gzip" },  { ".tar.bz2", "bzip2" },
	{ ".tbz2", "bzip2" }, { ".tbz", "bzip2" },   { ".tar.xz", "xz" }, { ".txz", "xz" },
};

const char *archive_filter(const char *path)
{
	const size_t length = strlen(path);

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		const size_t n = strlen(endings[i].ending);

		if (length > n && strcmp(path + length - n, endings[i].ending) == 0)
			return endings[i].filter;
	}
	return NULL;
}

/* Descriptors of the child: the wire in the place of standard input, the archive, nothing else of ours. */
static int spawn(const char *path, char *const argv[], int wire, int fd, pid_t *ret_pid)
{
	const char *const given = getenv("TMPDIR");
	cleanup_free char *tmp = NULL;
	char *environment[] = { NULL, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	if (given && asprintf(&tmp, "TMPDIR=%s", given) >= 0)
		environment[0] = tmp;
	else
		tmp = NULL;
	if (posix_spawn_file_actions_init(&actions) || posix_spawnattr_init(&attributes))
		return -ENOMEM;
	/* In this order: the archive may be open as 0, the wire as 3. */
	r = -posix_spawn_file_actions_adddup2(&actions, fd, ARCHIVE_FILE_FD);
	if (r == 0)
		r = -posix_spawn_file_actions_adddup2(&actions, wire, ARCHIVE_WIRE_FD);
	if (r == 0)
		r = -posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (r == 0)
		r = -posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	/* A group of its own: a terminal's Ctrl-C is for us. */
	if (r == 0)
		r = -posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
	if (r == 0)
		r = -posix_spawn(ret_pid, path, &actions, &attributes, argv, environment);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attributes);
	return r;
}

/* A copy of `fd` above all the numbers that the child's own descriptors get. */
static int lifted(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, ARCHIVE_FILE_FD + 1);
}

static int start(char *const argv[], int fd, struct archive_helper *ret_helper, struct err *err)
{
	cleanup_free char *path = installed_find(ARCHIVE_HELPER, "archive", "", X_OK);
	cleanup_close int ours = -1, theirs = -1, file = -1;
	struct archive_helper helper = ARCHIVE_HELPER_INIT;
	int fds[2], r;

	if (!path) {
		(void)err_set(err, -EOPNOTSUPP, "archives need %s, which is not found", ARCHIVE_HELPER);
		/* It lies beside the program, and only /proc tells where that is. */
		return access("/proc/self/exe", F_OK) < 0 ? err_hint(err, "/proc is not mounted here")
							  : err_hint(err, "is fettle installed as a whole?");
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
		return err_errno(err, -errno, "socketpair");
	ours = fds[0];
	theirs = lifted(fds[1]);
	(void)close(fds[1]);
	file = lifted(fd);
	if (theirs < 0 || file < 0)
		return err_errno(err, -errno, "cannot start '%s'", path);
	r = spawn(path, argv, theirs, file, &helper.pid);
	if (r < 0)
		return err_errno(err, r, "cannot start '%s'", path);
	helper.wire = ours;
	ours = -1;
	*ret_helper = helper;
	return 0;
}

/* The helper's line, without its word: 0 for "ok", its reason as an error for "no". */
static int hear(const struct archive_helper *helper, char ret_text[ARCHIVE_ANSWER_MAX], struct err *err)
{
	size_t used = 0;

	ret_text[0] = '\0';
	while (used + 1 < ARCHIVE_ANSWER_MAX && !strchr(ret_text, '\n')) {
		const ssize_t n = read(helper->wire, ret_text + used, ARCHIVE_ANSWER_MAX - 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
		ret_text[used] = '\0';
	}
	ret_text[strcspn(ret_text, "\n")] = '\0';
	if (used >= 3 && memcmp(ret_text, "ok ", 3) == 0) {
		memmove(ret_text, ret_text + 3, strlen(ret_text + 3) + 1);
		return 0;
	}
	if (used >= 3 && memcmp(ret_text, "no ", 3) == 0)
		return err_set(err, -EINVAL, "%s", ret_text + 3);
	err_set(err, -EIO, "%s failed", ARCHIVE_HELPER);
	return err_hint(err, "is libarchive installed?");
}

int archive_unpack(int fd, struct archive_helper *ret_helper, char **ret_dir, struct err *err)
{
	char *const argv[] = { (char *)ARCHIVE_HELPER, (char *)"unpack", NULL };
	cleanup_archive struct archive_helper helper = ARCHIVE_HELPER_INIT;
	char text[ARCHIVE_ANSWER_MAX];
	int r = start(argv, fd, &helper, err);

	if (r == 0)
		r = hear(&helper, text, err);
	if (r < 0)
		return r;
	*ret_dir = strdup(text);
	if (!*ret_dir)
		return err_nomem(err);
	*ret_helper = helper;
	helper.wire = -1;
	return 0;
}

int archive_create(int fd, const char *filter, struct archive_helper *ret_helper, struct err *err)
{
	char *const argv[] = { (char *)ARCHIVE_HELPER, (char *)"pack", (char *)filter, NULL };

	return start(argv, fd, ret_helper, err);
}

/* A helper that went away says why on the wire. */
static int send_all(const struct archive_helper *helper, const void *data, size_t length, struct err *err)
{
	const char *bytes = data;

	while (length) {
		const ssize_t n = send(helper->wire, bytes, length, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			char text[ARCHIVE_ANSWER_MAX];
			int r = -errno;

			return hear(helper, text, err) < 0 ? err->code : err_errno(err, r, "cannot write it");
		}
		bytes += n;
		length -= (size_t)n;
	}
	return 0;
}

static int add(struct archive_helper *helper, enum archive_record_type type, const char *path, const void *bytes,
	       size_t length, struct err *err)
{
	const struct archive_record record = { type, (uint32_t)strlen(path), length };
	int r = send_all(helper, &record, sizeof(record), err);

	if (r == 0)
		r = send_all(helper, path, record.path_length, err);
	return r < 0 ? r : send_all(helper, bytes, length, err);
}

int archive_add_file(struct archive_helper *helper, const char *path, const void *bytes, size_t length, struct err *err)
{
	return add(helper, ARCHIVE_RECORD_FILE, path, bytes, length, err);
}

int archive_add_link(struct archive_helper *helper, const char *path, const char *target, struct err *err)
{
	return add(helper, ARCHIVE_RECORD_LINK, path, target, strlen(target), err);
}

int archive_finish(struct archive_helper *helper, struct err *err)
{
	char text[ARCHIVE_ANSWER_MAX];

	if (shutdown(helper->wire, SHUT_WR) < 0)
		return err_errno(err, -errno, "cannot write it");
	return hear(helper, text, err);
}

void archive_close(struct archive_helper *helper)
{
	if (helper->wire < 0)
		return;
	(void)close(helper->wire);
	helper->wire = -1;
	while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

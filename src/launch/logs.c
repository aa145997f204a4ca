/* SPDX-License-Identifier: Apache-2.0 */
/* Files that children write to, one each. */
#include "launch/output.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "launch/child.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { TRIAL_BYTES = 4096 };

/* The folder and those above it. Returns 0 or -errno. */
static int make_folder(const char *dir)
{
	cleanup_free char *path = strdup(dir);

	if (!path)
		return -ENOMEM;
	for (char *slash = path + 1; *path && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		if (mkdir(path, 0777) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

/* Write a little where the logs will be, into a file without a name. Returns 0 or -errno. */
static int try_folder(const char *dir)
{
	static const char zeros[TRIAL_BYTES];
	cleanup_close int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	ssize_t n;

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		return 0; /* a file system without such files: opening the logs will tell what can be told */
	if (fd < 0)
		return -errno;
	n = write(fd, zeros, sizeof(zeros));
	if (n < 0)
		return -errno;
	return n == TRIAL_BYTES ? 0 : -ENOSPC;
}

static int open_one(const char *dir, const char *prefix, unsigned instance, int *ret_fd, struct err *err)
{
	cleanup_free char *path = NULL;
	cleanup_close int fd = -1;
	struct stat st;

	if (asprintf(&path, "%s/%s.%u.log", dir, prefix, instance) < 0) {
		path = NULL;
		return err_nomem(err);
	}
	/* Not blocking, so that a pipe in its place is an error and no wait. */
	fd = child_fd_above_stdio(open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666));
	if (fd < 0)
		return err_errno(err, fd, "cannot write log '%s'", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "cannot write log '%s': not a regular file", path);
	(void)fcntl(fd, F_SETFL, O_APPEND);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int launch_open_logs(const char *dir, const char *prefix, const unsigned *instances, size_t count, int *ret_fds,
		     struct err *err)
{
	int r = make_folder(dir);
	size_t opened = 0;

	if (r < 0)
		return err_errno(err, r, "cannot make folder '%s' for logs", dir);
	r = try_folder(dir);
	if (r < 0)
		return err_errno(err, r, "cannot write logs in '%s'", dir);
	while (opened < count && (r = open_one(dir, prefix, instances[opened], &ret_fds[opened], err)) == 0)
		opened++;
	for (size_t i = 0; r < 0 && i < opened; i++)
		(void)close(ret_fds[i]);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "helper.h"

#include "base/archive_wire.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/sanitized.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { CPU_SECONDS = 20, WALL_SECONDS = 120 };
#define ADDRESS_BYTES (1ULL << 30)

static void limit_worker(void)
{
	const struct rlimit cpu = { CPU_SECONDS, CPU_SECONDS + 1 }, core = { 0, 0 };
	const struct rlimit file = { ARCHIVE_MAX_FILE_BYTES, ARCHIVE_MAX_FILE_BYTES };

	(void)setrlimit(RLIMIT_CPU, &cpu);
	(void)setrlimit(RLIMIT_CORE, &core);
	(void)setrlimit(RLIMIT_FSIZE, &file);
	(void)alarm(WALL_SECONDS);
	if (!SANITIZED) {
		const struct rlimit memory = { ADDRESS_BYTES, ADDRESS_BYTES };

		(void)setrlimit(RLIMIT_AS, &memory);
	}
}

static void __attribute__((noreturn)) work(const char *dir, int pipe_fd)
{
	const int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct err err = { .code = 0 };

	limit_worker();
	if (dir_fd < 0)
		(void)err_errno(&err, -errno, "cannot open '%s'", dir);
	else
		(void)unpack(ARCHIVE_FILE_FD, dir_fd, &err);
	_exit(write(pipe_fd, &err, sizeof(err)) == (ssize_t)sizeof(err) ? 0 : 1);
}

/* Wait for the worker's word, or for fettle to go away; false: fettle has. */
static bool wait_for_worker(int pipe_fd)
{
	struct pollfd fds[] = { { .fd = pipe_fd, .events = POLLIN }, { .fd = ARCHIVE_WIRE_FD, .events = POLLIN } };

	while (!fds[0].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return true; /* reading will tell */
		if (fds[1].revents)
			return false;
	}
	return true;
}

/* Unpack into `dir` in a child. False: fettle has gone. */
static bool unpack_in_child(const char *dir, struct err *err)
{
	int fds[2], status = 0;
	bool there, heard;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		(void)err_errno(err, -errno, "cannot start a child process");
		return true;
	}
	if (pid == 0)
		work(dir, fds[1]);
	(void)close(fds[1]);
	there = wait_for_worker(fds[0]);
	if (!there)
		(void)kill(pid, SIGKILL);
	heard = there && read(fds[0], err, sizeof(*err)) == (ssize_t)sizeof(*err);
	(void)close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (there && !heard) {
		const bool late = WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGALRM);

		err->code = -EFBIG;
		(void)err_set(err, -EFBIG, late ? "unpacking it takes too long" : "unpacking it takes too much");
	}
	return there;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	(void)remove(path);
	return 0;
}

static void wait_for_end(void)
{
	char byte;

	while (read(ARCHIVE_WIRE_FD, &byte, 1) > 0 || errno == EINTR)
		errno = 0;
}

/* Unpack into a new folder in `base` and answer. False: the next base may do better. */
static bool unpack_in(const char *base, bool last, struct err *err)
{
	char dir[2048];
	bool there;

	*err = (struct err){ .code = 0 };
	(void)snprintf(dir, sizeof(dir), "%s/fettle-XXXXXX", base);
	if (!mkdtemp(dir)) {
		(void)err_errno(err, -errno, "cannot make a folder in '%s'", base);
		return false;
	}
	there = unpack_in_child(dir, err);
	if (there && err->code == 0) {
		answer("ok", dir);
		wait_for_end();
	}
	(void)nftw(dir, remove_one, 64, FTW_DEPTH | FTW_PHYS);
	return !there || err->code != -ENOSPC || last;
}

/* Thousands of small files: memory takes them in no time, where it has room. */
int guard_unpacking(void)
{
	const char *const tmp = getenv("TMPDIR");
	const char *const bases[] = { tmp && *tmp ? tmp : "/dev/shm", "/tmp" };
	struct err err = { .code = 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		if (lseek(ARCHIVE_FILE_FD, 0, SEEK_SET) < 0 || unpack_in(bases[i], i + 1 == ARRAY_SIZE(bases), &err))
			break;
	}
	if (err.code < 0)
		answer("no", err.text);
	return err.code < 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample FD PROGRAM [ARGUMENT...]: run PROGRAM once and write what it took to descriptor FD, as
 * one line of JSON. It is C so that the clock runs around the program alone, and because a child's
 * peak memory begins at its parent's: under Python every `true` would seem to need 15 MB.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static int fail(const char *what, const char *name, int error)
{
	(void)fprintf(stderr, "sample: cannot %s \"%s\": %s\n", what, name, strerror(error));
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct rusage usage = { 0 };
	int status = 0;
	pid_t child;
	int64_t start, end;
	char *rest = NULL;

	if (argc < 3) {
		(void)fputs("usage: sample FD PROGRAM [ARGUMENT...]\n", stderr);
		return 2;
	}
	const long result = strtol(argv[1], &rest, 10);

	if (*rest || result < 3 || result > 1024 || fcntl((int)result, F_SETFD, FD_CLOEXEC) < 0)
		return fail("write the result to descriptor", argv[1], errno ? errno : EINVAL);

	start = now_ns();
	const int error = posix_spawnp(&child, argv[2], NULL, NULL, argv + 2, environ);

	if (error)
		return fail("start", argv[2], error);
	while (wait4(child, &status, 0, &usage) < 0)
		if (errno != EINTR)
			return fail("wait for", argv[2], errno);
	end = now_ns();

	if (dprintf((int)result,
		    "{\"wall_s\": %.9f, \"cpu_s\": %.6f, \"max_rss_bytes\": %lld, \"minor_faults\": %ld, "
		    "\"exit_code\": %d}\n",
		    (double)(end - start) / 1e9, seconds(usage.ru_utime) + seconds(usage.ru_stime),
		    (long long)usage.ru_maxrss * 1024, usage.ru_minflt,
		    WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)) < 0)
		return fail("write the result to descriptor", argv[1], errno);
	return EXIT_SUCCESS;
}

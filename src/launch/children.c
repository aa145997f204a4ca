/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/children.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/sysroot.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum {
	PID_LIMIT = 4 << 20,          /* PID_MAX_LIMIT of include/linux/threads.h */
	ENVIRONMENT_MAX = 256 * 1024, /* more of it is not looked at */
};

void children_clear(struct children *children)
{
	free(children->pids);
	*children = (struct children){ .pids = NULL };
}

/* The kernel's word, in our own PID namespace. */
static bool is_child(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static int add(struct children *children, pid_t pid)
{
	pid_t *grown;

	if (!is_child(pid))
		return 0;
	grown = array_grow(children->pids, &children->capacity, children->count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	children->pids = grown;
	children->pids[children->count++] = pid;
	return 0;
}

static bool proc_is_ours(void)
{
	char self[32] = "";
	unsigned pid;

	return readlink("/proc/self", self, sizeof(self) - 1) > 0 && parse_unsigned(self, &pid) == 0 &&
	       (pid_t)pid == getpid();
}

int children_list(bool thorough, struct children *ret_children)
{
	cleanup_children struct children children = { .pids = NULL };
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_free char *list = NULL;
	char *save = NULL;
	struct err why;
	int r = 0;

	if (proc_is_ours() && sysroot_open(&root, "/", &why) == 0 &&
	    sysroot_read(&root, "/proc/thread-self/children", &list) == 0) {
		for (char *word = strtok_r(list, " ", &save); word && r == 0; word = strtok_r(NULL, " ", &save)) {
			unsigned pid;

			if (parse_unsigned(word, &pid) == 0)
				r = add(&children, (pid_t)pid);
		}
	} else {
		for (pid_t pid = 1; thorough && pid < PID_LIMIT && r == 0; pid++)
			r = add(&children, pid);
	}
	if (r < 0)
		return r;
	*ret_children = children;
	children = (struct children){ .pids = NULL };
	return 0;
}

/* The first bytes of a file of the kernel's, with NULs; their number. */
static size_t read_bytes(const char *path, char *bytes, size_t size)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_close int fd = -1;
	size_t length = 0;
	struct err why;
	ssize_t n;

	fd = sysroot_open(&root, "/", &why) == 0 ? sysroot_open_file(&root, path) : -1;
	while (fd >= 0 && length < size && (n = read(fd, bytes + length, size - length)) > 0)
		length += (size_t)n;
	return length;
}

bool children_has_entry(pid_t pid, const char *entry)
{
	cleanup_free char *bytes = malloc(ENVIRONMENT_MAX);
	const size_t size = strlen(entry) + 1; /* its NUL, too */
	size_t length = 0, at = 0;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	if (bytes)
		length = read_bytes(path, bytes, ENVIRONMENT_MAX);
	for (; at + size <= length; at += strnlen(bytes + at, length - at) + 1) {
		if (memcmp(bytes + at, entry, size) == 0)
			return true;
	}
	return false;
}

bool children_kill_all(void)
{
	for (;;) {
		cleanup_children struct children children = { .pids = NULL };
		size_t killed = 0;
		pid_t reaped = 1;

		while (reaped > 0)
			reaped = waitpid(-1, NULL, WNOHANG);
		if (reaped < 0)
			return true;
		if (children_list(true, &children) < 0)
			return false;
		for (size_t i = 0; i < children.count; i++)
			killed += kill(children.pids[i], SIGKILL) == 0;
		if (!killed)
			return false;
		(void)waitpid(-1, NULL, 0);
	}
}

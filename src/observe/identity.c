/* SPDX-License-Identifier: Apache-2.0 */
/* Who a process is. */
#include "observe/processes.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "observe/proc.h"

#include <errno.h>
#include <string.h>

/* Environments and command lines end at 2 MiB or so (ARG_MAX); a page of each is usual. */
enum { WORDS_MAX_BYTES = 4 << 20 };

/* A file of words with NULs between them. */
static int read_words(const struct sysroot *root, const char *path, char **ret_text, size_t *ret_length)
{
	cleanup_text struct text text = TEXT_INIT;
	cleanup_close int fd = sysroot_open_file(root, path);
	char chunk[4096];
	ssize_t n;

	if (fd < 0)
		return fd;
	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0)
			return -errno;
		text_add_bytes(&text, chunk, (size_t)n);
	} while (n > 0 && text.length < WORDS_MAX_BYTES);
	*ret_length = text.length;
	*ret_text = text_take(&text);
	return *ret_text ? 0 : -ENOMEM;
}

static int read_command(const struct observe_request *request, struct observed_process *process)
{
	cleanup_free char *text = NULL;
	char path[PROC_PATH];
	size_t length = 0;
	int r;

	proc_path(path, process->pid, "cmdline");
	r = read_words(request->root, path, &text, &length);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	while (length && !text[length - 1])
		length--;
	for (size_t i = 0; i < length; i++) {
		if (!text[i])
			text[i] = ' ';
	}
	free(process->command);
	process->command = length ? TAKE(text) : NULL;
	return 0;
}

/* glibc's loader puts an end behind each tunable, in the very memory that the kernel shows: "GLIBC_TUNABLES=a=1:b=2"
 * was that before. */
static void rejoin_tunables(char *text, size_t length)
{
	static const char variable[] = "GLIBC_TUNABLES=", more[] = "glibc.";
	char *const end = text + length;

	for (char *word = text; word < end; word += strlen(word) + 1) {
		if (strncmp(word, variable, strlen(variable)) != 0)
			continue;
		for (char *next = word + strlen(word) + 1; next < end && strncmp(next, more, strlen(more)) == 0;
		     next += strlen(next) + 1)
			next[-1] = ':';
	}
}

/*
 * Split it into words; a program that writes its title over them (setproctitle) leaves what is none, which is left out.
 * One word of each name counts: the first, as for getenv().
 */
static int split_environment(struct observed_process *process, size_t length)
{
	size_t count = 0, capacity = 0;

	for (char *word = process->environment_text; word < process->environment_text + length;
	     word += strlen(word) + 1) {
		char **grown = array_grow(process->environment, &capacity, count + 1, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		process->environment = grown;
		if (strchr(word, '='))
			grown[count++] = word;
		grown[count] = NULL;
	}
	return 0;
}

static int read_environment(const struct observe_request *request, struct observation *observation,
			    struct observed_process *process)
{
	static const char what[] = "the environment of the process, with the plan it may carry";
	char path[PROC_PATH];
	size_t length = 0;
	int r;

	free(process->environment);
	free(process->environment_text);
	process->environment = NULL;
	process->environment_text = NULL;
	proc_path(path, process->pid, "environ");
	r = read_words(request->root, path, &process->environment_text, &length);
	/* In a run processes come and go: one that ended between two files is no gap in what is known. */
	if (r == -ESRCH || (r == -ENOENT && request->planned))
		return 0;
	if (r < 0)
		return r == -ENOMEM ? r : proc_gap(observation, path, what, r);
	if (!length) {
		process->environment = calloc(1, sizeof(*process->environment));
		return process->environment ? 0 : -ENOMEM;
	}
	rejoin_tunables(process->environment_text, length);
	return split_environment(process, length);
}

static int read_link(const struct observe_request *request, struct observed_process *process)
{
	static const char deleted[] = " (deleted)";
	cleanup_free char *target = NULL;
	char path[PROC_PATH];
	size_t length;
	int r;

	proc_path(path, process->pid, "exe");
	r = proc_link(request->root, path, &target);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	length = strlen(target);
	if (length > strlen(deleted) && strcmp(target + length - strlen(deleted), deleted) == 0)
		target[length - strlen(deleted)] = '\0';
	free(process->program);
	process->program = TAKE(target);
	return 0;
}

/* In another mount namespace, as a container's processes are? */
static int compare_mounts(const struct observe_request *request, struct observed_process *process)
{
	cleanup_free char *own = NULL, *theirs = NULL;
	char path[PROC_PATH];
	int r;

	proc_path(path, process->pid, "ns/mnt");
	r = proc_link(request->root, path, &theirs);
	if (r == 0)
		r = proc_link(request->root, "/proc/self/ns/mnt", &own);
	if (r == 0)
		process->own_mounts = strcmp(own, theirs) != 0;
	return r == -ENOMEM ? r : 0;
}

static int read_status(const struct observe_request *request, struct observed_process *process)
{
	cleanup_free char *text = NULL;
	char path[PROC_PATH];
	uint64_t uid;
	int r;

	proc_path(path, process->pid, "status");
	r = sysroot_read(request->root, path, &text);
	if (r == 0 && proc_number(text, "Uid", &uid))
		process->uid = (unsigned)uid;
	free(process->cgroup);
	process->cgroup = NULL;
	proc_path(path, process->pid, "cgroup");
	if (r != -ENOMEM)
		r = sysroot_read(request->root, path, &process->cgroup);
	return r == -ENOMEM ? r : 0;
}

int process_identify(const struct observe_request *request, struct observation *observation,
		     struct observed_process *process)
{
	int r = read_command(request, process);

	if (r == 0)
		r = read_link(request, process);
	if (r == 0)
		r = read_environment(request, observation, process);
	if (r == 0)
		r = compare_mounts(request, process);
	return r < 0 ? r : read_status(request, process);
}

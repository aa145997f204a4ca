/* SPDX-License-Identifier: Apache-2.0 */
#include "launch_help.h"

#include "base/cpulist.h"
#include "base/err.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int exit_code_of(pid_t pid)
{
	int status = 0;

	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int in_process(int (*f)(void))
{
	pid_t pid;

	(void)fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(f());
	return exit_code_of(pid);
}

int output_of(int (*f)(void), char *ret_text, size_t size, size_t *ret_length)
{
	size_t length = 0;
	ssize_t n;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	(void)fflush(NULL);
	pid = fork();
	if (!pid)
		_exit(dup2(fds[1], STDOUT_FILENO) < 0 ? 99 : f());
	(void)close(fds[1]);
	while (length + 1 < size && (n = read(fds[0], ret_text + length, size - length - 1)) > 0)
		length += (size_t)n;
	(void)close(fds[0]);
	ret_text[length] = '\0';
	if (ret_length)
		*ret_length = length;
	return exit_code_of(pid);
}

int nth_cpu(unsigned n)
{
	cleanup_free unsigned long *mask = calloc(1, CPULIST_MAX / 8);
	cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();
	long length = syscall(SYS_sched_getaffinity, 0, CPULIST_MAX / 8, mask);

	for (size_t i = 0; length > 0 && i < (size_t)length / sizeof(*mask); i++) {
		if (mask[i])
			(void)hwloc_bitmap_set_ith_ulong(set, (unsigned)i, mask[i]);
	}
	return cpulist_nth(set, n);
}

void instance_init(struct plan_instance *instance, enum pin pin, const char *cpus, enum memory_policy policy,
		   const char *nodes)
{
	struct err err = { 0 };

	*instance = (struct plan_instance){ .pin = pin, .memory_policy = policy };
	if (cpulist_parse(cpus, &instance->mask_os, &err) < 0 || cpulist_parse(nodes, &instance->nodes_os, &err) < 0)
		abort();
}

void instance_clear(struct plan_instance *instance)
{
	hwloc_bitmap_free(instance->mask_os);
	hwloc_bitmap_free(instance->nodes_os);
}

static int install(struct sock_filter *rules, size_t count)
{
	const struct sock_fprog program = { .len = (unsigned short)count, .filter = rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return -errno;
	return 0;
}

static int filter(int number, unsigned action)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return install(rules, ARRAY_SIZE(rules));
}

/* The lower half of the argument: where it lies depends on the byte order. */
int refuse_argument(int number, unsigned argument, int error)
{
	const unsigned half = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(argument) : 0;
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + half),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, argument, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return install(rules, ARRAY_SIZE(rules));
}

int refuse(int number, int error)
{
	return filter(number, SECCOMP_RET_ERRNO | (unsigned)error);
}

int refuse_by_death(int number)
{
	return filter(number, SECCOMP_RET_KILL_PROCESS);
}

char *make_file(const char *text, size_t length, unsigned mode)
{
	char dir[] = "/tmp/fettle-launch-XXXXXX";
	cleanup_free char *path = NULL;
	cleanup_close int fd = -1;

	if (!mkdtemp(dir) || asprintf(&path, "%s/file", dir) < 0)
		abort();
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, length) != (ssize_t)length || fchmod(fd, mode) < 0)
		abort();
	return TAKE(path);
}

void remove_file(char *path)
{
	(void)unlink(path);
	*strrchr(path, '/') = '\0';
	(void)rmdir(path);
	free(path);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Programs for agent.py: each word of the command line is a thing to do, in order. Exit 9: it could not be done. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __SSE__
#include <immintrin.h>
#endif

#define CHECK(condition)                                                                                   \
	do {                                                                                               \
		if (!(condition)) {                                                                        \
			(void)fprintf(stderr, "line %d: %s: %s\n", __LINE__, #condition, strerror(errno)); \
			_exit(9);                                                                          \
		}                                                                                          \
	} while (0)

static int last_cpu(void)
{
	cpu_set_t set;
	int cpu = CPU_SETSIZE - 1;

	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	while (cpu && !CPU_ISSET(cpu, &set))
		cpu--;
	return cpu;
}

static cpu_set_t only(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return set;
}

static void *nothing(void *unused)
{
	return unused;
}

/* As runtimes do that know no libc: no hook sees it. */
static void *bind_by_kernel(void *unused)
{
	cpu_set_t set = only(last_cpu());

#ifdef __x86_64__
	long r;
	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "0"(SYS_sched_setaffinity), "D"(0L), "S"(sizeof(set)), "d"(&set)
			 : "rcx", "r11", "memory");
	CHECK(r == 0);
#else
	CHECK(syscall(SYS_sched_setaffinity, 0, sizeof(set), &set) == 0);
#endif
	return unused;
}

static void *bind_by_libc(void *unused)
{
	cpu_set_t set = only(last_cpu());

	CHECK(pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0);
	return unused;
}

/* To another CPU and back, as who asks each what it is. */
static void look_around(void)
{
	cpu_set_t before, set = only(last_cpu());

	CHECK(sched_getaffinity(0, sizeof(before), &before) == 0);
	CHECK(syscall(SYS_sched_setaffinity, 0, sizeof(set), &set) == 0);
	CHECK(sched_setaffinity(0, sizeof(before), &before) == 0);
}

static void *meet_denormal(void *unused)
{
	volatile double tiny = 4.9e-324, result = tiny + tiny;

	(void)result;
	return unused;
}

static void *unflush(void *unused)
{
#ifdef __SSE__
	_mm_setcsr(_mm_getcsr() & ~0x8040U);
#endif
	return unused;
}

static void *leave(void *unused)
{
	pthread_exit(unused);
}

static void *wait_for_cancel(void *unused)
{
	for (;;)
		(void)pause();
	return unused;
}

static void run_thread(void *(*start)(void *), unsigned times)
{
	pthread_t thread;

	for (unsigned i = 0; i < times; i++) {
		CHECK(pthread_create(&thread, NULL, start, NULL) == 0);
		CHECK(pthread_join(thread, NULL) == 0);
	}
}

static void cancel_thread(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, wait_for_cancel, NULL) == 0);
	CHECK(pthread_cancel(thread) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void wait_for(pid_t pid, int due)
{
	int status;

	CHECK(pid > 0);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(status == due);
}

static void fork_times(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		wait_for(pid, 0);
	}
}

static char *const true_words[] = { (char *)"true", NULL };

static void vfork_true(void)
{
	pid_t pid = vfork();

	if (!pid) {
		(void)execve("/bin/true", true_words, environ);
		_exit(1);
	}
	wait_for(pid, 0);
	pid = vfork();
	if (!pid) {
		cpu_set_t set = only(last_cpu());

		(void)sched_setaffinity(0, sizeof(set), &set);
		(void)execve("/nonexistent", true_words, environ);
		_exit(0);
	}
	wait_for(pid, 0);
}

static void spawn_true(void)
{
	pid_t pid;

	CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, true_words, environ) == 0);
	wait_for(pid, 0);
}

static void fail_exec(void)
{
	CHECK(execve("/nonexistent", true_words, environ) == -1 && errno == ENOENT);
	CHECK(execvp("/nonexistent", true_words) == -1 && errno == ENOENT);
}

/* Those that the agent makes of itself kill the process, or fail; all others are let through. */
static void filter(const char *way)
{
	static const unsigned killed[] = { SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_getpid,     SYS_gettid,
					   SYS_getppid,           SYS_get_mempolicy,     SYS_readlinkat, SYS_tgkill };
	enum { KILLED = sizeof(killed) / sizeof(killed[0]) };
	struct sock_filter code[KILLED + 3];
	struct sock_fprog program = { .len = KILLED + 3, .filter = code };

	code[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < KILLED; i++)
		code[1 + i] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, killed[i], (uint8_t)(KILLED - i), 0);
	code[KILLED + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[KILLED + 2] = (struct sock_filter)BPF_STMT(
		BPF_RET | BPF_K, strcmp(way, "kill") == 0 ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

static void ask_for_filter_in_vain(void)
{
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == -1 && errno == EFAULT);
}

/* read, write, _exit and sigreturn alone: not even the exit_group of exit(). */
static void strict(void)
{
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
	(void)raise;
#ifdef __x86_64__
	__asm__ volatile("syscall" : : "a"(SYS_exit), "D"(0) : "rcx", "r11", "memory");
#endif
	__builtin_unreachable();
}

static void close_all(void)
{
	for (int fd = 3; fd < 1024; fd++)
		(void)close(fd);
}

static void reload(const char *agent)
{
	void *handle = dlopen(agent, RTLD_NOW);

	CHECK(handle);
	for (int i = 0; i < 3; i++)
		(void)dlclose(handle);
	run_thread(nothing, 1);
	fork_times(1);
}

/* Hooks that succeed leave errno; it is what the program had. */
static void keep_errno(void)
{
	cpu_set_t set;
	pthread_t thread;

	CHECK(sched_getaffinity(0, sizeof(set), &set) == 0);
	errno = 77;
	CHECK(sched_setaffinity(0, sizeof(set), &set) == 0 && errno == 77);
	CHECK(pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0 && errno == 77);
	CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0 && errno == 77);
	CHECK(pthread_join(thread, NULL) == 0 && errno == 77);
	CHECK(syscall(SYS_getuid) == (long)getuid() && errno == 77);
	CHECK(prctl(PR_GET_DUMPABLE) >= 0 && errno == 77);
	spawn_true();
}

/* Our own, so that we can count what is asked of it. */
static unsigned long counted;
static _Alignas(16) char arena[1 << 22];
static size_t used;

void *malloc(size_t size)
{
	char *block = &arena[__atomic_fetch_add(&used, (size + 31) & ~(size_t)15, __ATOMIC_SEQ_CST)];

	__atomic_fetch_add(&counted, 1, __ATOMIC_SEQ_CST);
	if (block + size + 16 > arena + sizeof(arena))
		_exit(9);
	memcpy(block, &size, sizeof(size));
	return block + 16;
}

void free(void *block)
{
	(void)block;
}

void *calloc(size_t count, size_t size)
{
	return memset(malloc(count * size), 0, count * size);
}

void *realloc(void *block, size_t size)
{
	void *grown = malloc(size);
	size_t old = 0;

	if (block)
		memcpy(&old, (char *)block - 16, sizeof(old));
	return memcpy(grown, block ? block : grown, old < size ? old : size);
}

static void count_allocations(void)
{
	const unsigned long before = counted;

	run_thread(bind_by_libc, 3);
	run_thread(nothing, 3);
	vfork_true();
	spawn_true();
	fork_times(1);
	(void)dprintf(STDERR_FILENO, "allocations %lu\n", counted - before);
}

static bool act_in_thread(const char *word, const char *argument)
{
	static const struct {
		const char *word;
		void *(*start)(void *);
	} rows[] = {
		{ "threads", nothing },
		{ "thread-by-kernel", bind_by_kernel },
		{ "thread-by-libc", bind_by_libc },
		{ "thread-denormal", meet_denormal },
		{ "thread-unflush", unflush },
		{ "thread-leaves", leave },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(word, rows[i].word) != 0)
			continue;
		run_thread(rows[i].start, (unsigned)atoi(argument));
		return true;
	}
	return false;
}

static void act(const char *word, const char *argument)
{
	if (act_in_thread(word, argument))
		return;
	if (strcmp(word, "thread-cancelled") == 0)
		cancel_thread();
	else if (strcmp(word, "denormal") == 0)
		(void)meet_denormal(NULL);
	else if (strcmp(word, "unflush") == 0)
		(void)unflush(NULL);
	else if (strcmp(word, "narrow") == 0)
		(void)bind_by_libc(NULL);
	else if (strcmp(word, "look-around") == 0)
		look_around();
	else if (strcmp(word, "forks") == 0)
		fork_times((unsigned)atoi(argument));
	else if (strcmp(word, "vfork") == 0)
		vfork_true();
	else if (strcmp(word, "spawn") == 0)
		spawn_true();
	else if (strcmp(word, "fail-exec") == 0)
		fail_exec();
	else if (strcmp(word, "setenv") == 0)
		CHECK(putenv((char *)(size_t)argument) == 0);
	else if (strcmp(word, "clearenv") == 0)
		CHECK(clearenv() == 0);
	else if (strcmp(word, "filter") == 0)
		filter(argument);
	else if (strcmp(word, "filter-in-vain") == 0)
		ask_for_filter_in_vain();
	else if (strcmp(word, "strict") == 0)
		strict();
	else if (strcmp(word, "close-all") == 0)
		close_all();
	else if (strcmp(word, "chroot") == 0)
		CHECK(chroot(argument) == 0 && chdir("/") == 0);
	else if (strcmp(word, "setuid") == 0)
		CHECK(setgid((gid_t)atoi(argument)) == 0 && setuid((uid_t)atoi(argument)) == 0);
	else if (strcmp(word, "reload") == 0)
		reload(argument);
	else if (strcmp(word, "errno") == 0)
		keep_errno();
	else if (strcmp(word, "allocations") == 0)
		count_allocations();
	else if (strcmp(word, "kill") == 0)
		(void)kill(getpid(), SIGKILL);
	else if (strcmp(word, "_exit") == 0)
		_exit(atoi(argument));
	else if (strcmp(word, "exit_group") == 0)
		(void)syscall(SYS_exit_group, atoi(argument));
	else if (strcmp(word, "abort") == 0)
		abort();
	else
		CHECK(!"known");
}

/* "word" or "word:argument"; "exec" takes the rest of the line. */
int main(int argc, char *argv[])
{
	for (int i = 1; i < argc; i++) {
		char *argument = strchr(argv[i], ':');

		if (strcmp(argv[i], "exec") == 0) {
			(void)execv(argv[i + 1], &argv[i + 1]);
			CHECK(!"executed");
		}
		if (argument)
			*argument++ = '\0';
		act(argv[i], argument ? argument : (char *)"1");
	}
	return 0;
}

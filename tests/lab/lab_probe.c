/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs made to be wrong, each one word: they do what they say until they are killed.
 *
 *     burn CPU...        a thread for each word that computes: on this CPU alone, or ("any") where it may
 *     escape             two threads that compute and give themselves all CPUs, as ONNX Runtime's pool does
 *     touch MIB          memory that is used, and a thread that computes
 *     walk MIB           the same, and walks over it again and again
 *     remote NODE MIB    the same, with its memory on that node
 *     team N             an OpenMP team after omp_set_num_threads(N); 0: as the environment has it
 *     fork               a child forked after a team, which waits
 *     open LIBRARY...    each is opened with RTLD_LOCAL and runs teams in a thread of its own
 *     narrow CPU         computes, and after a moment gives its main thread this CPU alone
 *     hoard MIB          memory that is used and given back to malloc, and computes
 *     normal N           N threads that compute with numbers of common size
 *     denormal N         N threads that compute with denormal numbers
 *     half-flush N       N threads that compute; then the main thread alone is told to flush denormals, and computes
 *     unflush N          N threads that stop flushing, and compute with denormal numbers
 *     wait N             N threads in each of several system calls, begun again whenever they end; each that ends with
 *                        EINTR is said on standard error
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __x86_64__
#include <immintrin.h>
#endif

static volatile double sink;

static void compute(void)
{
	for (;;) {
		for (int i = 0; i < 1000000; i++)
			sink += i;
	}
}

static void bind_to(const char *word)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!word || atoi(word) == cpu)
			CPU_SET(cpu, &set);
	}
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		perror("sched_setaffinity");
}

static void *burn(void *word)
{
	if (strcmp(word, "any") != 0)
		bind_to(strcmp(word, "all") == 0 ? NULL : word);
	compute();
	return NULL;
}

static void start(void *(*work)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, argument) != 0)
		abort();
}

static void team(int threads)
{
#ifdef _OPENMP
	if (threads)
		omp_set_num_threads(threads);
	for (;;) {
#pragma omp parallel
		for (int i = 0; i < 20000000; i++)
			__asm__ volatile("");
	}
#else
	(void)threads;
	abort();
#endif
}

static void fork_after_a_team(void)
{
#pragma omp parallel
	__asm__ volatile("");
	if (fork() == 0)
		pause();
	team(0);
}

static void *run_library(void *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void (*run)(void) = library ? (void (*)(void))dlsym(library, "run_teams") : NULL;

	if (!run) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	run();
	return NULL;
}

static void touch(size_t mib)
{
	char *memory = malloc(mib << 20);

	if (!memory)
		abort();
	memset(memory, 1, mib << 20);
	sink += ((volatile char *)memory)[(mib << 20) - 1]; /* or the compiler does without all of it */
	compute();
}

static void walk(size_t mib)
{
	volatile char *memory = malloc(mib << 20);

	if (!memory)
		abort();
	for (;;) {
		for (size_t i = 0; i < mib << 20; i += 4096)
			memory[i] = 1;
	}
}

static void hoard(size_t mib)
{
	char *memory = malloc(mib << 20);

	if (!memory)
		abort();
	memset(memory, 1, mib << 20);
	sink += ((volatile char *)memory)[(mib << 20) - 1];
	free(memory);
	compute();
}

static void narrow(const char *cpu)
{
	const time_t end = time(NULL) + 2;

	while (time(NULL) < end) {
		for (int i = 0; i < 1000000; i++)
			sink += i;
	}
	bind_to(cpu);
	compute();
}

/* Halved until it is denormal, and anew: half of the numbers are. */
static void *compute_from(void *from)
{
	volatile float number;

	for (;;) {
		number = *(float *)from;
		for (int i = 0; i < 40; i++)
			number = number * 0.5f;
		sink += number;
	}
	return NULL;
}

static float common = 1e10f, small = 1e-32f;

static void half_flush(int count)
{
	for (int i = 0; i < count; i++)
		start(compute_from, &common);
	usleep(100000);
#ifdef __x86_64__
	_mm_setcsr(_mm_getcsr() | 0x8040);
#endif
	(void)compute_from(&common);
}

static void *unflush(void *number)
{
#ifdef __x86_64__
	_mm_setcsr(_mm_getcsr() & ~0x8040u);
#endif
	return compute_from(number);
}

static int pipe_fds[2], socket_fds[2], epoll_fd;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void *wait_in(void *which)
{
	for (;;) {
		const struct timespec hour = { 3600, 0 };
		struct pollfd one = { .fd = pipe_fds[0], .events = POLLIN };
		struct epoll_event event;
		fd_set set;
		char byte;
		long r = 0;

		FD_ZERO(&set);
		FD_SET(pipe_fds[0], &set);
		errno = 0;
		switch ((int)(intptr_t)which) {
		case 0:
			r = nanosleep(&hour, NULL);
			break;
		case 1:
			r = poll(&one, 1, 3600000);
			break;
		case 2:
			r = read(pipe_fds[0], &byte, 1);
			break;
		case 3:
			r = epoll_wait(epoll_fd, &event, 1, -1);
			break;
		case 4:
			r = recv(socket_fds[0], &byte, 1, 0);
			break;
		case 5:
			r = select(pipe_fds[0] + 1, &set, NULL, NULL, NULL);
			break;
		case 6:
			pthread_mutex_lock(&lock);
			pthread_cond_wait(&never, &lock);
			pthread_mutex_unlock(&lock);
			break;
		default:
			r = read(socket_fds[0], &byte, 1);
			break;
		}
		if (r < 0 && errno == EINTR)
			fprintf(stderr, "EINTR %d\n", (int)(intptr_t)which);
	}
	return NULL;
}

enum { WAITS = 8 };

static void wait_in_calls(int count)
{
	const struct timeval hour = { 3600, 0 };

	if (pipe(pipe_fds) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, socket_fds) < 0)
		abort();
	/* With a timeout its calls are not begun again. */
	(void)setsockopt(socket_fds[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof(hour));
	epoll_fd = epoll_create1(0);
	for (int i = 0; i < count * WAITS; i++)
		start(wait_in, (void *)(intptr_t)(i % WAITS));
}

/* The kernel's call itself: libnuma need not be there. 2 is MPOL_BIND. */
static void bind_memory(unsigned node)
{
	const unsigned long nodes = 1UL << node;

	if (syscall(SYS_set_mempolicy, 2, &nodes, 8 * sizeof(nodes)) < 0)
		perror("set_mempolicy");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	for (int i = 2; i < argc && strcmp(what, "burn") == 0; i++)
		start(burn, argv[i]);
	for (int i = 2; i < argc && strcmp(what, "open") == 0; i++)
		start(run_library, argv[i]);
	if (strcmp(what, "escape") == 0) {
		start(burn, (void *)"all");
		start(burn, (void *)"all");
	} else if (strcmp(what, "touch") == 0 && argc > 2) {
		touch((size_t)atoi(argv[2]));
	} else if (strcmp(what, "remote") == 0 && argc > 3) {
		bind_memory((unsigned)atoi(argv[2]));
		touch((size_t)atoi(argv[3]));
	} else if (strcmp(what, "team") == 0 && argc > 2) {
		team(atoi(argv[2]));
	} else if (strcmp(what, "fork") == 0) {
		fork_after_a_team();
	} else if (strcmp(what, "walk") == 0 && argc > 2) {
		walk((size_t)atoi(argv[2]));
	} else if (strcmp(what, "narrow") == 0 && argc > 2) {
		narrow(argv[2]);
	} else if (strcmp(what, "hoard") == 0 && argc > 2) {
		hoard((size_t)atoi(argv[2]));
	} else if (strcmp(what, "normal") == 0 || strcmp(what, "denormal") == 0) {
		for (int i = 0; i < (argc > 2 ? atoi(argv[2]) : 1); i++)
			start(compute_from, what[0] == 'n' ? &common : &small);
	} else if (strcmp(what, "unflush") == 0 && argc > 2) {
		for (int i = 0; i < atoi(argv[2]); i++)
			start(unflush, &small);
	} else if (strcmp(what, "half-flush") == 0 && argc > 2) {
		half_flush(atoi(argv[2]));
	} else if (strcmp(what, "wait") == 0 && argc > 2) {
		wait_in_calls(atoi(argv[2]));
	}
	pause();
	return 0;
}

#ifdef OWN_MALLOC
/* A program that brings its own malloc comes first for all code, before whatever is preloaded. */
static char heap[64 << 20] __attribute__((aligned(64)));
static size_t used;

void *malloc(size_t size)
{
	size_t at = __atomic_fetch_add(&used, (size + 79) / 64 * 64, __ATOMIC_RELAXED);

	if (at + size + 64 > sizeof(heap))
		return NULL;
	*(size_t *)(void *)(heap + at) = size;
	return heap + at + 64;
}

void free(void *block)
{
	(void)block;
}

void *calloc(size_t count, size_t size)
{
	return malloc(count * size); /* fresh, and zero */
}

void *realloc(void *block, size_t size)
{
	void *other = malloc(size);

	if (other && block) {
		size_t old = *(size_t *)(void *)((char *)block - 64);

		memcpy(other, block, old < size ? old : size);
	}
	return other;
}
#endif

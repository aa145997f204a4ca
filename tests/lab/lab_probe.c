/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs made to be wrong, each one word: they do what they say until they are killed.
 *
 *     burn CPU...        a thread for each word that computes: on this CPU alone, or ("any") where it may
 *     escape             two threads that compute and give themselves all CPUs, as ONNX Runtime's pool does
 *     touch MIB          memory that is used, and a thread that computes
 *     remote NODE MIB    the same, with its memory on that node
 *     team N             an OpenMP team after omp_set_num_threads(N); 0: as the environment has it
 *     fork               a child forked after a team, which waits
 *     open LIBRARY...    each is opened with RTLD_LOCAL and runs teams in a thread of its own
 *     narrow CPU         computes, and after a moment gives its main thread this CPU alone
 *     hoard MIB          memory that is used and given back to malloc, and computes
 */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
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
	} else if (strcmp(what, "narrow") == 0 && argc > 2) {
		narrow(argv[2]);
	} else if (strcmp(what, "hoard") == 0 && argc > 2) {
		hoard((size_t)atoi(argv[2]));
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * On which nodes the pages lie that a program touches. It allocates and touches memory as programs do, then asks the
 * kernel twice: move_pages() without a target, for each page touched, and numa_maps, for the mappings these pages are
 * in.
 *
 *   page-probe [--cpu N] [--thread-cpu N] [--hold MIB | --file PATH]
 *
 * A line each: "WHO KIND NODE:PAGES ..." with WHO main, thread, fork or exec and KIND large or small; last "huge KIB",
 * how much of the main process is in huge pages. --cpu and --thread-cpu say where main (and its children) and the
 * second thread run, so that "the toucher's node" is one and the same each time. --hold touches MIB instead and prints
 * "held NODE:PAGES ...", --file reads a file through a mapping and prints "file NODE:PAGES ...". Exit code 1: what the
 * kernel said twice was not the same; the line on stderr says how.
 */
#include "page-count.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LARGE_BYTES = 16 << 20, /* a mapping of its own, whatever the allocator */
	SMALL_BYTES = 2000,
	SMALL_COUNT = 2000, /* 4 MB of the heap, or of a thread's arena */
};

struct options {
	int cpu, thread_cpu; /* -1: anywhere */
	size_t hold_bytes;   /* 0: no */
	const char *file;    /* NULL: none */
};

static void run_on(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		page_count_fail("sched_setaffinity");
}

static char *take(size_t bytes)
{
	char *const p = malloc(bytes);

	if (!p)
		page_count_fail("malloc");
	memset(p, 1, bytes);
	return p;
}

/* Never freed: what is given back would be counted no more. */
static void touch_and_tell(const char *who)
{
	static __thread char *small[SMALL_COUNT];
	struct page_range large = { take(LARGE_BYTES), LARGE_BYTES };
	struct page_range ranges[SMALL_COUNT];
	char label[32];

	for (size_t i = 0; i < SMALL_COUNT; i++) {
		small[i] = take(SMALL_BYTES);
		ranges[i] = (struct page_range){ small[i], SMALL_BYTES };
	}
	(void)snprintf(label, sizeof(label), "%s large", who);
	page_count_tell(label, &large, 1);
	(void)snprintf(label, sizeof(label), "%s small", who);
	page_count_tell(label, ranges, SMALL_COUNT);
}

static void *thread_main(void *context)
{
	const struct options *options = context;

	run_on(options->thread_cpu);
	touch_and_tell("thread");
	return NULL;
}

static void wait_for(pid_t pid, const char *who)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		page_count_fail(who);
	if (status) {
		(void)fprintf(stderr, "page-probe: %s ended with status %d\n", who, status);
		exit(1);
	}
}

static void everything(char *const argv[], const struct options *options)
{
	pthread_t thread;
	pid_t pid;

	touch_and_tell("main");
	if (pthread_create(&thread, NULL, thread_main, (void *)options) != 0 || pthread_join(thread, NULL) != 0)
		page_count_fail("thread");
	pid = fork();
	if (!pid) {
		touch_and_tell("fork");
		_exit(0);
	}
	wait_for(pid, "fork");
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", argv[0], "--exec", (char *)NULL);
		_exit(127);
	}
	wait_for(pid, "exec");
	printf("huge %zu\n", page_count_huge_kib());
}

/* What lies in the page cache is counted where it lies. */
static void read_mapped(const char *path)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct page_range range = { NULL, 0 };
	struct stat st;
	unsigned sum = 0;

	if (fd < 0 || fstat(fd, &st) < 0)
		page_count_fail(path);
	range.bytes = (size_t)st.st_size;
	range.start = mmap(NULL, range.bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (range.start == MAP_FAILED)
		page_count_fail("mmap");
	for (size_t i = 0; i < range.bytes; i++)
		sum += (unsigned char)range.start[i];
	if (!sum)
		(void)fprintf(stderr, "page-probe: '%s' is all zeros\n", path);
	page_count_tell("file", &range, 1);
	(void)munmap(range.start, range.bytes);
	(void)close(fd);
}

static long number(const char *text)
{
	char *end;
	const long n = strtol(text, &end, 10);

	if (*end || end == text || n < 0) {
		(void)fprintf(stderr, "page-probe: '%s' is no number\n", text);
		exit(2);
	}
	return n;
}

int main(int argc, char *argv[])
{
	struct options options = { .cpu = -1, .thread_cpu = -1 };

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && strcmp(argv[1], "--exec") == 0) {
		touch_and_tell("exec");
		return 0;
	}
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--cpu") == 0)
			options.cpu = (int)number(argv[i + 1]);
		else if (strcmp(argv[i], "--thread-cpu") == 0)
			options.thread_cpu = (int)number(argv[i + 1]);
		else if (strcmp(argv[i], "--hold") == 0)
			options.hold_bytes = (size_t)number(argv[i + 1]) << 20;
		else if (strcmp(argv[i], "--file") == 0)
			options.file = argv[i + 1];
		else
			argc = 0;
	}
	if (argc % 2 == 0) {
		(void)fprintf(stderr, "usage: page-probe [--cpu N] [--thread-cpu N] [--hold MIB | --file PATH]\n");
		return 2;
	}
	run_on(options.cpu);
	if (options.hold_bytes) {
		struct page_range range = { take(options.hold_bytes), options.hold_bytes };

		page_count_tell("held", &range, 1);
		free(range.start);
		return 0;
	}
	if (options.file) {
		read_mapped(options.file);
		return 0;
	}
	everything(argv, &options);
	return 0;
}

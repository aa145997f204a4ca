/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who answers malloc, as the library itself tells it: lines "main|thread|exec FILE counted|not-counted", then what the
 * library says of its options. Linked against libc alone.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCK = 48 << 20 };

typedef int jemalloc_read(const char *name, void *old, size_t *old_length, void *new, size_t new_length);
typedef int tcmalloc_read(const char *name, size_t *value);
typedef int mimalloc_owns(const void *block);

static void *find(const char *name)
{
	return dlsym(RTLD_DEFAULT, name);
}

/* Bytes in use by this thread's or the process's own count of the library; 0: it does not count. */
static size_t in_use(void)
{
	jemalloc_read *const jemalloc = (jemalloc_read *)find("mallctl");
	tcmalloc_read *const tcmalloc = (tcmalloc_read *)find("MallocExtension_GetNumericProperty");
	size_t bytes = 0, length = sizeof(bytes);
	unsigned long long allocated = 0, deallocated = 0;

	if (tcmalloc)
		return tcmalloc("generic.current_allocated_bytes", &bytes) ? bytes : 0;
	if (!jemalloc) {
		const struct mallinfo2 info = mallinfo2();

		return info.uordblks + info.hblkhd;
	}
	length = sizeof(allocated);
	if (jemalloc("thread.allocated", &allocated, &length, NULL, 0) != 0 ||
	    jemalloc("thread.deallocated", &deallocated, &length, NULL, 0) != 0)
		return 0;
	return allocated - deallocated;
}

static int is_counted(void)
{
	mimalloc_owns *const mimalloc = (mimalloc_owns *)find("mi_check_owned");
	const size_t before = in_use();
	char *volatile block = malloc(BLOCK);
	int counted = block && (mimalloc ? mimalloc(block) : in_use() >= before + BLOCK);

	if (block)
		block[0] = 1;
	free(block);
	return counted;
}

static void *say(void *who)
{
	Dl_info info = { .dli_fname = "nobody" };
	void *const function = find("malloc");

	if (function)
		(void)dladdr(function, &info);
	printf("%s %s %s\n", (const char *)who, info.dli_fname, is_counted() ? "counted" : "not-counted");
	(void)fflush(stdout);
	return NULL;
}

static int say_jemalloc(jemalloc_read *read)
{
	ssize_t decay = 0;
	unsigned char background = 0;
	size_t decay_length = sizeof(decay), background_length = sizeof(background);

	if (read("opt.dirty_decay_ms", &decay, &decay_length, NULL, 0) != 0 ||
	    read("background_thread", &background, &background_length, NULL, 0) != 0)
		return 0;
	return printf("options decay %zd background %d\n", decay, background);
}

/* In C++ it is MallocExtension::instance()->GetMemoryReleaseRate(). */
static int say_tcmalloc(void)
{
	void *(*const instance)(void) = (void *(*)(void))find("_ZN15MallocExtension8instanceEv");
	double (*const rate)(void *) = (double (*)(void *))find("_ZN22TCMallocImplementation20GetMemoryReleaseRateEv");

	return instance && rate ? printf("options release %g\n", rate(instance())) : 0;
}

/* glibc keeps the chunk's size in front of the block, and IS_MMAPPED in its second bit. */
static int say_glibc(const char *block)
{
	size_t size = 0;

	if (block)
		memcpy(&size, (const char *)((uintptr_t)block - sizeof(size)), sizeof(size));
	return printf("options mapped %d\n", (size & 2) != 0);
}

static void say_options(void)
{
	jemalloc_read *const jemalloc = (jemalloc_read *)find("mallctl");
	char *volatile block = malloc(128 << 20);

	if (jemalloc)
		(void)say_jemalloc(jemalloc);
	else if (!say_tcmalloc() && !find("mi_check_owned"))
		(void)say_glibc(block);
	free(block);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	char *const again[] = { argv[0], (char *)"exec", NULL };
	pthread_t thread;
	pid_t child;
	int status = 1;

	if (argc > 1) {
		say(argv[1]);
		return 0;
	}
	say((void *)"main");
	if (pthread_create(&thread, NULL, say, (void *)"thread") != 0 || pthread_join(thread, NULL) != 0)
		return 1;
	child = fork();
	if (child == 0) {
		execv("/proc/self/exe", again);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 1;
	say_options();
	return status != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fettle-probe: says which library answers malloc in a process like the program that is to be run. fettle starts it
 * under that program's dynamic loader with a library in LD_PRELOAD, and reads one line: "malloc PATH". It has nothing
 * of fettle's in it, so that what it proves is about the library alone.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZES = 5, PATTERN = 0x5a };

static const size_t sizes[SIZES] = { 1, 100, 5000, 70000, 3 << 20 };

struct blocks {
	unsigned char *items[SIZES];
	int right;
};

static int is_filled(const unsigned char *bytes, size_t length, unsigned char with)
{
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != with)
			return 0;
	}
	return 1;
}

/* Use it as programs do; the caller frees what is made, from another thread or not. */
static int allocate(struct blocks *blocks)
{
	for (size_t i = 0; i < SIZES; i++) {
		unsigned char *zero = calloc(1, sizes[i]), *bytes = malloc(sizes[i]), *grown = NULL;
		void *aligned = NULL;
		int right = zero && bytes && is_filled(zero, sizes[i], 0) &&
			    posix_memalign(&aligned, 64, sizes[i]) == 0 && (uintptr_t)aligned % 64 == 0;

		if (right) {
			memset(bytes, PATTERN, sizes[i]);
			memset(aligned, ~PATTERN, sizes[i]);
			grown = realloc(bytes, 2 * sizes[i]);
			right = grown && is_filled(grown, sizes[i], PATTERN);
		}
		free(zero);
		free(aligned);
		blocks->items[i] = grown ? grown : bytes;
		if (!right)
			return 0;
	}
	return 1;
}

static void *work(void *context)
{
	struct blocks *blocks = context;

	blocks->right = allocate(blocks);
	return NULL;
}

static int allocate_in_two_threads(void)
{
	struct blocks mine = { { NULL }, 0 }, its = { { NULL }, 0 };
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, &its) != 0)
		return 0;
	work(&mine);
	if (pthread_join(thread, NULL) != 0)
		return 0;
	for (size_t i = 0; i < SIZES; i++) {
		free(its.items[i]);
		free(mine.items[i]);
	}
	return mine.right && its.right;
}

static const char *owner(const char *name)
{
	void *const function = dlsym(RTLD_DEFAULT, name);
	Dl_info info;

	return function && dladdr(function, &info) && info.dli_fname ? info.dli_fname : "nobody";
}

int main(void)
{
	static const char *const functions[] = { "free", "calloc", "realloc", "posix_memalign" };
	const char *const in_charge = owner("malloc");

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (strcmp(owner(functions[i]), in_charge) != 0) {
			(void)fprintf(stderr, "malloc is of '%s', %s of '%s'\n", in_charge, functions[i],
				      owner(functions[i]));
			return EXIT_FAILURE;
		}
	}
	if (!allocate_in_two_threads()) {
		(void)fputs("memory allocated in two threads is not as it must be\n", stderr);
		return EXIT_FAILURE;
	}
	return printf("malloc %s\n", in_charge) < 0 || fflush(stdout) == EOF ? EXIT_FAILURE : EXIT_SUCCESS;
}

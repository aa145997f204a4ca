/* SPDX-License-Identifier: Apache-2.0 */
/*
 * allocation-loop THREADS ROUNDS STEPS: each thread takes, touches and gives back memory of 16 bytes to 256 KiB, as a
 * program that does little else. A thread lasts so many steps and is followed by another. Prints milliseconds.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { KEPT = 512, THREADS_MAX = 64 };

static unsigned long steps;

static void *work(void *argument)
{
	uint64_t state = (uint64_t)(uintptr_t)argument * 2654435761U + 1;
	char *kept[KEPT] = { NULL };

	for (unsigned long i = 0; i < steps; i++) {
		const size_t slot = i % KEPT;
		size_t size;

		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		size = (size_t)16 << (state >> 60) % 15;
		free(kept[slot]);
		kept[slot] = malloc(size);
		if (!kept[slot])
			abort();
		for (size_t at = 0; at < size; at += 4096)
			kept[slot][at] = 1;
	}
	for (unsigned i = 0; i < KEPT; i++)
		free(kept[i]);
	return NULL;
}

static double now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

int main(int argc, char *argv[])
{
	const unsigned long threads = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
	const unsigned long rounds = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	const double began = now_ms();
	pthread_t ids[THREADS_MAX];

	steps = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
	if (!threads || threads > THREADS_MAX || !rounds || !steps)
		return 2;
	for (unsigned long round = 0; round < rounds; round++) {
		for (unsigned long i = 0; i < threads; i++) {
			if (pthread_create(&ids[i], NULL, work, (void *)(uintptr_t)(round * threads + i)) != 0)
				return 1;
		}
		for (unsigned long i = 0; i < threads; i++)
			(void)pthread_join(ids[i], NULL);
	}
	(void)printf("%.3f\n", now_ms() - began);
	return 0;
}

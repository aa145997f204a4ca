/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an OpenMP team really runs. A line a thread: "cpus LIST mask LIST": the CPUs it was seen on while it worked,
 * and those it may use. All work at once, so that none can stand in for another.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_CPUS = 8192, MAX_THREADS = 1024, WORK_MS = 100 };

struct place {
	cpu_set_t *seen, *mask;
};

static const size_t set_bytes = CPU_ALLOC_SIZE(MAX_CPUS);

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void print_list(const char *label, const cpu_set_t *set)
{
	const char *comma = "";

	printf("%s ", label);
	for (int cpu = 0; cpu < MAX_CPUS; cpu++) {
		int last = cpu;

		if (!CPU_ISSET_S(cpu, set_bytes, set))
			continue;
		while (last + 1 < MAX_CPUS && CPU_ISSET_S(last + 1, set_bytes, set))
			last++;
		printf(last > cpu ? "%s%d-%d" : "%s%d", comma, cpu, last);
		comma = ",";
		cpu = last;
	}
}

static void work(struct place *place)
{
	const double end = now_ms() + WORK_MS;

	place->seen = CPU_ALLOC(MAX_CPUS);
	place->mask = CPU_ALLOC(MAX_CPUS);
	if (!place->seen || !place->mask || sched_getaffinity(0, set_bytes, place->mask) < 0) {
		perror("thread-places");
		exit(1);
	}
	CPU_ZERO_S(set_bytes, place->seen);
	do {
		const int cpu = sched_getcpu();

		if (cpu >= 0)
			CPU_SET_S((size_t)cpu, set_bytes, place->seen);
	} while (now_ms() < end);
}

int main(void)
{
	static struct place places[MAX_THREADS];
	int count = 0;

	/* No omp.h: clang's analysers have none. */
#pragma omp parallel
	{
		int me;

#pragma omp atomic capture
		me = count++;
#pragma omp barrier
		if (me < MAX_THREADS)
			work(&places[me]);
	}
	if (count > MAX_THREADS) {
		(void)fprintf(stderr, "thread-places: %d threads, at most %d\n", count, MAX_THREADS);
		return 1;
	}
	for (int i = 0; i < count; i++) {
		print_list("cpus", places[i].seen);
		print_list(" mask", places[i].mask);
		printf("\n");
		CPU_FREE(places[i].seen);
		CPU_FREE(places[i].mask);
	}
	return 0;
}

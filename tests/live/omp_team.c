/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenMP program that says in one line how many threads its team has and which CPUs each may use:
 * "2: 0 1". refused.sh runs it where the kernel does not grant what was planned.
 */
#include <omp.h>
#include <sched.h>
#include <stdio.h>

enum { THREADS_MAX = 64 };

int main(void)
{
	static cpu_set_t masks[THREADS_MAX];
	int count = 0;

#pragma omp parallel
	{
		const int i = omp_get_thread_num();

		if (i < THREADS_MAX)
			(void)sched_getaffinity(0, sizeof(masks[i]), &masks[i]);
#pragma omp single
		count = omp_get_num_threads();
	}
	printf("%d:", count);
	for (int i = 0; i < count && i < THREADS_MAX; i++) {
		const char *before = " ";

		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &masks[i]))
				continue;
			printf("%s%d", before, cpu);
			before = ",";
		}
	}
	printf("\n");
	return fflush(stdout) == 0 ? 0 : 1;
}

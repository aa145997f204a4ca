/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenMP program that tells what it runs on, a line a fact: which library answers, which CPUs each thread of its
 * team may use, how much CPU time an idle team takes in a second, and what a forked child may use. openmp_runtimes.py
 * runs it. Words: "early": fork before the first team (GNU's runtime hangs in a child forked later); "late": after it;
 * "idle": measure.
 */
#include <dlfcn.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

static void print_mask(const cpu_set_t *mask)
{
	const char *before = " ";

	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, mask))
			continue;
		printf("%s%d", before, cpu);
		before = ",";
	}
}

static int team(cpu_set_t *masks)
{
	int count = 0;

#pragma omp parallel
	{
		const int i = omp_get_thread_num();

		if (i < THREADS_MAX)
			(void)sched_getaffinity(0, sizeof(masks[i]), &masks[i]);
#pragma omp single
		count = omp_get_num_threads();
	}
	return count < THREADS_MAX ? count : THREADS_MAX;
}

static void print_team(void)
{
	static cpu_set_t masks[THREADS_MAX];
	const int count = team(masks);

	printf("team");
	for (int i = 0; i < count; i++)
		print_mask(&masks[i]);
	printf("\n");
}

/* A child as a data loader is one: it computes with one thread. What may its main thread use then? */
static int child(void)
{
	cpu_set_t mask;
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
#pragma omp parallel num_threads(1)
		(void)omp_get_thread_num();
		(void)sched_getaffinity(0, sizeof(mask), &mask);
		printf("child");
		print_mask(&mask);
		printf("\n");
		(void)fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status) {
		printf("child died of %d\n", status);
		return 1;
	}
	return 0;
}

static double cpu_ms(void)
{
	struct rusage use;

	(void)getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1e3 +
	       (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e3;
}

static void print_idle(void)
{
	static cpu_set_t masks[THREADS_MAX];
	double before;

	(void)team(masks);
	before = cpu_ms();
	(void)usleep(1000000);
	printf("idle %.0f\n", cpu_ms() - before);
}

int main(int argc, char **argv)
{
	void *const function = dlsym(RTLD_DEFAULT, "omp_get_max_threads");
	Dl_info info = { .dli_fname = "nobody" };
	int failed = 0;

	if (function)
		(void)dladdr(function, &info);
	printf("runtime %s\n", info.dli_fname);
	if (argc > 1 && strcmp(argv[1], "early") == 0)
		failed |= child();
	print_team();
	if (argc > 1 && strcmp(argv[1], "late") == 0)
		failed |= child();
	if (argc > 1 && strcmp(argv[1], "idle") == 0)
		print_idle();
	return failed || fflush(stdout) != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenMP program that tells what it runs on, a line a fact: which library answers, which CPUs each thread of its
 * team may use, in which part of the time an idle team wants a CPU, and what a forked child may use. openmp_runtimes.py
 * runs it. Words: "early": fork before the first team (GNU's runtime hangs in a child forked later); "late": after it;
 * "idle": measure.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Has a thread a CPU, or waits for one? What it gets of one is the neighbours' affair: spinning threads yield. */
static int wants_cpu(const char *tid)
{
	char path[64], text[512];
	const char *state;
	size_t length = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%s/stat", tid);
	file = fopen(path, "r");
	if (file) {
		length = fread(text, 1, sizeof(text) - 1, file);
		(void)fclose(file);
	}
	text[length] = '\0';
	state = strrchr(text, ')');
	return state && state[1] && state[2] == 'R';
}

/* How many of the other threads want a CPU; `*all` grows by how many there are. */
static int want_cpu(int *all)
{
	DIR *folder = opendir("/proc/self/task");
	const long own = (long)getpid();
	struct dirent *entry;
	int count = 0;

	while (folder && (entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.' || strtol(entry->d_name, NULL, 10) == own)
			continue;
		++*all;
		count += wants_cpu(entry->d_name);
	}
	if (folder)
		(void)closedir(folder);
	return count;
}

static void print_idle(void)
{
	enum { SETTLE_US = 500000, LOOKS = 50, EACH_US = 10000 };
	static cpu_set_t masks[THREADS_MAX];
	int want = 0, all = 0;

	(void)team(masks);
	(void)usleep(SETTLE_US);
	for (int i = 0; i < LOOKS; i++) {
		(void)usleep(EACH_US);
		want += want_cpu(&all);
	}
	printf("idle %.0f\n", all ? 100.0 * want / all : -1.0);
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

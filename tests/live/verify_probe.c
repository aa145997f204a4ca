/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenMP program for tests of what looking on finds: verify_probe SECONDS [WORD...].
 *   team       compute with a team, as planned (default)
 *   alone      compute with the main thread alone, in a program that could have a team
 *   escape CPU after 0.3 s let the main thread run on that CPU too
 *   exit CODE  end with it
 *   done FILE  make it at the end
 *   usr1 FILE  make it when SIGUSR1 comes
 */
#include <fcntl.h>
#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *usr1_file;

static void make(const char *name)
{
	const int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		(void)close(fd);
}

static void on_usr1(int number)
{
	(void)number;
	make(usr1_file);
}

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void let_go(int cpu)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return;
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set), &set);
}

/* A few milliseconds of work for each thread. */
static double work(void)
{
	double sum = 0;

#pragma omp parallel reduction(+ : sum)
	for (int i = 1; i < 1000000; i++)
		sum += 1.0 / i;
	return sum;
}

int main(int argc, char **argv)
{
	const double begin = now(), end = begin + (argc > 1 ? strtod(argv[1], NULL) : 1);
	int escape = -1, code = 0;
	const char *done = NULL;
	volatile double sum = 0;

	for (int i = 2; i < argc; i++) {
		if (strcmp(argv[i], "alone") == 0)
			omp_set_num_threads(1);
		else if (i + 1 < argc && strcmp(argv[i], "escape") == 0)
			escape = atoi(argv[++i]);
		else if (i + 1 < argc && strcmp(argv[i], "exit") == 0)
			code = atoi(argv[++i]);
		else if (i + 1 < argc && strcmp(argv[i], "done") == 0)
			done = argv[++i];
		else if (i + 1 < argc && strcmp(argv[i], "usr1") == 0)
			usr1_file = argv[++i];
	}
	if (usr1_file)
		(void)signal(SIGUSR1, on_usr1);
	while (now() < end) {
		sum += work();
		if (escape >= 0 && now() > begin + 0.3) {
			let_go(escape);
			escape = -1;
		}
	}
	if (done)
		make(done);
	return code;
}

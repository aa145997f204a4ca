/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes of denormal numbers, bit by bit, in everything a program may compute in: "who RESULTS OPERANDS", each with
 * the bits of a float and a double. All zero: they are flushed.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef _OPENMP
#include <omp.h>
#endif

/* volatile: the processor computes it, in this thread, not the compiler. */
static volatile float float_min = 0x1p-126f, float_denormal = 0x1p-149f;
static volatile double double_min = 0x1p-1022, double_denormal = 0x1p-1074;

static uint32_t float_bits(float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static uint64_t double_bits(double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

static void say(const char *who)
{
	const float float_result = float_min * 0.25f, float_scaled = float_denormal * 0x1p60f;
	const double double_result = double_min * 0.25, double_scaled = double_denormal * 0x1p60;

	printf("%s %x,%llx %x,%llx\n", who, float_bits(float_result), (unsigned long long)double_bits(double_result),
	       float_bits(float_scaled), (unsigned long long)double_bits(double_scaled));
	(void)fflush(stdout);
}

static void *say_in_thread(void *who)
{
	say(who);
	return NULL;
}

static void in_thread(const char *who)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, say_in_thread, (void *)who) || pthread_join(thread, NULL))
		exit(1);
}

static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || status)
		exit(1);
}

static void in_fork(void)
{
	const pid_t pid = fork();

	if (pid == 0) {
		say("fork");
		in_thread("thread-of-fork");
		_exit(0);
	}
	reap(pid);
}

static void in_exec(const char *program)
{
	const pid_t pid = fork();

	if (pid == 0) {
		execl(program, program, "exec", (char *)NULL);
		_exit(127);
	}
	reap(pid);
}

#ifdef _OPENMP
static void in_team(void)
{
#pragma omp parallel for ordered schedule(static, 1)
	for (int i = 0; i < omp_get_num_threads(); i++) {
#pragma omp ordered
		{
			char who[32];

			(void)snprintf(who, sizeof(who), "team-%d", omp_get_thread_num());
			say(who);
		}
	}
}
#endif

int main(int argc, char **argv)
{
	if (argc > 1) {
		say(argv[1]);
		return 0;
	}
	say("main");
	in_thread("thread");
	in_fork();
	in_exec(argv[0]);
#ifdef _OPENMP
	in_team();
	in_fork();
#endif
	return 0;
}

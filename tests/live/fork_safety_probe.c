/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenMP program that says which CPUs it and what it starts may use: one "who list" a line.
 * fork_safety.py runs it with and without the agent and judges the lines.
 */
#include <dlfcn.h>
#include <errno.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void say(const char *who)
{
	cpu_set_t set;
	const char *comma = "";

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return;
	printf("%s ", who);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &set)) {
			printf("%s%d", comma, cpu);
			comma = ",";
		}
	}
	printf("\n");
	fflush(stdout);
}

static void choose(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		perror("sched_setaffinity");
}

/* A shell that says its own CPUs after `who`; it loads no OpenMP runtime that could bind it. */
/* From CPU to CPU, as who asks each what it is, and back. */
static void look_around(void)
{
	cpu_set_t before;

	if (sched_getaffinity(0, sizeof(before), &before) != 0)
		return;
	(void)syscall(SYS_sched_setaffinity, 0, sizeof(before), &before);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		(void)syscall(SYS_sched_setaffinity, 0, sizeof(set), &set);
	}
	(void)syscall(SYS_sched_setaffinity, 0, sizeof(before), &before);
}

static char command[300];

static char *const *shell(const char *who)
{
	static char name[] = "sh", option[] = "-c";
	static char *argv[] = { name, option, command, NULL };

	(void)snprintf(
		command, sizeof(command),
		"while read k v; do test \"$k\" != Cpus_allowed_list: || echo '%s' \"$v\"; done </proc/self/status;"
		"echo '%s-places' \"${OMP_PLACES-none}\"",
		who, who);
	return argv;
}

/* Wait for a child; its failure is the probe's. */
static void await(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		printf("failed %d\n", (int)child);
}

static void by_fork(const char *who)
{
	pid_t child = fork();

	if (!child) {
		say(who);
		_exit(0);
	}
	await(child);
}

static void by_vfork(const char *who)
{
	char *const *argv = shell(who);
	pid_t child = vfork();

	if (!child) {
		execve("/bin/sh", argv, environ);
		_exit(1);
	}
	await(child);
}

/* A launcher that binds its child itself, in memory that it shares with us. */
static void by_vfork_that_chooses(const char *who, int cpu)
{
	char *const *argv = shell(who);
	pid_t child = vfork();

	if (!child) {
		choose(cpu);
		execve("/bin/sh", argv, environ);
		_exit(1);
	}
	await(child);
}

static void by_vfork_execl(const char *who)
{
	pid_t child;

	(void)shell(who);
	child = vfork();
	if (!child) {
		execlp("sh", "sh", "-c", command, (char *)NULL);
		_exit(1);
	}
	await(child);
}

static void by_spawn(const char *who)
{
	pid_t child = -1;

	if (posix_spawn(&child, "/bin/sh", NULL, NULL, shell(who), environ) != 0)
		child = -1;
	await(child);
}

static void by_system(const char *who)
{
	(void)shell(who);
	if (system(command) != 0)
		printf("failed system\n");
}

static void by_popen(const char *who)
{
	char line[100];
	FILE *pipe;

	(void)shell(who);
	pipe = popen(command, "r");
	while (pipe && fgets(line, sizeof(line), pipe))
		fputs(line, stdout);
	if (!pipe || pclose(pipe) != 0)
		printf("failed popen\n");
	fflush(stdout);
}

static void *thread_body(void *who)
{
	say(who);
	return NULL;
}

static void by_thread(const char *who)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_body, (void *)(size_t)who) != 0 || pthread_join(thread, NULL) != 0)
		printf("failed thread\n");
}

static void *forking_body(void *who)
{
	by_fork(who);
	return NULL;
}

/* A thread that the program itself gives a CPU, by its attribute. */
static void by_chosen_thread(const char *who, int cpu)
{
	pthread_attr_t attribute;
	pthread_t thread;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (pthread_attr_init(&attribute) != 0 || pthread_attr_setaffinity_np(&attribute, sizeof(set), &set) != 0 ||
	    pthread_create(&thread, &attribute, forking_body, (void *)(size_t)who) != 0 ||
	    pthread_join(thread, NULL) != 0)
		printf("failed thread\n");
	(void)pthread_attr_destroy(&attribute);
}

static void every_way(void)
{
	by_fork("fork");
	by_vfork("vfork");
	by_vfork_execl("vfork-execlp");
	by_spawn("spawn");
	by_system("system");
	by_popen("popen");
	by_thread("thread");
	/* A failed exec leaves the process as it was. */
	errno = 0;
	(void)execl("/nonexistent", "nonexistent", (char *)NULL);
	if (errno != ENOENT)
		printf("failed errno %d\n", errno);
	say("after");
}

/* A team of another copy of the runtime, as a wheel brings one: loaded now, when ours has bound this thread. */
static int (*copy_thread)(void);

static void copy_body(void *unused)
{
	char who[20];

	(void)unused;
	(void)snprintf(who, sizeof(who), "copy%d", copy_thread());
#pragma omp critical
	say(who);
}

static int by_copy(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	void (*parallel)(void (*)(void *), void *, unsigned, unsigned);
	void *found[] = { library ? dlsym(library, "GOMP_parallel") : NULL,
			  library ? dlsym(library, "omp_get_thread_num") : NULL };

	if (!found[0] || !found[1])
		return 1;
	memcpy(&parallel, &found[0], sizeof(parallel));
	memcpy(&copy_thread, &found[1], sizeof(copy_thread));
	parallel(copy_body, NULL, 2, 0);
	return 0;
}

/* Without a word: all ways. choose CPU: that first. Any other word: only that. */
int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const int cpu = argc > 2 ? atoi(argv[2]) : 0;

	say("main");
	if (strcmp(what, "exec") == 0) {
		(void)execv("/bin/sh", shell("exec"));
		return 1;
	}
	/* Somebody outside changes our CPUs now. */
	if (strcmp(what, "wait") == 0) {
		(void)getchar();
		by_fork("fork");
		by_vfork("vfork");
		return 0;
	}
	if (strcmp(what, "copy") == 0)
		return by_copy(argv[2]);
	if (strcmp(what, "thread-choose") == 0) {
		by_chosen_thread("chosen", cpu);
		return 0;
	}
	if (strcmp(what, "choose") == 0)
		choose(cpu);
	if (strcmp(what, "look-around") == 0)
		look_around();
	if (strcmp(what, "vfork-choose") == 0) {
		by_vfork_that_chooses("chosen", cpu);
		by_vfork("vfork");
		return 0;
	}
	every_way();
#pragma omp parallel
	{
#pragma omp critical
		{
			char who[20];

			(void)snprintf(who, sizeof(who), "worker%d", omp_get_thread_num());
			say(who);
		}
	}
	by_fork("fork-after-region");
#pragma omp parallel
	{
#pragma omp critical
		{
			if (omp_get_thread_num() == 1)
				by_vfork("worker-vfork");
		}
	}
	return 0;
}

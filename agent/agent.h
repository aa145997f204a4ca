/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The preloaded agent gives children the CPUs of their instance. An OpenMP
 * runtime that binds its threads binds the main thread too, most often to one
 * CPU, and whatever is forked from there inherits that one CPU (libgomp since
 * GCC 4.3 with OMP_PLACES or GOMP_CPU_AFFINITY, at load). The binding stays
 * where it is wanted, in the process itself; here it ends.
 *
 * A child that is a program of its own reads the same variables and would bind itself to the same places
 * as its parent and all its siblings (multiprocessing's spawn): what fettle set for binding is left out of its
 * environment.
 *
 * A second copy of the runtime, loaded when the first has bound the main thread, is told of the whole instance too.
 *
 * It also has the program count denormal numbers as zero where the plan says so (denormal.h).
 *
 * Inert unless FETTLE_PLAN says pin=threads and has a mask, or fp=flush. Hooks keep errno,
 * allocate nothing, print nothing and take no lock: they run between vfork() and exec.
 */
#pragma once

#include "mask.h"

#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

/* A function that takes the place of libc's. Nothing else is exported. */
#define HOOK __attribute__((visibility("default")))

/* The functions behind the hooks; NULL: this libc has none. */
struct behind {
	__typeof__(pthread_getaffinity_np) *pthread_getaffinity_np;
	__typeof__(pthread_setaffinity_np) *pthread_setaffinity_np;
	__typeof__(sched_setaffinity) *sched_setaffinity;
	__typeof__(pthread_create) *pthread_create;
	int (*execve)(const char *, char *const[], char *const[]);
	int (*execvpe)(const char *, char *const[], char *const[]);
	int (*fexecve)(int, char *const[], char *const[]);
	int (*execveat)(int, const char *, char *const[], char *const[], int);
	__typeof__(posix_spawn) *posix_spawn;
	__typeof__(posix_spawnp) *posix_spawnp;
	__typeof__(system) *system;
	FILE *(*popen)(const char *, const char *);
};

/*
 * The table, filled. A library's constructor may call a hook before ours has run, so every
 * hook comes by here.
 */
const struct behind *agent_behind(void);

/* Is `address` inside an OpenMP runtime's code? */
bool agent_is_runtime(const void *address);

/* Is there a plan by which children are to be widened? */
bool agent_active(void);

/* The program, not a runtime, chose CPUs for a thread that we cannot name. */
void agent_note_choice(void);

/*
 * Give the calling thread the CPUs it would have without the runtime's binding, when such a
 * binding is what it has. True: done, and `ret_before` is what to give back with agent_narrow().
 */
bool agent_widen(struct mask *ret_before);
void agent_narrow(const struct mask *before);

/*
 * Is what this process starts now a child of a process with bound threads, and is there a variable to be
 * left out? `inside_libc`: libc makes the child itself; else it is this very process that goes into exec.
 */
bool agent_filters(bool inside_libc);

/* Copy `from` without those variables into `to`, which has room for all of it. */
void agent_filter(char *const *from, char **to);

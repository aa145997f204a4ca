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
 * It also has the program count denormal numbers as zero where the plan says so (denormal.h), and writes down what
 * the process does where the plan names a record (recorder.h).
 *
 * Inert unless FETTLE_PLAN says pin=threads and has a mask, or fp=flush, or rec=. Hooks keep errno,
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
	int (*pthread_attr_getaffinity_np)(const pthread_attr_t *, size_t, cpu_set_t *);
	__typeof__(pthread_create) *pthread_create;
	int (*pthread_key_create)(pthread_key_t *, void (*)(void *));
	int (*pthread_key_delete)(pthread_key_t);
	int (*pthread_setspecific)(pthread_key_t, const void *);
	int (*execve)(const char *, char *const[], char *const[]);
	int (*execvpe)(const char *, char *const[], char *const[]);
	int (*fexecve)(int, char *const[], char *const[]);
	int (*execveat)(int, const char *, char *const[], char *const[], int);
	__typeof__(posix_spawn) *posix_spawn;
	__typeof__(posix_spawnp) *posix_spawnp;
	__typeof__(system) *system;
	FILE *(*popen)(const char *, const char *);
	int (*prctl)(int, ...);
	long (*syscall)(long, ...);
	void (*exit_now)(int); /* _exit */
};

/*
 * The table, filled. A library's constructor may call a hook before ours has run, so every
 * hook comes by here.
 */
const struct behind *agent_behind(void);

/* Look for them anew: glibc before 2.34 has threads in a library of their own, which may come later. */
const struct behind *agent_find_again(void);

/* Is `address` inside an OpenMP runtime's code; does a library of this file name hold one? */
bool agent_is_runtime(const void *address);
bool agent_names_runtime(const char *file);

/* Is it our doing that this process has the variable with that value, or (NULL) not at all? */
bool agent_withheld(const char *name, const char *value);

/* Is there a plan by which children are to be widened? */
bool agent_active(void);

/* The program, not a runtime, chose CPUs for a thread that we cannot name. */
void agent_note_choice(void);

/* Somebody sets CPUs: what there was before. */
struct agent_set {
	bool noted, self, known;
	struct mask before; /* known: of the calling thread, which it is (self) */
};

/* About to set CPUs of thread `tid`, 0: the calling one; and done, by code at `caller`, to `mask` of `size` bytes. */
void agent_set_begins(pid_t tid, struct agent_set *ret_set);
void agent_set_done(const struct agent_set *set, const void *caller, size_t size, const void *mask);

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

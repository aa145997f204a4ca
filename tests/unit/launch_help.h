/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the launch tests share: instances made by hand, a folder for what children leave
 * behind, and processes to do things in that a test must not do to itself.
 */
#pragma once

#include "base/cleanup.h"
#include "plan/plan.h"

#include <stdbool.h>
#include <stdio.h>

/* For functions that run in a forked process: cmocka's asserts would jump into a copy of its runner. */
#define CHECK(condition)                                                                              \
	do {                                                                                          \
		if (!(condition)) {                                                                   \
			(void)fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			return 1;                                                                     \
		}                                                                                     \
	} while (0)

/* Run `f` in a process of its own; its exit code. */
int in_process(int (*f)(void));

/* As in_process(), with what it and its programs write to stdout. Returns the exit code. */
int output_of(int (*f)(void), char *ret_text, size_t size, size_t *ret_length);

/* The `n`th CPU this process may use; -1: there are not so many. */
int nth_cpu(unsigned n);

/* An instance with the CPUs and nodes of two lists. */
void instance_init(struct plan_instance *instance, enum pin pin, const char *cpus, enum memory_policy policy,
		   const char *nodes);
void instance_clear(struct plan_instance *instance);
#define cleanup_instance cleanup_(instance_clear)

/* From now on this process is refused the system call with this errno. Returns 0 or -errno. */
int refuse(int number, int error);

/* The same only where the call's first argument is this one. */
int refuse_argument(int number, unsigned argument, int error);

/* The same, and who makes the call is killed. */
int refuse_by_death(int number);

/* A file with this text and mode below a new folder. The caller frees the path; remove_file() removes both. */
char *make_file(const char *text, size_t length, unsigned mode);
void remove_file(char *path);

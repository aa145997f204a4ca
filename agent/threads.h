/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notes of each thread how it begins and ends. A thread is accompanied by a start routine of ours before the program's
 * own, and its end is seen by the destructor of a key for thread-specific data.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct threads_start;

/* While there is one thread; again where the library with threads has come later. */
void threads_begin(void);

/*
 * Before pthread_create(): where the new thread finds what it is to do. NULL: none is free, or nothing is recorded;
 * start the thread as the program says. `flags` of enum agent_flag.
 */
struct threads_start *threads_prepare(void *(*start)(void *), void *argument, uint32_t flags);

/* The start routine that takes it. */
void *threads_run(void *prepared);

/* pthread_create() has failed, or succeeded without a place for it. */
void threads_abandon(struct threads_start *prepared);
void threads_unaccompanied(void);

/* In a forked child: its one thread is no thread of the parent. */
void threads_fork(void);

/* Note the flags of the calling thread as they are now. */
void threads_note_here(void);

/* The process ends: note the masks of those that are still there. `quiet`: without a system call. */
void threads_end(bool quiet);

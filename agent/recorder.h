/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes what this process does into the record (base/agent_record.h), when FETTLE_PLAN says where it is. Every
 * function does nothing without one, allocates nothing, takes no lock and keeps errno.
 */
#pragma once

#include "mask.h"

#include "base/agent_record.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * At the start of a program: find the record of the plan, take a row, and note how the process begins. `flush`: it is
 * to take denormal numbers for zero.
 */
void recorder_begin(const char *plan, bool flush);

bool recorder_on(void);
struct agent_record *recorder_file(void);
struct agent_process *recorder_process(void); /* NULL: off, or no row was free */
uint32_t recorder_row(void);

/* In a forked child: it is a process of its own. `before`: its mask as inherited; NULL: not known. */
void recorder_fork(const struct mask *before, bool widened);

/* The process is about to become another program; it did not after all. */
void recorder_becomes(void);
void recorder_stays(void);

/* It ends, as far as can be seen from inside. */
void recorder_end(void);

/* Somebody set CPUs by a function of libc; `set` is what it was told, `size` its bytes. */
void recorder_choice(const void *caller, bool runtime, size_t size, const void *set);

/* So many choices of the program were undone again, and are none. */
void recorder_undo(unsigned times);

/* A runtime with this file name starts a thread here; NULL: it is only there. */
void recorder_runtime(const char *path, bool starts_thread);

void recorder_trouble(enum agent_trouble trouble);

/*
 * The program is about to filter its system calls, and has done so or failed: in between, and from then on when it
 * has, the agent makes none. A filter that is asked for in vain (to see whether there is such a thing) changes nothing.
 */
void recorder_filter_comes(void);
void recorder_filter_came(bool succeeded);
bool recorder_is_quiet(void);

/* Mask of a thread of this process; false: there is none, or it may not be asked. */
bool recorder_mask(pid_t tid, struct agent_mask *ret_mask);

/* Copy a path: of a long one the end. */
void recorder_path(const char *path, char to[AGENT_PATH]);

static inline void recorder_add(_Atomic uint32_t *count)
{
	atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

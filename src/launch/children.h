/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes are our children: those we started, and those that came to us as their subreaper. Only a child that
 * was not reaped may be signalled: its pid is no other's, whatever ended meanwhile.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct children {
	pid_t *pids;
	size_t count, capacity;
};

/*
 * List them, zombies too. Where the kernel does not list them in /proc, or /proc is another PID namespace's, every
 * number is tried when `thorough`, which takes a second; else none is found. Returns 0 or -ENOMEM.
 */
int children_list(bool thorough, struct children *ret_children);
void children_clear(struct children *children);
#define cleanup_children cleanup_(children_clear)

/* Does the process's environment, as its program was given it, have this entry ("NAME=value")? */
bool children_has_entry(pid_t pid, const char *entry);

/* Kill every child, and every one that comes to us by that, and reap them. False: some may not be killed by us. */
bool children_kill_all(void);

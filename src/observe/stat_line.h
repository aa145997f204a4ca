/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line of /proc/PID/stat and /proc/PID/task/TID/stat (proc_pid_stat(5)).
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct stat_line {
	pid_t id;
	char name[32]; /* as the kernel cuts it, 15 bytes */
	char state;
	pid_t parent;
	uint64_t ticks;       /* user and system time */
	uint64_t child_ticks; /* the same of children that were waited for */
	uint64_t started;     /* ticks since boot */
	unsigned cpu_os;      /* where it ran last */
};

/* Read one. The name may hold anything, brackets and blanks too. Returns 0 or -EINVAL. */
int stat_line_parse(const char *text, struct stat_line *ret_line);

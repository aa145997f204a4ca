/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries a plan out on the running machine: binding, memory policy, exec;
 * or several children, supervised. Never decides where anything runs.
 */
#pragma once

#include "plan/workload.h"

#include <hwloc/bitmap.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;
struct plan_instance;

/* What was asked of the kernel and what it granted. `error` is 0 or -errno of the refusal. */
struct launch_grant {
	int affinity_error;
	bool affinity_unmet;             /* refused, or granted is known not to be what was asked */
	hwloc_bitmap_t affinity_asked;   /* NULL: nothing asked */
	hwloc_bitmap_t affinity_granted; /* read back after setting; NULL: could not be read */
	int memory_error;
	enum memory_policy memory_asked;
	enum memory_policy memory_granted;
	hwloc_bitmap_t nodes_asked; /* NULL: the policy asked for names no node */
	/* NULL: none. Those asked, or the one that an old kernel prefers of them. Not read back: where Mems_allowed
	 * lost some of them after planning, the kernel cuts them out and does not say so. */
	hwloc_bitmap_t nodes_granted;
};

void launch_grant_clear(struct launch_grant *grant);
#define cleanup_grant cleanup_(launch_grant_clear)

/*
 * Bind the calling thread as the instance says. A refusal is not an error: it is in `ret_grant`,
 * and the next best thing was done (memory policy refused: CPUs bound, first touch places the
 * pages). Returns 0 or -ENOMEM.
 */
int launch_bind(const struct plan_instance *instance, struct launch_grant *ret_grant, struct err *err);

/*
 * Undo launch_bind() as far as the kernel lets us, so that what we may use can be read again: the calling
 * thread gets `pus_os`, the CPUs it had, and the default memory policy where `grant` says that another was set.
 * Returns 0 or -ENOMEM.
 */
int launch_unbind(const struct launch_grant *grant, hwloc_const_bitmap_t pus_os, struct err *err);

/* One program to start: all instances share `path` and `argv`; each has its environment. */
struct launch_program {
	const char *path;  /* the file to execute */
	char *const *argv; /* NULL-terminated, byte for byte what the user wrote */
};

/*
 * Become the program. Does not return on success; on failure returns -errno
 * (-ENOENT: exit 127; -EACCES, -ENOEXEC: exit 126).
 */
int launch_exec(const struct launch_program *program, char *const *environment, struct err *err);

/* How one supervised child ended. */
struct launch_end {
	pid_t pid;         /* 0: was never started */
	int exit_code;     /* -1: ended by a signal */
	int signal;        /* 0: none */
	int stopped_by_us; /* a sibling failed, or we were told to stop */
	struct launch_grant grant;
};

/* One child to be. */
struct launch_child {
	const struct plan_instance *instance;
	char *const *environment;
	char *const *unpinned; /* its environment when its CPUs are not granted as asked; NULL: the same */
};

/* Called once when all children run, before any is waited for; their grants are in `ends`. */
struct launch_watch {
	void (*started)(const struct launch_end *ends, size_t count, const void *context); /* may be NULL */
	const void *context;
};

/*
 * Start every child, wait for all, hand SIGINT, SIGTERM, SIGHUP, SIGUSR1 and SIGUSR2 on. When one fails
 * the others get SIGTERM, and SIGKILL five seconds later. No child outlives the caller (PR_SET_PDEATHSIG).
 * A SIGINT the terminal sent reached them already. Child 0 keeps our stdin, the others get /dev/null.
 * `ends` has room for `count`; the caller clears their grants, whatever is returned. `*ret_first_failed` is the index
 * of the child that failed first in time, or -1. Returns 0 when all were started; -errno when starting one failed
 * (its index is `*ret_first_failed`, codes as launch_exec): those already started are stopped then.
 * Blocks and restores the signals named and SIGCHLD; not for use in a program with other children.
 */
int launch_supervise(const struct launch_program *program, const struct launch_child *children, size_t count,
		     const struct launch_watch *watch, struct launch_end *ends, int *ret_first_failed, struct err *err);

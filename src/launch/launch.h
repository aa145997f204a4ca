/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries a plan out on the running machine: binding, memory policy, exec.
 * Never decides where anything runs. Several children: supervise.h.
 */
#pragma once

#include "plan/workload.h"

#include <hwloc/bitmap.h>
#include <stdbool.h>

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

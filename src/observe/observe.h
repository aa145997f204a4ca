/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at running processes: what are they really doing? Reads, and never changes or runs anything in them; stops
 * their threads only where `denormals` asks for it.
 * A look costs about 10 us a thread; what is costly (maps, pages, symbols) is read once, by observe_finish().
 *
 * Who may be looked at is the kernel's word. Whatever it refuses, and whatever ends meanwhile, becomes a gap with its
 * path and reason (observation.h), never a failure.
 */
#pragma once

#include "observe/observation.h"

struct err;
struct sysroot;

struct observe_request {
	const struct sysroot *root;
	const pid_t *pids; /* trees begin with these */
	size_t count;
	pid_t observer;       /* the caller's process; 0: none */
	uint64_t ticks_per_s; /* the kernel's USER_HZ: sysconf(_SC_CLK_TCK) */
	bool neighbours;      /* look at all other processes, too */
	bool denormals;       /* stop each thread for some microseconds to read its floating-point flags (floats.h) */
};

/* Take the first look, at `now_ns` of any steady clock. Returns 0 and what observation_free() frees; -ESRCH: none of
 * the processes is there; -ENOMEM. */
int observe_start(const struct observe_request *request, uint64_t now_ns, struct observation **ret_observation,
		  struct err *err);

/* Look again. What ended in between is marked, what came up is added. Returns 0 or -ENOMEM. */
int observe_look(const struct observe_request *request, uint64_t now_ns, struct observation *observation,
		 struct err *err);

/*
 * Read what is costly, once the window is over: maps, symbols, memory, pages, cgroups, environment. Groups the
 * processes by the plan they carry. Returns 0 or -ENOMEM.
 */
int observe_finish(const struct observe_request *request, struct observation *observation, struct err *err);

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
struct planned;
struct sysroot;

struct observe_request {
	const struct sysroot *root;
	const pid_t *pids; /* trees begin with these; 0: one that is not running */
	size_t count;
	/*
	 * Of each of them, from whoever started it, with an `index` of its own: a tree is an instance then, whatever
	 * its processes carry, and children of the observer belong to it too. NULL: go by the FETTLE_PLAN they carry.
	 */
	const struct planned *planned;
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

/*
 * For looking on while a program runs, window after window.
 *
 * Begin a new window where the last ended: what is gone is forgotten, what is there begins anew. Facts that cost are
 * kept, and so are the counters of cgroups, which run on from the first look. An instance keeps its place and its first
 * and main processes; one that has ended is marked.
 */
void observe_roll(struct observation *observation);

/*
 * Read what is costly of the main process of one instance, as observe_finish() does of all. Where that process has
 * ended meanwhile what was known of it is kept. `*ret_read`: it was there, and its loader had loaded what it begins
 * with. Returns 0 or -ENOMEM.
 */
int observe_refresh(const struct observe_request *request, struct observation *observation, size_t instance_idx,
		    bool *ret_read, struct err *err);

/* The same of the machine: clocks, CPUs online, pressure. Returns 0 or -ENOMEM. */
int observe_refresh_system(const struct observe_request *request, struct observation *observation, struct err *err);

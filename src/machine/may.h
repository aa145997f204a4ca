/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this process may do on this machine: bind, place memory, count, trace, and its limits. Each
 * right is tried for real, in a child of its own, and leaves no trace on the caller. For commands that
 * show or judge; who wants to use a right just tries.
 */
#pragma once

#include "base/fact.h"

#include <jansson.h>

struct err;
struct machine;

enum may_right {
	MAY_BIND_CPU,    /* sched_setaffinity */
	MAY_BIND_MEMORY, /* set_mempolicy: MPOL_BIND, and the other modes */
	MAY_PREFER_MEMORY,
	MAY_PREFER_MANY, /* Linux 5.15 */
	MAY_INTERLEAVE,
	MAY_WEIGHTED_INTERLEAVE, /* Linux 6.9 */
	MAY_LOCAL_MEMORY,
	MAY_BIND_RANGE,        /* mbind */
	MAY_MOVE_PAGES,        /* move_pages */
	MAY_MIGRATE_PAGES,     /* migrate_pages */
	MAY_COUNTERS,          /* perf_event_open: hardware events that count */
	MAY_SOFTWARE_COUNTERS, /* the same of the kernel's own: context switches */
	MAY_TRACE_CHILDREN,    /* ptrace what we started */
	MAY_TRACE_OTHERS,      /* ptrace a process of ours that we did not start */
	MAY_WRITE_CGROUPS,     /* make and change groups below our own */
	MAY_USE_AMX,           /* ask for the tile registers; absent: there are none */
	MAY_RIGHT_COUNT,
};

enum may_limit {
	LIMIT_LOCKED_BYTES,
	LIMIT_OPEN_FILES,
	LIMIT_PROCESSES,
	LIMIT_STACK_BYTES,
	LIMIT_ADDRESS_SPACE_BYTES,
	LIMIT_CPU_SECONDS,
	LIMIT_COUNT,
};

#define MAY_UNLIMITED UINT64_MAX

struct may {
	struct fact rights[MAY_RIGHT_COUNT]; /* 0 or 1; `source` is the call tried, `raw` why not */
	struct {
		uint64_t soft, hard; /* MAY_UNLIMITED: none */
	} limits[LIMIT_COUNT];
};

/*
 * Try everything into machine->may, where the machine is the one we run on; else it stays NULL.
 * Takes some milliseconds. Returns 0, or -ENOMEM.
 */
int machine_read_may(struct machine *machine, struct err *err);

void may_free(struct may *may);

/* What the document calls the right; the limit. */
const char *may_right_name(enum may_right right);
const char *may_limit_name(enum may_limit limit);

/* The document's "may" object; what is unknown is null there and named in `unknown`. NULL when memory ran out. */
json_t *may_to_json(const struct may *may, json_t *unknown);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the supervisor share: supervise.c starts children and waits for what happens, ends.c judges how
 * they ended, commands.c carries out what we are told, orphans.c stops what they left behind.
 */
#pragma once

#include "launch/child.h"
#include "launch/clock.h"
#include "launch/order.h"
#include "launch/restart.h"
#include "launch/signals.h"
#include "launch/streams.h"
#include "launch/supervise.h"

struct member {
	struct bind_orders bind;
	int report_fd; /* -1: read */
	bool alive;
	bool failed_start;
	int told;             /* the last signal handed to it; 0: none */
	bool told_to_stop;    /* one of those handed to it asks to stop */
	uint64_t start_due;   /* when it is to be started; CLOCK_NEVER: it was */
	uint64_t first_start; /* 0: never */
	uint64_t latest_start;
	uint64_t grace_over; /* when what its life left is killed; 0: nothing was left yet */
	struct restart restart;
};

/* A process that a child started and that came to us. */
struct orphan {
	pid_t pid;
	size_t owner;     /* the child it descends from; s->count: not known */
	uint64_t kill_at; /* CLOCK_NEVER: was killed, or may not be */
	bool untouchable; /* we may not signal it */
};

struct supervisor {
	const struct launch_program *program;
	const struct launch_child *children;
	const struct launch_orders *orders;
	const struct launch_watch *watch;
	struct launch_end *ends;
	struct member *members;
	size_t count;
	size_t alive;
	size_t to_start; /* members whose start is due some time */
	struct launch_outcome outcome;
	bool told_started;
	bool ending;         /* nothing is started any more */
	bool stopping;       /* SIGTERM was sent because of a failure, or the time is over */
	bool killing;        /* nobody is asked any more */
	uint64_t kill_at;    /* when the children get SIGKILL; CLOCK_NEVER: not */
	uint64_t tick_at;    /* when LAUNCH_TICK is told; CLOCK_NEVER: not */
	uint64_t look_at;    /* when launch_watch.look is called; CLOCK_NEVER: not */
	uint64_t timeout_at; /* CLOCK_NEVER: no limit */
	uint64_t asked_at;   /* when we were last asked to stop; 0: never */
	int asked_by;        /* by which signal */
	struct orphan *orphans;
	size_t orphan_count, orphan_capacity;
	uint64_t grace_over; /* the same, when all are over */
	bool childless;      /* the kernel says that we have no child at all */
	struct streams streams;
	struct order order;
	int epoll_fd, signal_fd;
	struct signals signals;
	struct child_common common;
	int failure; /* of a start; 0: none */
	struct err *err;
};

/* What an event of epoll is about: the number that comes with it; of streams and sinks an index is added. */
enum { SOURCE_SIGNALS, SOURCE_GUARD };
#define SOURCE_STREAM (UINT64_C(1) << 32)
#define SOURCE_SINK   (UINT64_C(2) << 32)

enum { GRACE_MS = 5000 }; /* from SIGTERM to SIGKILL */

/* Tell whoever watches; what all events have in common is filled in. */
void supervisor_tell(const struct supervisor *s, struct launch_event event);

/* The living child of this pid; s->count: none. */
size_t supervisor_member(const struct supervisor *s, pid_t pid);

/* A signal to child `i`, if it lives. */
void supervisor_send(const struct supervisor *s, size_t i, int number);

/* ends.c. Take all that ended. */
void ends_reap(struct supervisor *s);

/* Start nothing more; ask all to stop, and kill them when their time is over. */
void ends_stop_all(struct supervisor *s);
void ends_kill_all(struct supervisor *s);

/* Start nothing more. A child that failed and was to be started again has failed for good. */
void ends_cancel_starts(struct supervisor *s);

/* commands.c. Carry out what waits in the signal descriptor. */
void commands_take(struct supervisor *s);

/* orphans.c. Look for what ended children left, and ask it to stop; when none lives or is to be started, all of it. */
void orphans_look(struct supervisor *s);
void orphans_forget(struct supervisor *s, pid_t pid, uint64_t cpu_ns, uint64_t max_rss_bytes);

/* Kill those whose time is over; those of child `owner` (SIZE_MAX: of all) whatever their time. */
void orphans_kill_due(struct supervisor *s);
void orphans_kill_of(struct supervisor *s, size_t owner);

/* The next moment at which one is to be killed; CLOCK_NEVER: none. */
uint64_t orphans_due(const struct supervisor *s);

/* Is there one that can be waited for? */
bool orphans_left(const struct supervisor *s);

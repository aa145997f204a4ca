/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks on while instances run, for `fettle run --verify`, `--require` and `--report`: when to look, in steps that are
 * short, so that signals and ends need not wait; each look is judged, and what they found put together.
 *
 * First looks come soon: 20 ms after a start, then at 60 ms, 250 ms and 1 s. From then on a look a second, later one
 * for each tenth of the time gone by, but never less than ten seconds apart for that reason; and always so far apart
 * that looking takes less than half a percent of one CPU, however many threads there are.
 */
#pragma once

#include "base/err.h"
#include "base/sysroot.h"
#include "cli/require.h"
#include "observe/agent_file.h"
#include "report/gather.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct launch_end;
struct launch_event;
struct observation;
struct observed_agent;
struct options;
struct start;

struct watched;

/* What the agents of a child write. */
struct scribe {
	struct agent_file file;       /* where; without a record: nowhere */
	struct observed_agent *agent; /* and what, when it is over; NULL: nothing */
};

struct run_watch {
	bool wanted;
	const struct start *start;
	struct require require; /* in the first seconds too, where it says so */
	char *unmet;            /* what was not so in those: all were stopped; NULL: nothing; owned */
	struct gathered gathered;
	struct observation *observation;
	struct sysroot root;
	struct watched *children;
	pid_t *pids;             /* of the children, as the request takes them */
	struct planned *planned; /* the same */
	struct scribe *scribes;  /* the same */
	size_t count;
	unsigned early; /* first looks taken since the latest start */
	uint64_t first_start_ns, due_ns;
	uint64_t cost_ns; /* CPU time of the look being taken */
	size_t next;      /* instance to be read deeply; > 0 or `taken`: within a look */
	bool taken;
	uint64_t system_due_ns;
	struct err failed; /* why nobody looks any more; code 0: nothing did */
};

/* Prepare. Returns 0 or -errno with one line; free with run_watch_clear(), whatever is returned. */
int run_watch_begin(const struct options *options, const struct start *start, struct run_watch *ret_watch,
		    struct err *err);
void run_watch_clear(struct run_watch *watch);

/* A child starts, or has ended. */
void run_watch_note(struct run_watch *watch, const struct launch_event *event);

/* One step of looking; when the next is to come. As launch_watch.look. */
uint64_t run_watch_look(struct run_watch *watch, const struct launch_event *event, bool *ret_stop);

/* All is over: what was found stands in watch->gathered.report. Returns 0 or -errno with one line. */
int run_watch_finish(struct run_watch *watch, const struct launch_end *ends, struct err *err);

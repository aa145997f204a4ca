/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Children that are waited for: started together or one after the other, told of signals, stopped or started again
 * when one fails, and stopped whole: with what they started themselves. Never decides where anything runs; tells what
 * happens through a callback and prints nothing.
 */
#pragma once

#include "launch/launch.h"
#include "launch/output.h"

#include <stdint.h>
#include <sys/types.h>

/* What is done when a child fails. */
enum launch_fail {
	LAUNCH_STOP,    /* the others get SIGTERM, and SIGKILL five seconds later */
	LAUNCH_KEEP,    /* the others go on */
	LAUNCH_RESTART, /* it is started again, later each time; the last time it fails is as under LAUNCH_STOP */
};

enum { LAUNCH_NO_LIMIT = -1 };

/* How children are supervised. All zero: started together, stopped together, no limit of time. */
struct launch_orders {
	enum launch_fail fail;
	int restarts;        /* of one child at most; LAUNCH_NO_LIMIT: as many as it takes */
	uint64_t timeout_ms; /* from the start of the first: SIGTERM to all, SIGKILL five seconds later; 0: never */
	unsigned stagger_ms; /* between the starts of two children */
	int guard_fd;        /* of launch_guard(): when it reads end of file, all is killed; -1: none */
	const struct launch_output *output; /* NULL: all zero */
	unsigned tick_ms;                   /* between two LAUNCH_TICKs; 0: none */
};

/* What a child, all its lives together, has used. */
struct launch_usage {
	uint64_t wall_ns;       /* from its first start to its last end */
	uint64_t cpu_ns;        /* user and system, with those of its children that were waited for */
	uint64_t max_rss_bytes; /* of its largest single process */
};

/* How one supervised child ended. */
struct launch_end {
	pid_t pid;         /* 0: was never started */
	int exit_code;     /* -1: ended by a signal, or never started */
	int signal;        /* 0: none */
	int stopped_by_us; /* a sibling failed, or we were told to stop */
	unsigned restarts; /* how often it was started again */
	bool collected;    /* orders->output->collect found a number: the last one is `number` */
	double number;
	struct launch_usage usage;
	struct launch_grant grant; /* of its latest life */
};

/* One child to be. */
struct launch_child {
	const struct plan_instance *instance;
	char *const *environment;
	char *const *unpinned; /* its environment when its CPUs are not granted as asked; NULL: the same */
};

enum launch_event_kind {
	LAUNCH_STARTS,      /* child `index` is about to be */
	LAUNCH_ENDED,       /* child `index` has ended; it may be started again */
	LAUNCH_STARTED,     /* all run, none was waited for yet; their grants are in `ends` */
	LAUNCH_RESTARTS,    /* child `index` failed (its end is in `ends`) and is started again in `delay_ms` */
	LAUNCH_TIMED_OUT,   /* the time is over: all are told to stop */
	LAUNCH_WRITES,      /* something is about to be written to the terminal */
	LAUNCH_OUTPUT_LOST, /* some output could not be written, and more may be lost: `error` */
	LAUNCH_TICK,        /* time passes; nothing waits to be written to the terminal */
	LAUNCH_LOOK,        /* for launch_watch.look alone */
	LAUNCH_LEFT_BEHIND, /* process `pid`, started by a child, cannot be stopped: `error` */
};

struct launch_event {
	enum launch_event_kind kind;
	const struct launch_end *ends;
	size_t count, index;
	size_t running; /* children that live */
	uint64_t delay_ms;
	pid_t pid;
	int error; /* -errno */
};

/* Who is told, while all goes on: it must return soon. */
struct launch_watch {
	void (*tell)(const struct launch_event *event, void *context); /* may be NULL */
	void *context;
	/*
	 * May be NULL. Called for a LAUNCH_LOOK after each start, and when the moment has come that it returned last
	 * (of clock.h; CLOCK_NEVER: not again): to look at what the children do. `*ret_stop`, false before: stop them
	 * all, as when the time is over.
	 */
	uint64_t (*look)(const struct launch_event *event, void *context, bool *ret_stop);
};

/* How it went. */
struct launch_outcome {
	int first_failed; /* index of the child that failed first in time, for good; -1: none did */
	bool timed_out;
	bool look_stopped; /* launch_watch.look said so */
	bool guard_lost;   /* whoever we worked for was killed */
};

/*
 * Start every child, wait for all, and stop what they leave behind: a process that a child started and that outlives it
 * gets SIGTERM, and SIGKILL five seconds later, wherever it hid (we are the subreaper). SIGINT, SIGQUIT, SIGTERM,
 * SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP and SIGCONT are handed on, unless the terminal sent them: then the children have
 * them already. A second SIGINT kills. Child 0 keeps our stdin, the others get /dev/null.
 * `ends` has room for `count`; the caller clears their grants, whatever is returned. Returns 0 when all were started;
 * -errno when starting one failed (its index is ret_outcome->first_failed, codes as launch_exec): those already started
 * are stopped then. Blocks the signals named, SIGPIPE and SIGCHLD, and restores them unless there is a guard; not for a
 * program with other children, nor for one with threads.
 */
int launch_supervise(const struct launch_program *program, const struct launch_child *children, size_t count,
		     const struct launch_orders *orders, const struct launch_watch *watch, struct launch_end *ends,
		     struct launch_outcome *ret_outcome, struct err *err);

/*
 * Go on in a child process, with this one as its guard: it hands signals on, stops and goes on with the terminal's job,
 * and when the child is killed it kills whatever that had started. In the child 0 is returned and `*ret_guard_fd` is
 * for launch_orders; in the guard 1, when all is over, and the child's wait status: then the process should end soon,
 * for the signals that are handed on stay blocked. -errno: nothing was done.
 */
int launch_guard(int *ret_guard_fd, int *ret_status, struct err *err);

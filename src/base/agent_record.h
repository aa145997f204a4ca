/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that the agent writes into and fettle reads: what the processes of one instance did, as they saw it
 * themselves. Mapped by all of them, written by atomic steps without locks, so that a process may be killed, fork or
 * end at any point. The agent includes this header, so it needs libc only and allocates nothing.
 *
 * fettle makes it, empty but for the header, in memory that has no name (memfd): however fettle ends, no file is left.
 * FETTLE_PLAN says where it is, "rec=PID:FD:COOKIE": the descriptor FD of process PID, reached by /proc/PID/fd/FD; the
 * cookie (16 hex digits) tells it from whatever else may have that name in another PID namespace. It is sealed against
 * growing and shrinking: no write into the mapping can fault.
 *
 * A mask without a bit, and a path without a letter, is not known. Numbers of processes and threads are those that the
 * process itself sees (of its own PID namespace).
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_RECORD_MAGIC "fettle\1"
#define AGENT_RECORD_FIELD "rec="
#define AGENT_RECORD_NAME  "fettle-agent-" /* of the memory, before the cookie */
enum {
	AGENT_RECORD_VERSION = 2,
	AGENT_COOKIE_DIGITS = 16,
	AGENT_CPUS = 8192, /* the kernel's largest NR_CPUS */
	AGENT_PROCESSES = 256,
	AGENT_THREADS = 2048,
	AGENT_VARIABLES = 64, /* bits of a word */
	AGENT_NAME = 56,
	AGENT_PATH = 192, /* of a longer one the end */
	AGENT_RUNTIMES = 4,
	AGENT_NO_POLICY = -1,
};

struct agent_mask {
	uint64_t words[AGENT_CPUS / 64];
};

/* State of a row. Rows that ended and tell nothing of note are used again when all are taken. */
enum agent_state {
	AGENT_FREE,
	AGENT_FILLING,
	AGENT_RUNS,   /* or was ended by a signal, or by a bare system call */
	AGENT_BECAME, /* it became another program, which has a row of its own if it loaded the agent */
	AGENT_ENDED,
};

/* The floating point control word, in words of ours. */
enum agent_float {
	AGENT_FLOAT_KNOWN = 1,
	AGENT_FLUSHES = 2, /* results that would be denormal become zero, and denormal operands are taken for zero */
	AGENT_MET_OPERAND = 4, /* an operand was denormal, and was computed with */
	AGENT_MET_RESULT = 8,  /* a result was too small for a normal number */
};

/* Why the agent went without something, or stopped. Bits. */
enum agent_trouble {
	AGENT_NO_FORK_HANDLER = 1, /* pthread_atfork() refused: children are not seen */
	AGENT_NO_THREAD_KEY = 2,   /* no key for thread-specific data was left: ends of threads are not seen */
	AGENT_FILTERED = 4,        /* the program installed a seccomp filter: no system call of ours follows */
	AGENT_NO_PLACE = 8,        /* more threads were about to start at once than we can accompany */
};

/* What a thread, or a process, is. Bits. */
enum agent_flag {
	AGENT_OF_RUNTIME = 1, /* thread: an OpenMP runtime started it; process: one bound some thread of it */
	AGENT_CHOSEN = 2,     /* thread: born with CPUs that the program gave it */
	AGENT_WIDENED = 4,    /* process: its first mask was a binding that we took away */
	AGENT_EXITS = 8,      /* process: its end was seen from inside */
	AGENT_CUT_OFF = 16,   /* process: a path did not fit */
	AGENT_TO_FLUSH = 32,  /* process: its plan says that denormal numbers count as zero */
};

/* A variable that fettle gave its value. */
struct agent_variable {
	char name[AGENT_NAME];
	uint64_t hash; /* agent_hash() of the value */
};

struct agent_runtime {
	char path[AGENT_PATH];
	_Atomic uint32_t threads;
};

struct agent_process {
	int32_t pid, parent;
	uint64_t begun_ns;   /* CLOCK_BOOTTIME */
	int32_t forked_from; /* row of the process it is a copy of; -1: a program of its own */
	_Atomic uint32_t flags, trouble;
	uint32_t preloads; /* bits: which of those that its plan names ("pre=") were there when it began */

	/* Bits by position in `variables`. */
	uint64_t watched;         /* those that its plan names */
	uint64_t changed_before;  /* had another value when it began */
	_Atomic uint64_t changed; /* has had another one since, as seen at a fork, at exec and at its end */

	struct agent_mask first, given, last; /* of the main thread: inherited, after we widened it, at the end */
	struct agent_mask chosen;             /* the last that the program itself set, for whatever thread */
	char chooser[AGENT_PATH];             /* the library, or program, that did */
	_Atomic uint32_t choices, bindings;   /* how often the program, and an OpenMP runtime, set CPUs */

	/* Threads that pthread_create() started; those seen to end; those without a row; those left at its end. */
	_Atomic uint32_t threads_started, threads_ended, threads_unseen, threads_left;
	_Atomic uint32_t not_flushing;            /* threads that were to flush, and did not when they began or ended */
	_Atomic uint32_t met_denormals;           /* threads that met one since they began */
	_Atomic uint32_t float_first, float_last; /* enum agent_float: main thread, and whoever calls exit() */

	char malloc_owner[AGENT_PATH], gomp_owner[AGENT_PATH], kmpc_owner[AGENT_PATH]; /* of all code, at the start */
	_Atomic uint32_t runtime_count;
	struct agent_runtime runtimes[AGENT_RUNTIMES]; /* that were mapped, in the order they were noticed */
	_Atomic uint32_t team_last; /* omp_get_max_threads() of the only GNU runtime at its end; 0: not asked */

	int32_t policy_first, policy_last; /* MPOL_* of the main thread; AGENT_NO_POLICY: not asked */
};

struct agent_thread {
	uint32_t process; /* its row */
	int32_t tid;
	uint32_t flags, float_first;
	_Atomic uint32_t float_last;   /* 0: its end was not seen */
	struct agent_mask first, last; /* when it began to run, and at its or its process's end */
};

struct agent_record {
	char magic[8];
	uint32_t version, size;
	uint64_t cookie;
	uint32_t variable_count, variables_left_out;
	struct agent_variable variables[AGENT_VARIABLES];

	/* From here on the agents write. */
	_Atomic uint32_t process_next, thread_next;    /* where to look for a free row */
	_Atomic uint32_t processes_lost, threads_lost; /* found none */
	_Atomic uint32_t map_error;                    /* a process that found this file could not map it: its errno */
	_Atomic uint32_t process_states[AGENT_PROCESSES], thread_states[AGENT_THREADS];
	struct agent_process processes[AGENT_PROCESSES];
	struct agent_thread threads[AGENT_THREADS];
};

/* FNV-1a, 64 bits. */
static inline uint64_t agent_hash(const char *value)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *value; value++)
		hash = (hash ^ (unsigned char)*value) * 0x100000001b3;
	return hash;
}

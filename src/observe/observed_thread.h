/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread as it was seen (observation.h).
 */
#pragma once

#include <hwloc/bitmap.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whose threads they are; pools.c has the signs. */
enum pool {
	POOL_UNKNOWN, /* no sign says it */
	POOL_GOMP,
	POOL_KMP, /* LLVM's or Intel's OpenMP runtime */
	POOL_PYTORCH,
	POOL_ONNXRUNTIME,
	POOL_OPENBLAS,
	POOL_TBB,
	POOL_TENSORFLOW,
	POOL_RAYON,
	POOL_COUNT,
};
extern const char *const pool_names[POOL_COUNT];

struct thread_counters {
	uint64_t run_ns;  /* exact where schedstat is there, else in ticks */
	uint64_t wait_ns; /* ready to run and not running; meaningful when has_wait */
	uint64_t voluntary, involuntary;
	uint64_t migrations; /* when has_migrations */
	unsigned cpu_os;     /* where it ran last */
};

/* Floating-point flags (floats.h). */
struct observed_float {
	bool known;
	bool met;                 /* it computed with denormal numbers, since it started or cleared its flags */
	bool flushes;             /* operands and results that are denormal count as zero */
	uint32_t control, status; /* as read: MXCSR is both, FPCR and FPSR are one each */
	uint64_t stopped_ns;      /* how long it was held */
	int code;                 /* -errno: why they are not known; 0: known, or nobody asked */
};

struct observed_thread {
	pid_t tid;
	char name[32];
	char state;       /* R, S, D ... */
	uint64_t started; /* in ticks since boot: with `tid` it names the thread */
	uint64_t ticks;   /* of the last look: unchanged, and it has hardly run */
	struct thread_counters first, last;
	hwloc_bitmap_t allowed_os; /* NULL: not known; owned */
	hwloc_bitmap_t
		before_os; /* what they were first, if they changed in the window or have not settled since; owned */
	uint64_t held_from_ns, held_to_ns; /* between these looks `allowed_os` did not change */
	bool has_wait, has_migrations, has_switches;
	bool fresh;  /* came up after the first look */
	bool gone;   /* was not there at the last look */
	uint64_t pc; /* where it waits in the kernel it was called from here; 0: it ran, or we may not know */
	enum pool pool;
	struct observed_float floats;
	unsigned looked; /* number of the look that saw it last */
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user asked for, with everything around it that the pure steps must
 * bend to: a snapshot of the environment and the facts of the target program.
 */
#pragma once

#include "plan/request.h"

#include <stdbool.h>
#include <stddef.h>

struct target;

/* --set, --unset, --each, --no: what the user says about single settings. Borrowed strings. */
struct wishes {
	const char *const *set;           /* "NAME=VALUE" */
	size_t set_count, set_of_profile; /* the profile's stand first */
	const char *const *unset;         /* "NAME" */
	size_t unset_count, unset_of_profile;
	const char *const *each; /* "NAME=A,B,...": one value an instance */
	size_t each_count;
	const char *const *without; /* family names */
	size_t without_count;
};

/* A library that the request needs, as the edge found it. Borrowed strings; all zero: none was looked for. */
struct workload_library {
	const char *path;    /* for LD_PRELOAD; NULL: it cannot be had */
	const char *why_not; /* then why */
	bool broken;         /* there is one, and it does not do */
	bool untried;        /* there is one, and whether it does could not be found out */
	bool proven;         /* it was seen to work; false with a path: the program runs on another machine */
};

/* Our part inside a Python program, as the edge found it. Borrowed strings; all zero: nobody looked. */
struct workload_hook {
	const char *folder;  /* for PYTHONPATH; NULL: there is none */
	const char *why_not; /* then why */
	const char *closed;  /* the interpreter's option that keeps it out, as "-I"; NULL: none is seen */
	bool says;           /* it tells at the end what it did */
	bool forgets;        /* it remembers nothing between two starts */
	bool quiet;          /* it says nothing that is no failure */
	const char *isa;     /* the processor's extensions, in Linux's words with blanks between; NULL: not known */
};

/* What --slot came to: rank.h. */
struct rank {
	unsigned index, count;  /* count 0: not asked */
	unsigned share, shares; /* of what we may use: fewer than `count` where other ranks have other CPUs */
	const char *manager;    /* who started the ranks; NULL: the user said it */
	const char *variable;   /* where the index is from */
	bool own;               /* what we may use is this share, and no other rank's */
	bool again;             /* an outer fettle took it */
	bool unasked;           /* it is one of several with the same CPUs, and there is no --slot */
};

struct workload {
	struct request request; /* with a share: its instances and instance */
	struct wishes wishes;
	const char *const *environment; /* "NAME=VALUE", NULL-terminated; borrowed */
	const struct target *target;    /* NULL: no program was named */
	struct rank rank;
	const char *not_users;         /* a variable that the manager set on its own; NULL: none */
	const char *const *of_profile; /* options that a profile decided, NULL-terminated; NULL: none */
	unsigned workers; /* processes that the program starts and that compute at a time, as asked or as known of it;
			     0, 1: none; UINT_MAX: one a CPU */
	const char *ranks_by;   /* the program that starts ranks and places them, if nobody said how; or NULL */
	bool watched;           /* the run is looked at and judged */
	const char *agent_path; /* our agent as the target will find it; NULL: there is none */
	struct workload_library malloc_library; /* for the allocator that is asked for; for `auto` tcmalloc's */
	const char *framework;                  /* in the program's Python environment; NULL: none is known */
	const char *starter; /* the program's name where it starts others, of which no framework is known; or NULL */
	struct workload_hook hook;
	const char *mkl_answer; /* a library that has oneMKL look at what the processor can do; NULL: it does, or none
				   looked */
	bool malloc_threshold_capped;   /* the program's glibc refuses an mmap threshold above 32 MiB */
	const char *openmp_preload;     /* an OpenMP runtime to be preloaded; NULL: none is */
	enum openmp_kind openmp;        /* whose runtime is in charge once all is loaded; OPENMP_ANY: not known */
	const char *openmp_path;        /* that one; NULL: not known */
	const char *openmp_nobody;      /* looked, and why it is not known; NULL: known, or nobody looked */
	bool openmp_at_start;           /* it is there before any other library that brings these functions */
	enum openmp_kind openmp_second; /* another kind that the program loads too */
	const char *openmp_second_by;   /* what loads that */
};

/* The value of an environment variable in the snapshot, or NULL. When a name stands twice the first counts, as getenv()
 * does. */
const char *workload_getenv(const struct workload *workload, const char *name);

/*
 * As workload_getenv(), but only what is the user's own: NULL for a variable that an outer
 * fettle set (it names them in FETTLE_PLAN), so that a nested fettle plans it anew, or that the manager set.
 */
const char *workload_user_value(const struct workload *workload, const char *name);

/* Is PyTorch in the program's Python environment? */
bool workload_has_torch(const struct workload *workload);

/* The same, or may it be in that of another program which this one starts? */
bool workload_may_have_torch(const struct workload *workload);

/* OMP_NUM_THREADS as the user set it: its first number (OpenMP 5.2, 21.1.2 allows a list by nesting level); 0: none. */
unsigned workload_user_threads(const struct workload *workload);

/* The same for all processes that the program starts; 0: none, or there is no saying how many. */
unsigned workload_user_threads_all(const struct workload *workload);

/* How many processes of the program compute at a time in an instance of `threads` threads: 1 or more. */
unsigned workload_processes(const struct workload *workload, unsigned threads);

/* How many of an instance's threads each process has that computes: all, but where the program starts several; 0: that
 * is left to who starts ranks. */
unsigned workload_threads_each(const struct workload *workload, unsigned threads);

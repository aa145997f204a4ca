/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process as it was seen (observation.h): its threads, what it has mapped, its memory.
 */
#pragma once

#include "base/fact.h"
#include "base/words.h"
#include "observe/observed_thread.h"
#include "target/library_names.h"

#include <stddef.h>

/* Functions by which one sees who is in charge. */
enum observed_symbol {
	SYMBOL_MALLOC,
	SYMBOL_GOMP,    /* GOMP_parallel: teams of code that gcc built */
	SYMBOL_KMPC,    /* __kmpc_fork_call: teams of code that clang and Intel's compilers built */
	SYMBOL_MALLCTL, /* jemalloc's own, wherever it was linked into */
	SYMBOL_COUNT,
};

/* A file that is mapped to be run from. */
struct observed_object {
	char *path;   /* as the process's maps name it; owned */
	char *linked; /* as its loader names it; NULL: the loader does not have it, or we may not ask; owned */
	char *soname; /* owned, may be NULL */
	struct words needed;
	char device[16];
	uint64_t inode;
	uint64_t low, high;      /* addresses */
	uint64_t code, code_end; /* those of them that can be run */
	bool deleted;            /* its file is gone or was replaced */
	int order;               /* in the link map; -1: not in it, or not known */
	bool at_start;           /* loaded before any code of the program ran: its functions are seen by all */
	bool symbols_known;
	bool defines[SYMBOL_COUNT];
	const struct library_name *library; /* NULL: none that we know */
};

/* Who answers for a symbol. */
struct observed_owner {
	int object_idx; /* -1: nobody, not known, or several */
	bool known;     /* false: `why` says why not */
	bool for_all;   /* its functions come first for all code in the process */
	unsigned definers;
	const char *why;
};

/* A library that the process's environment asks to be preloaded. */
struct observed_preload {
	char *name;     /* as it stands in LD_PRELOAD; owned */
	int object_idx; /* -1: it is not in the process */
	bool unusable;  /* it could never be */
	char why[160];  /* why not, when it is not there */
};

struct observed_pages {
	unsigned node_os;
	uint64_t anonymous_bytes, file_bytes, huge_bytes; /* huge: of hugetlb, counted in none of the others */
};

struct observed_process {
	pid_t pid, parent;
	uint64_t started; /* ticks since boot */
	unsigned uid;
	char name[32];
	char *command;          /* its words joined by blanks; NULL: not known; owned */
	char *program;          /* path of what it runs; NULL: not known; owned */
	char **environment;     /* NULL-terminated, as it was started with; NULL: not known; owned */
	char *environment_text; /* what that points into; owned */
	int instance_idx;       /* in observation->instances; -1: in none */
	bool gone;
	bool own_mounts; /* it has another root or mount namespace than ours: its paths are not ours */

	struct observed_thread *threads;
	size_t thread_count, thread_capacity;
	uint64_t ticks;                               /* what all its threads ran since it started, ended ones too */
	uint64_t child_ticks_first, child_ticks_last; /* of children it has waited for */

	bool deep; /* what follows was looked for */
	bool objects_known, link_map_known, statically_linked, secure;
	bool loading; /* its loader was at work: libraries were still to come */
	struct observed_object *objects;
	size_t object_count, object_capacity;
	struct observed_owner owners[SYMBOL_COUNT];
	struct observed_preload *preloads;
	size_t preload_count, preload_capacity;

	struct fact rss_bytes, peak_bytes, swap_bytes, anonymous_bytes, huge_bytes; /* huge: THP and hugetlb */
	struct fact kept_bytes; /* freed, and kept by glibc's malloc; looked for where memory is short */
	char memory_policy[64]; /* of its main thread, in the kernel's words; empty: not known */
	bool pages_known;
	struct observed_pages *pages;
	size_t page_count, page_capacity;
	struct fact numa_faults; /* how often the kernel looked where it has its memory, to move it */
	char *cgroup;            /* its memberships as the kernel writes them; owned */
	unsigned looked;
};

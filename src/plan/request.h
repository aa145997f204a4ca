/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a plan and of its settings, and their words.
 */
#pragma once

#include "base/parse.h"
#include "plan/choices.h"
#include "target/openmp.h"

#include <stdbool.h>

enum strategy {
	STRATEGY_SCATTER, /* instances spread over the nodes */
	STRATEGY_CLOSE,   /* instances fill one node after the other */
};

/* Objects that can have an instance each. */
enum per {
	PER_NODE,
	PER_PACKAGE,
	PER_L3,
	PER_CORE,
};

enum pin {
	PIN_AUTO,
	PIN_THREADS,  /* each compute thread on one PU */
	PIN_INSTANCE, /* the process on its CPUs, threads free inside */
	PIN_NONE,     /* counts only; nothing is bound */
};

enum memory_policy {
	MEMORY_AUTO,
	MEMORY_NONE,
	MEMORY_LOCAL,
	MEMORY_BIND,
	MEMORY_PREFERRED,
	MEMORY_INTERLEAVE,
};

/* Cores in a row by number, each instance a run of them: see row.h. */
enum row_order {
	ROW_NONE,    /* by topology */
	ROW_BY_CORE, /* hyper-threads behind each other */
	ROW_BY_CPU,
};

/* Words of the options above, indexed by the enum; they are also the words of the JSON. */
extern const char *const row_words[];
extern const char *const strategy_words[];
extern const char *const per_words[];
extern const char *const pin_words[];
extern const char *const memory_policy_words[];
enum { STRATEGY_COUNT = 2, PER_COUNT = 4, PIN_COUNT = 4, MEMORY_POLICY_COUNT = 6 };

/* Does the policy put pages on nodes that are named to it? False for auto, too: it names none but the CPUs' own. */
bool memory_policy_takes_nodes(enum memory_policy policy);

enum { CORES_REMAINDER = -1, CORES_EVEN = 0 };

/* The planning options. All zero is "nothing asked". */
struct request {
	unsigned instances;     /* 0: not asked */
	const char *slot;       /* "auto", "I/N"; NULL: not asked */
	int cores_per_instance; /* CORES_EVEN (also: not asked), CORES_REMAINDER, or a count */
	bool latency;
	bool throughput;
	bool has_per; /* --per given */
	enum per per;
	const char *nodes; /* list text; NULL: all */
	const char *cpus;
	const char *packages; /* positions in machine->packages */
	bool has_near;        /* --near given */
	unsigned near;        /* the node whose neighbourhood is to be filled first */
	enum strategy strategy;
	bool compact;
	bool spread; /* an instance's cores evenly from all caches of its nodes, not from few */
	bool smt;
	bool efficiency_cores;
	bool cross_node;
	enum row_order row; /* what other launchers' words ask for; fettle's own have none for it, and the two below */
	bool one_node;      /* in a row: no instance spans nodes, however large it would be */
	bool best_effort;   /* a wish that cannot be met is met as far as can be, and said, where it would be refused */
	struct part reserve; /* cores each instance keeps free of compute threads, or a part of them */
	unsigned threads;    /* per instance; 0: not asked */
	unsigned workers;    /* processes per instance that share them; 0: not asked */
	bool has_instance;   /* --instance given */
	unsigned instance;   /* run only this one of the plan */
	const char *only;    /* list text: run only these; NULL: not asked */
	enum memory_policy memory;
	enum pin pin;
	enum allocator allocator;
	enum openmp_kind openmp; /* OPENMP_ANY: the one the program loads */
	enum wait wait;
	enum schedule schedule;
	bool flush_denormals;  /* results change: only when asked */
	unsigned onednn_cache; /* capacity of oneDNN's primitive cache; 0: not asked */
	enum max_isa max_isa;
	enum fpmath fpmath;
	enum huge_pages huge_pages;
	enum choice prepack, channels_last, fuse;
	enum precision precision;
	bool exact; /* nothing that may change how results are rounded */
	enum purpose purpose;
	const char *profile; /* name or path; NULL: none */
	bool repair;         /* raise what of the user's would make the program hang */
};

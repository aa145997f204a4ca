/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a plan and of its settings, and their words.
 */
#pragma once

#include "base/parse.h"

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

enum allocator {
	ALLOCATOR_AUTO,
	ALLOCATOR_GLIBC,       /* left as it is */
	ALLOCATOR_TUNED_GLIBC, /* by GLIBC_TUNABLES: nothing is preloaded */
	ALLOCATOR_JEMALLOC,    /* as the guide has it for where memory is tight */
	ALLOCATOR_JEMALLOC_AGGRESSIVE,
	ALLOCATOR_TCMALLOC,
	ALLOCATOR_MIMALLOC,
};

/* Instruction sets that oneDNN knows; newer words of some (avx10_1_512 ...) mean the same as an older one. */
enum max_isa {
	ISA_DEFAULT, /* nothing is set: all that the processor has */
	ISA_SSE41,
	ISA_AVX,
	ISA_AVX2,
	ISA_AVX2_VNNI,
	ISA_AVX2_VNNI_2,
	ISA_AVX512_CORE,
	ISA_AVX512_CORE_VNNI,
	ISA_AVX512_CORE_BF16,
	ISA_AVX512_CORE_FP16,
	ISA_AVX512_CORE_AMX,
	ISA_AVX512_CORE_AMX_FP16,
	ISA_AVX10_2_512,
	ISA_AVX10_2_512_AMX_2,
	MAX_ISA_COUNT,
};

/* How far oneDNN may round the inputs of single precision. */
enum fpmath {
	FPMATH_DEFAULT, /* nothing is set */
	FPMATH_STRICT,
	FPMATH_BF16,
	FPMATH_F16,
	FPMATH_TF32,
	FPMATH_ANY,
	FPMATH_COUNT,
};

enum huge_pages {
	HUGE_PAGES_NONE,    /* no allocator is told to ask for them */
	HUGE_PAGES_MADVISE, /* allocators that can ask the kernel, by madvise() */
	HUGE_PAGES_COUNT,
};

/* What the program is for. */
enum purpose {
	PURPOSE_ANY,
	PURPOSE_INFERENCE,
	PURPOSE_TRAINING,
	PURPOSE_BENCHMARK,
	PURPOSE_COUNT,
};

/* Words of the options above, indexed by the enum; they are also the words of the JSON. */
extern const char *const strategy_words[];
extern const char *const per_words[];
extern const char *const pin_words[];
extern const char *const memory_policy_words[];
extern const char *const allocator_words[];
extern const char *const max_isa_words[];
extern const char *const fpmath_words[];
extern const char *const huge_pages_words[];
extern const char *const purpose_words[];
enum { STRATEGY_COUNT = 2, PER_COUNT = 4, PIN_COUNT = 4, MEMORY_POLICY_COUNT = 6, ALLOCATOR_COUNT = 7 };

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
	struct part reserve; /* cores each instance keeps free of compute threads, or a part of them */
	unsigned threads;    /* per instance; 0: not asked */
	bool has_instance;   /* --instance given */
	unsigned instance;   /* run only this one of the plan */
	enum memory_policy memory;
	enum pin pin;
	enum allocator allocator;
	bool flush_denormals;  /* results change: only when asked */
	unsigned onednn_cache; /* capacity of oneDNN's primitive cache; 0: not asked */
	enum max_isa max_isa;
	enum fpmath fpmath;
	enum huge_pages huge_pages;
	enum purpose purpose;
	const char *profile; /* name or path; NULL: none */
	bool repair;         /* raise what of the user's would make the program hang */
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a plan's settings that are one of a few words. Those that place instances are in request.h.
 */
#pragma once

enum allocator {
	ALLOCATOR_AUTO,
	ALLOCATOR_GLIBC,       /* left as it is */
	ALLOCATOR_TUNED_GLIBC, /* by GLIBC_TUNABLES: nothing is preloaded */
	ALLOCATOR_JEMALLOC,    /* as the guide has it for where memory is tight */
	ALLOCATOR_JEMALLOC_AGGRESSIVE,
	ALLOCATOR_TCMALLOC,
	ALLOCATOR_MIMALLOC,
	ALLOCATOR_COUNT,
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

/* In what PyTorch's packed layers compute where the program has float32. */
enum precision {
	PRECISION_DEFAULT, /* in that, and so with the next; what else says otherwise stays */
	PRECISION_F32,
	PRECISION_BF16,
	PRECISION_TF32,
	PRECISION_COUNT,
};

/* Something that is done where it is seen to pay, always, or never. */
enum choice {
	CHOICE_AUTO,
	CHOICE_ON,
	CHOICE_OFF,
	CHOICE_COUNT,
};

/* What the program is for. */
enum purpose {
	PURPOSE_ANY,
	PURPOSE_INFERENCE,
	PURPOSE_TRAINING,
	PURPOSE_BENCHMARK,
	PURPOSE_COUNT,
};

/* What idle threads of an OpenMP team do. */
enum wait {
	WAIT_AUTO,    /* the runtime's own way */
	WAIT_PASSIVE, /* they sleep at once */
	WAIT_ACTIVE,  /* they spin and never sleep */
	WAIT_COUNT,
};

enum schedule {
	SCHEDULE_AUTO,
	SCHEDULE_STATIC,
	SCHEDULE_COUNT,
};

/* Words of the options above, indexed by the enum; they are also the words of the JSON. */
extern const char *const allocator_words[];
extern const char *const wait_words[];
extern const char *const schedule_words[];
extern const char *const max_isa_words[];
extern const char *const fpmath_words[];
extern const char *const huge_pages_words[];
extern const char *const choice_words[];
extern const char *const precision_words[];
extern const char *const purpose_words[];

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the processor a library uses, by its own words, and what it could by the kernel's.
 */
#pragma once

#include <stdbool.h>

enum { ISA_WORDS = 64 };

struct isa {
	bool avx2, avx512, vnni, bf16, amx;
};

/* From oneDNN's words: "Intel AVX-512 with Intel DL Boost and bfloat16 support". */
struct isa isa_said(const char *words);

/* From the processor's extensions as Linux names them, blanks between: "avx2 avx512f avx512_bf16". */
struct isa isa_of_flags(const char *flags);

/* What the second has and the first has not, in words: "AVX-512, bf16"; written to `ret_words`. False: nothing. */
bool isa_missing(struct isa used, struct isa there, char ret_words[ISA_WORDS]);

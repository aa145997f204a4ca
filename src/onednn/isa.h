/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the processor oneDNN says it uses, and what it could.
 */
#pragma once

#include <stdbool.h>

enum { ONEDNN_ISA_WORDS = 64 };

struct onednn_isa {
	bool avx2, avx512, vnni, bf16, amx;
};

/* From oneDNN's words: "Intel AVX-512 with Intel DL Boost and bfloat16 support". */
struct onednn_isa onednn_isa_said(const char *words);

/* From the processor's extensions as Linux names them, blanks between: "avx2 avx512f avx512_bf16". */
struct onednn_isa onednn_isa_of_flags(const char *flags);

/* What the second has and the first has not, in words: "AVX-512, bf16"; written to `ret_words`. False: nothing. */
bool onednn_isa_missing(struct onednn_isa used, struct onednn_isa there, char ret_words[ONEDNN_ISA_WORDS]);

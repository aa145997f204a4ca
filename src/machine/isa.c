/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/isa.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <string.h>

struct isa isa_said(const char *words)
{
	struct isa isa = { .avx2 = strstr(words, "AVX2") };

	isa.amx = strstr(words, "AMX");
	isa.avx512 = isa.amx || strstr(words, "AVX-512") || strstr(words, "AVX512") || strstr(words, "AVX10");
	isa.avx2 |= isa.avx512;
	isa.bf16 = strstr(words, "bfloat16");
	/* AVX10 and AMX bring it without a word. */
	isa.vnni = strstr(words, "DL Boost") || isa.amx || strstr(words, "AVX10");
	return isa;
}

static bool has(const char *flags, const char *word)
{
	const size_t length = strlen(word);

	for (const char *p = flags; (p = strstr(p, word)); p += length) {
		if ((p == flags || p[-1] == ' ') && (p[length] == ' ' || !p[length]))
			return true;
	}
	return false;
}

struct isa isa_of_flags(const char *flags)
{
	return (struct isa){
		.avx2 = has(flags, "avx2"),
		.avx512 = has(flags, "avx512f") && has(flags, "avx512bw") && has(flags, "avx512vl") &&
			  has(flags, "avx512dq"),
		.vnni = has(flags, "avx512_vnni"),
		.bf16 = has(flags, "avx512_bf16"),
		.amx = has(flags, "amx_tile"),
	};
}

bool isa_missing(struct isa used, struct isa there, char ret_words[ISA_WORDS])
{
	const struct {
		const char *name;
		bool missing;
	} parts[] = {
		{ "AVX2", there.avx2 && !used.avx2 }, { "AVX-512", there.avx512 && !used.avx512 },
		{ "VNNI", there.vnni && !used.vnni }, { "bf16", there.bf16 && !used.bf16 },
		{ "AMX", there.amx && !used.amx },
	};
	size_t length = 0;

	ret_words[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!parts[i].missing)
			continue;
		length += (size_t)snprintf(ret_words + length, ISA_WORDS - length, "%s%s", length ? ", " : "",
					   parts[i].name);
	}
	return length != 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzz target is: libFuzzer's entry point, and a way to say that a property broke. The same
 * targets are linked with replay.c where there is no libFuzzer.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Fails in every build, NDEBUG or not. */
#define MUST(condition)                   \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

/* The input as text in a block of its own, so that reading past its end is seen. The caller frees it. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	MUST(text);
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers drawn from a seed, the same everywhere: splitmix64 (Steele, Lea, Flood 2014).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct prove_random {
	uint64_t state; /* any seed */
};

static inline uint64_t prove_draw(struct prove_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15U;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

/* From 0 to below - 1. The bias is below 2^-32 for what is drawn here. */
static inline size_t prove_draw_below(struct prove_random *random, size_t below)
{
	return (size_t)(((prove_draw(random) >> 32) * (uint64_t)below) >> 32);
}

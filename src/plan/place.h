/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which cores each instance gets, once number and size are settled.
 */
#pragma once

#include "plan/pool.h"
#include "plan/shape.h"

/* The cores of one instance: `compute` of them for threads, then `reserve` for helpers. Core indexes. */
struct slot {
	unsigned *cores;
	unsigned compute, reserve;
	unsigned *places; /* the CPU of each of `threads` threads; NULL: see the cores */
	unsigned threads;
};

/* Fill `slots` (room for shape->instances, zeroed). They come in the order of their cores. Returns 0 or -ENOMEM. */
int place_make(const struct pool *pool, const struct shape *shape, const struct request *request, struct slot *slots,
	       struct err *err);

void slots_free(struct slot *slots, unsigned count);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program did in oneDNN, by what oneDNN printed: where the time went, in which layouts, with which kernels, and
 * what its primitive cache did. Fed with bytes; pure.
 */
#pragma once

#include "onednn/cache.h"
#include "onednn/problem.h"
#include "onednn/stream.h"

#include <jansson.h>

struct err;

/* One kind of primitive in one implementation. */
struct onednn_row {
	char *kind, *implementation; /* owned */
	uint64_t calls, creations;
	double ms, create_ms;
	double flop, flop_ms; /* of the executions whose operations are known, and their time */
	uint64_t distinct;    /* primitives created */
	uint32_t number;      /* in the order of their first lines */
	bool reference;
};

/* Time spent executing. */
struct onednn_times {
	double all, reorder, activation_reorder, reference, spatial, plain, asked_plain, channels_last, single, narrow;
};

struct onednn_profile {
	struct onednn_stream stream;
	struct onednn_primitives primitives;
	struct onednn_cache cache;
	struct onednn_row *rows;
	size_t row_count, row_capacity;
	size_t streams;        /* processes that began */
	size_t streams_before; /* when the stream that is fed began, and lines */
	uint64_t lines_before;
	uint64_t executions, creations;
	double create_ms;
	struct onednn_times times;
	char *version, *isa, *runtime; /* as the first process said them; NULL: it did not */
	uint64_t forgotten; /* primitives, to make room for others: `distinct` is too large by what came back */
	uint64_t distinct;  /* primitives created */
	uint64_t kept; /* executions for which nobody asked oneDNN: the program kept the primitive; of creations told */
	double peak_gflops; /* what the processor was seen to reach, for whoever reads on; 0: not known */
	bool nested_shown;  /* the stream has creations inside others */
	bool failed;        /* memory ran out */
};

/* Begin. The caller hands it to onednn_profile_free(). NULL: memory ran out. */
struct onednn_profile *onednn_profile_new(void);

/* The next bytes of the stream. */
void onednn_profile_feed(struct onednn_profile *profile, const char *bytes, size_t length);

/* The stream is at its end; what is fed from now on is another process's, whose cache is empty. */
void onednn_profile_next(struct onednn_profile *profile);

/* There are no more: rows are sorted, the longest first. Returns 0 or -ENOMEM, when memory ran out on the way. */
int onednn_profile_end(struct onednn_profile *profile, struct err *err);

void onednn_profile_free(struct onednn_profile *profile);
static inline void onednn_profile_free_(struct onednn_profile **profile)
{
	onednn_profile_free(*profile);
}
#define cleanup_onednn_profile cleanup_(onednn_profile_free_)

/*
 * The primitives that took the longest to execute, at most `count`, of those with one of `traits` (enum onednn_trait;
 * 0: of all). Returns how many; the indices are in `ret_longest`, which has room for `count`.
 */
size_t onednn_profile_longest(const struct onednn_profile *profile, unsigned traits, size_t count, size_t *ret_longest);

/* The problem descriptor of a primitive, last in its key. */
struct onednn_span onednn_profile_problem(const struct onednn_profile *profile,
					  const struct onednn_primitive *primitive);

/* A share of the time spent executing; 0 when there is none. */
double onednn_share(const struct onednn_profile *profile, double ms);

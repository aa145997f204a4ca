/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The primitives of a stream: each once, found by what its lines say of it from engine to problem. Memory is bounded:
 * of the texts 64 MiB are kept, and of primitives a million.
 */
#pragma once

#include "onednn/line.h"

#include <stdint.h>

enum {
	ONEDNN_PRIMITIVES_MAX = 1 << 20,
	ONEDNN_TEXT_MAX_BYTES = 64 << 20,
};

struct onednn_primitive {
	uint64_t hash[2]; /* of the key: 128 bits tell a million apart */
	uint32_t row;     /* of its kind and implementation */
	uint32_t text;    /* its key is at `texts` + this, 1 more than the offset; 0: not kept */
	uint32_t text_length;
	uint32_t slot;  /* when it was last asked for, in the cache model */
	uint32_t epoch; /* of `slot` */
	uint32_t flags; /* enum onednn_trait, of its layouts */
	uint64_t calls; /* executions */
	uint64_t creations;
	double exec_ms;
	double flop; /* of one execution; 0: not known */
};

struct onednn_primitives {
	struct onednn_primitive *items;
	size_t count, capacity;
	uint32_t *table; /* index + 1; 0: free */
	size_t table_size;
	char *texts;
	size_t texts_length, texts_capacity;
};

/*
 * The primitive of this key, made when it is new (`*ret_new`). Returns its index, or SIZE_MAX when memory ran out or
 * the table is full: onednn_primitives_keep() makes room.
 */
size_t onednn_primitives_find(struct onednn_primitives *primitives, struct onednn_span key, bool *ret_new);

/* Forget those for which `stays` is false; indices change, order does not. `moved[old]` gets the new index or
 * UINT32_MAX. */
void onednn_primitives_keep(struct onednn_primitives *primitives, const bool *stays, uint32_t *moved);

/* Its key, not terminated; of length 0 when it was not kept. */
struct onednn_span onednn_primitive_key(const struct onednn_primitives *primitives,
					const struct onednn_primitive *primitive);

void onednn_primitives_clear(struct onednn_primitives *primitives);

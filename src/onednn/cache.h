/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oneDNN's primitive cache at every capacity at once, from the creations of one run.
 *
 * The cache is LRU (oneDNN developer guide, Primitive Cache), so a creation is a hit at every capacity of at least its
 * stack distance: how many different primitives were asked for since it was last asked for, itself included (Mattson,
 * Gecsei, Slutz, Traiger 1970). Distances come from a Fenwick tree over the times of last use: O(log n) a creation.
 * Each process has its own cache: it starts empty.
 */
#pragma once

#include "onednn/primitives.h"

enum {
	ONEDNN_CAPACITY_MAX = 65536,    /* tuning guide, oneDNN primitive cache */
	ONEDNN_CAPACITY_DEFAULT = 1024, /* the same */
	ONEDNN_CURVE_MAX = 40,
};

/* Creations by stack distance: 1 to ONEDNN_CAPACITY_MAX, deeper (0), for each thing that can be said of it. */
struct onednn_distances {
	uint64_t *of[3]; /* enum onednn_cached */
};

struct onednn_cache {
	uint32_t *tree;  /* Fenwick: slots that are somebody's last */
	uint32_t *owner; /* whose a slot is or was */
	uint32_t slots;  /* a power of two */
	uint32_t clock;  /* slots given out */
	uint32_t live;   /* primitives in the cache were it endless */
	uint32_t live_most;
	uint32_t epoch; /* of this process */
	struct onednn_distances distances;
	uint64_t nested; /* creations by other primitives: they take room, and are not counted as hits or misses */
	double hit_ms, miss_ms;
	bool failed; /* memory ran out */
};

/* A creation. `index` is its primitive's. */
void onednn_cache_ask(struct onednn_cache *cache, struct onednn_primitives *primitives, size_t index,
		      const struct onednn_line *line);

/* Another process begins: its cache is empty. */
void onednn_cache_restart(struct onednn_cache *cache);

/* Forget what no capacity can still hold, so that `primitives` has room again. Returns 0 or -ENOMEM. */
int onednn_cache_make_room(struct onednn_cache *cache, struct onednn_primitives *primitives);

void onednn_cache_clear(struct onednn_cache *cache);

struct onednn_curve_point {
	unsigned capacity;
	double hit_rate;
};

/* What the model says. */
struct onednn_sizing {
	bool has_creations; /* without any nothing else here means anything */
	bool has_said;      /* the stream says of creations whether they hit */
	uint64_t creations, hits, misses;
	struct onednn_curve_point curve[ONEDNN_CURVE_MAX];
	size_t curve_count;
	bool has_capacity; /* the run's, given or told from what hit and what did not */
	unsigned capacity;
	bool assumed;         /* the default, which nothing in the stream contradicts */
	double agreement;     /* share of creations of which model and oneDNN say the same, at `capacity` or the best */
	double best_rate;     /* at the largest capacity */
	unsigned working_set; /* the smallest capacity, to the one, within a hundredth of the best; 0: nothing comes
				 back */
	unsigned recommended; /* the curve's first point from there on; 0: none */
	double now_rate;      /* as reported, or by the model at `capacity` */
	bool has_saves;
	double saves_ms; /* of this run at `recommended` */
};

/* Judge. `capacity`: the run's, 0: not known. */
void onednn_cache_judge(const struct onednn_cache *cache, unsigned capacity, struct onednn_sizing *ret_sizing);

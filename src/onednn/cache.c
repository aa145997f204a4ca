/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn/cache.h"

#include "base/cleanup.h"

#include <errno.h>
#include <string.h>

enum { SLOTS_FIRST = 4096 };

static bool begin(struct onednn_cache *cache)
{
	for (size_t i = 0; i < ARRAY_SIZE(cache->distances.of); i++) {
		cache->distances.of[i] = calloc(ONEDNN_CAPACITY_MAX + 1, sizeof(uint64_t));
		cache->failed |= !cache->distances.of[i];
	}
	cache->tree = calloc(SLOTS_FIRST + 1, sizeof(*cache->tree));
	cache->owner = calloc(SLOTS_FIRST, sizeof(*cache->owner));
	cache->failed |= !cache->tree || !cache->owner;
	cache->slots = SLOTS_FIRST;
	cache->epoch = 1;
	return !cache->failed;
}

static void tree_add(struct onednn_cache *cache, uint32_t slot, uint32_t amount)
{
	for (uint32_t i = slot + 1; i <= cache->slots; i += i & -i)
		cache->tree[i] += amount;
}

/* How many live slots there are up to this one. */
static uint32_t tree_sum(const struct onednn_cache *cache, uint32_t slot)
{
	uint32_t sum = 0;

	for (uint32_t i = slot + 1; i; i -= i & -i)
		sum += cache->tree[i];
	return sum;
}

/* A tree in which the first `live` slots are live. */
static void tree_fill(struct onednn_cache *cache)
{
	for (uint32_t i = 1; i <= cache->slots; i++) {
		const uint32_t low = i & -i, first = i - low;

		cache->tree[i] = cache->live > first ? (cache->live - first < low ? cache->live - first : low) : 0;
	}
}

static bool is_last(const struct onednn_cache *cache, const struct onednn_primitive *primitive, uint32_t slot)
{
	return primitive->epoch == cache->epoch && primitive->slot == slot;
}

/* Close the gaps that earlier uses left, in a larger array where half is in use. */
static bool compact(struct onednn_cache *cache, struct onednn_primitives *primitives)
{
	uint32_t live = 0, *grown;

	for (uint32_t slot = 0; slot < cache->clock; slot++) {
		const uint32_t index = cache->owner[slot];

		if (!is_last(cache, &primitives->items[index], slot))
			continue;
		cache->owner[live] = index;
		primitives->items[index].slot = live++;
	}
	cache->clock = cache->live = live;
	if (live > cache->slots / 2) {
		grown = reallocarray(cache->owner, cache->slots * 2UL, sizeof(*grown));
		if (!grown)
			return false;
		cache->owner = grown;
		grown = reallocarray(cache->tree, cache->slots * 2UL + 1, sizeof(*grown));
		if (!grown)
			return false;
		cache->tree = grown;
		cache->slots *= 2;
	}
	tree_fill(cache);
	return true;
}

/* The stack distance of a primitive that is asked for again, which becomes the last used. 0: not asked for before. */
static uint32_t touch(struct onednn_cache *cache, struct onednn_primitive *primitive, uint32_t index)
{
	uint32_t distance = 0;

	if (primitive->epoch == cache->epoch) {
		distance = cache->live - tree_sum(cache, primitive->slot) + 1;
		tree_add(cache, primitive->slot, UINT32_MAX); /* -1 */
		cache->live--;
	}
	primitive->epoch = cache->epoch;
	primitive->slot = cache->clock;
	cache->owner[cache->clock] = index;
	tree_add(cache, cache->clock++, 1);
	if (++cache->live > cache->live_most)
		cache->live_most = cache->live;
	return distance;
}

void onednn_cache_ask(struct onednn_cache *cache, struct onednn_primitives *primitives, size_t index,
		      const struct onednn_line *line)
{
	uint32_t distance;

	if (cache->failed || (!cache->slots && !begin(cache)))
		return;
	if (cache->clock == cache->slots && !compact(cache, primitives)) {
		cache->failed = true;
		return;
	}
	distance = touch(cache, &primitives->items[index], (uint32_t)index);
	if (line->nested) {
		cache->nested++;
		return;
	}
	cache->distances.of[line->cached][distance <= ONEDNN_CAPACITY_MAX ? distance : 0]++;
	if (line->cached == ONEDNN_CACHED_HIT)
		cache->hit_ms += line->ms;
	else
		cache->miss_ms += line->ms;
}

void onednn_cache_restart(struct onednn_cache *cache)
{
	if (!cache->slots)
		return;
	/* Beyond the slots in use, only the nodes above the last of them are not 0. */
	for (uint32_t i = 1; i <= cache->clock; i++)
		cache->tree[i] = 0;
	for (uint32_t i = cache->clock; i && i <= cache->slots; i += i & -i)
		cache->tree[i] = 0;
	cache->clock = cache->live = 0;
	cache->epoch++;
}

int onednn_cache_make_room(struct onednn_cache *cache, struct onednn_primitives *primitives)
{
	cleanup_free bool *stays = calloc(primitives->count + 1, sizeof(*stays));
	cleanup_free uint32_t *moved = calloc(primitives->count + 1, sizeof(*moved));
	uint32_t left = ONEDNN_CAPACITY_MAX, live = 0;

	if (!stays || !moved)
		return -ENOMEM;
	for (uint32_t slot = cache->clock; slot && left; slot--) {
		const uint32_t index = cache->owner[slot - 1];

		if (!is_last(cache, &primitives->items[index], slot - 1))
			continue;
		stays[index] = true;
		left--;
	}
	for (uint32_t slot = 0; slot < cache->clock; slot++) {
		const uint32_t index = cache->owner[slot];

		if (!stays[index] || !is_last(cache, &primitives->items[index], slot))
			continue;
		cache->owner[live] = index;
		primitives->items[index].slot = live++;
	}
	onednn_primitives_keep(primitives, stays, moved);
	for (uint32_t slot = 0; slot < live; slot++)
		cache->owner[slot] = moved[cache->owner[slot]];
	cache->clock = cache->live = live;
	if (cache->slots)
		tree_fill(cache);
	return 0;
}

void onednn_cache_clear(struct onednn_cache *cache)
{
	for (size_t i = 0; i < ARRAY_SIZE(cache->distances.of); i++)
		free(cache->distances.of[i]);
	free(cache->tree);
	free(cache->owner);
	*cache = (struct onednn_cache){ .tree = NULL };
}

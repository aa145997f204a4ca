/* SPDX-License-Identifier: Apache-2.0 */
/* From stack distances to a curve and a capacity. */
#include "onednn/cache.h"

#include <stdlib.h>

/* How much worse than the best capacity one may be that is smaller. */
static const double LOSS = 0.01;

/* What a model and a report may differ in and still be of one capacity: another thread in between, a lookup without a
 * creation. */
static const double SLACK = 0.001;

static uint64_t sum_of(const struct onednn_distances *distances, size_t distance)
{
	return distances->of[0][distance] + distances->of[1][distance] + distances->of[2][distance];
}

static uint64_t hits_at(const struct onednn_cache *cache, unsigned capacity)
{
	uint64_t hits = 0;

	for (size_t d = 1; d <= capacity; d++)
		hits += sum_of(&cache->distances, d);
	return hits;
}

static void count(const struct onednn_cache *cache, struct onednn_sizing *sizing)
{
	for (size_t d = 0; d <= ONEDNN_CAPACITY_MAX; d++) {
		sizing->creations += sum_of(&cache->distances, d);
		sizing->hits += cache->distances.of[ONEDNN_CACHED_HIT][d];
		sizing->misses += cache->distances.of[ONEDNN_CACHED_MISS][d];
	}
	sizing->has_said = sizing->hits + sizing->misses != 0;
	sizing->has_creations = sizing->creations != 0;
}

/* 1, 2, 3, 4, 6, 8, 12, 16 ... 65536: each at most half as much again as the one before. */
static void draw(const struct onednn_cache *cache, struct onednn_sizing *sizing)
{
	uint64_t hits = 0;
	unsigned next = 1;

	for (unsigned capacity = 1; capacity <= ONEDNN_CAPACITY_MAX; capacity++) {
		hits += sum_of(&cache->distances, capacity);
		if (capacity != next)
			continue;
		sizing->curve[sizing->curve_count++] =
			(struct onednn_curve_point){ capacity, (double)hits / (double)sizing->creations };
		/* Between a power of two and the next: half as much again. */
		if ((capacity & (capacity - 1)) != 0)
			next += capacity / 3;
		else
			next += capacity == 1 ? 1 : capacity / 2;
	}
	sizing->best_rate = sizing->curve[sizing->curve_count - 1].hit_rate;
}

/*
 * Which capacities say most often what oneDNN said? Of a stream in which something was evicted there are few, and the
 * one it ran with is among them. `ret_first` to `ret_last` are the best; returns on how many creations they agree.
 */
static uint64_t fit(const struct onednn_cache *cache, const struct onednn_sizing *sizing, unsigned *ret_first,
		    unsigned *ret_last)
{
	uint64_t agree = sizing->misses, best = agree;

	*ret_first = *ret_last = 0;
	for (unsigned d = 1; d <= ONEDNN_CAPACITY_MAX; d++) {
		agree += cache->distances.of[ONEDNN_CACHED_HIT][d];
		agree -= cache->distances.of[ONEDNN_CACHED_MISS][d];
		if (agree > best) {
			best = agree;
			*ret_first = d;
		}
		if (agree == best)
			*ret_last = d;
	}
	return best;
}

/* On how many creations model and report agree at this capacity. */
static uint64_t agreeing(const struct onednn_cache *cache, unsigned capacity)
{
	uint64_t agree = cache->distances.of[ONEDNN_CACHED_MISS][0];

	for (unsigned d = 1; d <= ONEDNN_CAPACITY_MAX; d++)
		agree += cache->distances.of[d <= capacity ? ONEDNN_CACHED_HIT : ONEDNN_CACHED_MISS][d];
	return agree;
}

static void calibrate(const struct onednn_cache *cache, unsigned capacity, struct onednn_sizing *sizing)
{
	const double said = (double)(sizing->hits + sizing->misses);
	unsigned first, last;
	uint64_t agree = fit(cache, sizing, &first, &last);

	if (!capacity && (double)agreeing(cache, ONEDNN_CAPACITY_DEFAULT) >= (double)agree - SLACK * said) {
		capacity = ONEDNN_CAPACITY_DEFAULT;
		sizing->assumed = true;
	}
	/* Found by what was evicted and what was not, when that leaves little choice. */
	if (!capacity && first && last - first <= first / 50)
		capacity = first;
	if (capacity)
		agree = agreeing(cache, capacity);
	sizing->has_capacity = capacity || !last; /* 0: the cache is off */
	sizing->capacity = capacity;
	sizing->agreement = (double)agree / said;
}

/* The smallest capacity within LOSS of the best, and the first point of the curve from there on. */
static void recommend(const struct onednn_cache *cache, struct onednn_sizing *sizing)
{
	const double enough = (1 - LOSS) * sizing->best_rate * (double)sizing->creations;
	uint64_t hits = 0;

	for (unsigned d = 1; d <= ONEDNN_CAPACITY_MAX && !sizing->working_set; d++) {
		hits += sum_of(&cache->distances, d);
		if (hits && (double)hits >= enough)
			sizing->working_set = d;
	}
	for (size_t i = 0; sizing->working_set && i < sizing->curve_count && !sizing->recommended; i++) {
		if (sizing->curve[i].capacity >= sizing->working_set)
			sizing->recommended = sizing->curve[i].capacity;
	}
}

static void save(const struct onednn_cache *cache, struct onednn_sizing *sizing)
{
	const double more = (double)hits_at(cache, sizing->recommended) - (double)sizing->hits;

	if (!sizing->recommended || !sizing->has_said)
		return;
	sizing->has_saves = true;
	if (sizing->misses)
		sizing->saves_ms = more * (cache->miss_ms / (double)sizing->misses -
					   (sizing->hits ? cache->hit_ms / (double)sizing->hits : 0));
}

void onednn_cache_judge(const struct onednn_cache *cache, unsigned capacity, struct onednn_sizing *ret_sizing)
{
	struct onednn_sizing sizing = { .capacity = capacity, .has_capacity = capacity != 0 };

	if (cache->slots && !cache->failed)
		count(cache, &sizing);
	if (sizing.has_creations) {
		draw(cache, &sizing);
		if (sizing.has_said)
			calibrate(cache, capacity, &sizing);
		recommend(cache, &sizing);
		save(cache, &sizing);
		if (sizing.has_said)
			sizing.now_rate = (double)sizing.hits / (double)(sizing.hits + sizing.misses);
		else if (sizing.has_capacity)
			sizing.now_rate = (double)hits_at(cache, capacity) / (double)sizing.creations;
	}
	*ret_sizing = sizing;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The model of oneDNN's primitive cache against a cache that is simulated entry by entry, and what is concluded. */
#include "base/cleanup.h"
#include "onednn/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

/* An LRU cache as slow as it is plain: the last used stands first. */
struct plain {
	unsigned keys[4096];
	size_t count, capacity;
	uint64_t hits;
};

static bool plain_ask(struct plain *plain, unsigned key)
{
	size_t at = 0;
	bool hit;

	while (at < plain->count && plain->keys[at] != key)
		at++;
	hit = at < plain->count;
	if (!hit && plain->count < plain->capacity)
		plain->count++;
	if (!hit)
		at = plain->count - 1;
	memmove(&plain->keys[1], &plain->keys[0], at * sizeof(plain->keys[0]));
	plain->keys[0] = key;
	plain->hits += hit;
	return hit;
}

struct bench {
	struct onednn_primitives primitives;
	struct onednn_cache cache;
};

static void bench_clear(struct bench *bench)
{
	onednn_primitives_clear(&bench->primitives);
	onednn_cache_clear(&bench->cache);
}

static void ask(struct bench *bench, unsigned key, enum onednn_cached cached, bool nested)
{
	char text[32];
	const struct onednn_line line = { .cached = cached,
					  .nested = nested,
					  .ms = cached == ONEDNN_CACHED_HIT ? 0.01 : 1 };
	bool fresh;
	size_t index;

	(void)snprintf(text, sizeof(text), "cpu,matmul,jit,%u", key);
	index = onednn_primitives_find(&bench->primitives, (struct onednn_span){ text, strlen(text) }, &fresh);
	assert_true(index != SIZE_MAX);
	onednn_cache_ask(&bench->cache, &bench->primitives, index, &line);
}

static unsigned draw(unsigned *state, unsigned below)
{
	*state = (unsigned)((unsigned long)*state * 48271 % 2147483647);
	return *state % below;
}

/* Keys with favourites, of which some die for good and others come back. */
static void drawn_order(unsigned seed, unsigned *keys, size_t count, unsigned shapes)
{
	unsigned in_use[2048], fresh = 0, state = seed + 1;

	for (unsigned i = 0; i < shapes; i++)
		in_use[i] = fresh++;
	for (size_t i = 0; i < count; i++) {
		const unsigned a = draw(&state, shapes), b = draw(&state, shapes), which = a < b ? a : b;

		if (!draw(&state, 30))
			in_use[which] = fresh++;
		keys[i] = in_use[which];
	}
}

enum { CREATIONS = 30000 };

static void the_curve_is_what_each_cache_does(void **state)
{
	static const unsigned shapes[] = { 3, 100, 700, 2000 };
	cleanup_free unsigned *keys = calloc(CREATIONS, sizeof(*keys));

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(shapes); s++) {
		cleanup_(bench_clear) struct bench bench = { 0 };
		struct onednn_sizing sizing;

		drawn_order((unsigned)s, keys, CREATIONS, shapes[s]);
		for (size_t i = 0; i < CREATIONS; i++)
			ask(&bench, keys[i], ONEDNN_CACHED_UNSAID, false);
		onednn_cache_judge(&bench.cache, 0, &sizing);
		assert_true(sizing.curve_count > 20);
		assert_int_equal(sizing.curve[sizing.curve_count - 1].capacity, ONEDNN_CAPACITY_MAX);
		assert_int_equal(sizing.curve_count, 32);
		assert_int_equal(sizing.curve[20].capacity, 1536);
		for (size_t i = 0; i < sizing.curve_count && sizing.curve[i].capacity <= 4096; i++) {
			struct plain plain = { .capacity = sizing.curve[i].capacity };

			for (size_t k = 0; k < CREATIONS; k++)
				(void)plain_ask(&plain, keys[k]);
			assert_true(sizing.curve[i].hit_rate == (double)plain.hits / CREATIONS);
		}
	}
}

/* What a cache of 300 said is told from what it said. */
static void the_capacity_is_found_from_hits_and_misses(void **state)
{
	static const unsigned capacities[] = { 300, 1024 };
	cleanup_free unsigned *keys = calloc(CREATIONS, sizeof(*keys));

	(void)state;
	drawn_order(9, keys, CREATIONS, 1800);
	for (size_t c = 0; c < ARRAY_SIZE(capacities); c++) {
		cleanup_(bench_clear) struct bench bench = { 0 };
		struct plain plain = { .capacity = capacities[c] };
		struct onednn_sizing sizing;

		for (size_t i = 0; i < CREATIONS; i++)
			ask(&bench, keys[i], plain_ask(&plain, keys[i]) ? ONEDNN_CACHED_HIT : ONEDNN_CACHED_MISS,
			    false);
		onednn_cache_judge(&bench.cache, 0, &sizing);
		assert_true(sizing.has_capacity);
		assert_in_range(sizing.capacity, capacities[c] - 5, capacities[c] + 5);
		assert_int_equal(sizing.assumed, capacities[c] == 1024);
		assert_true(sizing.agreement > 0.9999);
		assert_int_equal(sizing.hits, plain.hits);
		assert_int_equal(sizing.hits + sizing.misses, CREATIONS);
		assert_true(sizing.saves_ms > 0);
		onednn_cache_judge(&bench.cache, 65536, &sizing);
		assert_true(sizing.agreement < 0.9);
		assert_int_equal(sizing.capacity, 65536);
	}
}

/* A cycle larger than the cache: a cliff, and the recommendation stands behind it. */
static void a_cycle_is_a_cliff(void **state)
{
	cleanup_(bench_clear) struct bench bench = { 0 };
	struct onednn_sizing sizing;

	(void)state;
	for (unsigned i = 0; i < 5 * 1500; i++)
		ask(&bench, i % 1500, ONEDNN_CACHED_MISS, false);
	onednn_cache_judge(&bench.cache, 0, &sizing);
	assert_int_equal(sizing.working_set, 1500);
	assert_int_equal(sizing.recommended, 1536);
	assert_true(sizing.has_capacity && sizing.capacity == 1024 && sizing.assumed);
	assert_true(sizing.now_rate == 0 && sizing.best_rate == 0.8);
	assert_true(sizing.saves_ms == 6000);
}

static void without_reuse_nothing_is_recommended(void **state)
{
	cleanup_(bench_clear) struct bench bench = { 0 };
	struct onednn_sizing sizing;

	(void)state;
	onednn_cache_judge(&bench.cache, 0, &sizing);
	assert_false(sizing.has_creations || sizing.recommended || sizing.has_saves);
	for (unsigned i = 0; i < 3000; i++)
		ask(&bench, i, ONEDNN_CACHED_MISS, false);
	onednn_cache_judge(&bench.cache, 0, &sizing);
	assert_true(sizing.has_creations);
	assert_int_equal(sizing.recommended, 0);
	assert_false(sizing.has_saves);
}

/* What another primitive makes for itself takes room and is no creation of the program's. */
static void nested_primitives_take_room(void **state)
{
	cleanup_(bench_clear) struct bench bench = { 0 };
	struct onednn_sizing sizing;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		ask(&bench, i % 10, i < 10 ? ONEDNN_CACHED_MISS : ONEDNN_CACHED_HIT, false);
		ask(&bench, 1000 + i % 10, ONEDNN_CACHED_HIT, true);
	}
	onednn_cache_judge(&bench.cache, 0, &sizing);
	assert_int_equal(sizing.creations, 1000);
	assert_int_equal(sizing.working_set, 20);
	assert_int_equal(bench.cache.nested, 1000);
}

static void a_process_starts_with_an_empty_cache(void **state)
{
	cleanup_(bench_clear) struct bench bench = { 0 };
	struct onednn_sizing sizing;

	(void)state;
	for (unsigned process = 0; process < 50; process++) {
		for (unsigned i = 0; i < 5 + process; i++)
			ask(&bench, i, ONEDNN_CACHED_MISS, false);
		onednn_cache_restart(&bench.cache);
	}
	onednn_cache_judge(&bench.cache, 0, &sizing);
	assert_true(sizing.best_rate == 0);
	assert_int_equal(bench.cache.live_most, 54);
}

/* Of more primitives than are remembered the hit rates stay right; only what is out of every cache's reach is
 * forgotten. */
static void forgetting_changes_no_hit_rate(void **state)
{
	enum { KEYS = 200000 };
	cleanup_(bench_clear) struct bench bench = { 0 }, forgetful = { 0 };
	struct onednn_sizing sizing, again;
	unsigned seed = 77;

	(void)state;
	for (unsigned i = 0; i < 2 * KEYS; i++) {
		const unsigned key = draw(&seed, 3) ? i : draw(&seed, i / 2 + 1);

		ask(&bench, key, ONEDNN_CACHED_UNSAID, false);
		ask(&forgetful, key, ONEDNN_CACHED_UNSAID, false);
		if (i % 90000 == 89999)
			assert_int_equal(onednn_cache_make_room(&forgetful.cache, &forgetful.primitives), 0);
	}
	assert_true(forgetful.primitives.count < bench.primitives.count);
	onednn_cache_judge(&bench.cache, 0, &sizing);
	onednn_cache_judge(&forgetful.cache, 0, &again);
	for (size_t i = 0; i < sizing.curve_count; i++)
		assert_true(sizing.curve[i].hit_rate == again.curve[i].hit_rate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_curve_is_what_each_cache_does),
		cmocka_unit_test(the_capacity_is_found_from_hits_and_misses),
		cmocka_unit_test(a_cycle_is_a_cliff),
		cmocka_unit_test(without_reuse_nothing_is_recommended),
		cmocka_unit_test(nested_primitives_take_room),
		cmocka_unit_test(a_process_starts_with_an_empty_cache),
		cmocka_unit_test(forgetting_changes_no_hit_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where instances go: nodes, objects, caches, kinds of cores, helpers.
 */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "plan_rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void strategy_says_where_a_part_goes(void **state)
{
	static const struct row rows[] = {
		{ TWO_BY_FOUR,
		  { 0 },
		  { .instances = 2, .cores_per_instance = 2 },
		  NULL,
		  "0,2 2 threads preferred:0 | 8,10 2 threads preferred:1" },
		{ TWO_BY_FOUR,
		  { 0 },
		  { .instances = 2, .cores_per_instance = 2, .strategy = STRATEGY_CLOSE },
		  NULL,
		  "0,2 2 threads preferred:0 | 4,6 2 threads preferred:0" },
		/* four L3s of four cores: scatter takes two of them, close fills one */
		{ FOUR_L3,
		  { 0 },
		  { .instances = 2, .cores_per_instance = 2 },
		  NULL,
		  "0-1 2 threads none:0 | 4-5 2 threads none:0" },
		{ FOUR_L3,
		  { 0 },
		  { .instances = 2, .cores_per_instance = 2, .strategy = STRATEGY_CLOSE },
		  NULL,
		  "0-1 2 threads none:0 | 2-3 2 threads none:0" },
		/* one instance over all L3s; two that share them, CPU 1 is a helper; an L3 that has too few */
		{ FOUR_L3,
		  { 0 },
		  { .instances = 1, .cores_per_instance = 6, .spread = true },
		  NULL,
		  "0-1,4-5,8,12 6 instance none:0" },
		{ FOUR_L3,
		  { 0 },
		  { .instances = 2, .cores_per_instance = 4, .spread = true, .reserve = { 1, false } },
		  NULL,
		  "0,4,8,12 4 threads none:0 | 2,5,9,13 4 threads none:0" },
		{ FOUR_L3,
		  { .allowed_pus = "0,4-15" },
		  { .cores_per_instance = 8, .spread = true, .instances = 1 },
		  NULL,
		  "0,4-6,8-9,12-13 8 instance none:0" },
		/* an L3 only breaks ties: the fifth instance is made of what the four leave over */
		{ FOUR_L3,
		  { 0 },
		  { .instances = 5 },
		  NULL,
		  "0-2 3 threads none:0 | 3,7,11 3 threads none:0 | 4-6 3 threads none:0 | 8-10 3 threads none:0 | "
		  "12-14 3 threads none:0" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void each_object_gets_an_instance(void **state)
{
	static const struct row rows[] = {
		{ TWO_BY_FOUR,
		  { .allowed_pus = "0-5,8-15" },
		  { .has_per = true, .per = PER_NODE },
		  NULL,
		  "0,2,4 3 threads preferred:0 | 8,10,12 3 threads preferred:1" },
		{ TWO_BY_FOUR,
		  { .allowed_pus = "0-5,8-15" },
		  { .has_per = true, .per = PER_PACKAGE, .cores_per_instance = CORES_REMAINDER },
		  NULL,
		  "0,2,4 3 threads preferred:0 | 8,10,12,14 4 threads preferred:1" },
		/* two nodes a package: the instance may span them, yet does not when it is small enough for one */
		{ FOUR_NODES,
		  { 0 },
		  { .has_per = true, .per = PER_PACKAGE },
		  NULL,
		  "0-7 8 threads local:0-1 | 8-15 8 threads local:2-3" },
		{ FOUR_NODES,
		  { 0 },
		  { .has_per = true, .per = PER_PACKAGE, .cores_per_instance = 3 },
		  NULL,
		  "0-2 3 threads preferred:0 | 8-10 3 threads preferred:2" },
		{ FOUR_L3,
		  { 0 },
		  { .has_per = true, .per = PER_L3, .reserve.amount = 1 },
		  NULL,
		  "0-2 3 threads none:0 | 4-6 3 threads none:0 | 8-10 3 threads none:0 | 12-14 3 threads none:0" },
		{ TWO_BY_FOUR,
		  { .allowed_pus = "0-3,8-9" },
		  { .has_per = true, .per = PER_CORE, .smt = true },
		  NULL,
		  "0-1 2 threads preferred:0 | 2-3 2 threads preferred:0 | 8-9 2 threads preferred:1" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void parts_follow_kinds_and_caches(void **state)
{
	static const struct row rows[] = {
		/* one kind each, the large cores first */
		{ HYBRID,
		  { 0 },
		  { .instances = 3, .efficiency_cores = true },
		  NULL,
		  "0,2 2 threads none:0 | 4-5 2 threads none:0 | 6-7 2 threads none:0" },
		/* the large ones are too few for a part: one part takes both, the other stays among small ones */
		{ HYBRID,
		  { 0 },
		  { .instances = 2, .efficiency_cores = true },
		  NULL,
		  "0,2,4 3 threads none:0 | 5-7 3 threads none:0" },
		/* three L3s of four cores, parts of six: two have an L3 of their own and half of one more */
		{ THREE_L3, { 0 }, { .instances = 2 }, NULL, "0-3,8-9 6 threads none:0 | 4-7,10-11 6 threads none:0" },
		/* no L3, an L2 for every two cores: each part has one whole and breaks one */
		{ PAIRS_L2,
		  { 0 },
		  { .instances = 2, .cores_per_instance = 3 },
		  NULL,
		  "0-1,4 3 threads none:0 | 2-3,6 3 threads none:0" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void helpers_stay_beside_their_instance(void **state)
{
	static const struct {
		const char *spec;
		struct request request;
		const char *masks[3];
	} rows[] = {
		/* two L3s of four: three cores and a helper each; a quarter of four is one */
		{ "synthetic:pack:1 [numa(memory=8GB)] l3:2 core:4 pu:1",
		  { .instances = 2, .reserve = { 1, false } },
		  { "0-3", "4-7" } },
		{ "synthetic:pack:1 [numa(memory=8GB)] l3:2 core:4 pu:1",
		  { .instances = 2, .reserve = { 25, true } },
		  { "0-3", "4-7" } },
		/* four cores fill an L3: they are not split, the helpers go next door */
		{ FOUR_L3,
		  { .instances = 3, .cores_per_instance = 4, .reserve = { 1, false } },
		  { "0-3,12", "4-7,13", "8-11,14" } },
		/* close, but the second does not move in where the first one's helper is to be */
		{ FOUR_L3,
		  { .instances = 2, .cores_per_instance = 2, .strategy = STRATEGY_CLOSE, .reserve = { 2, false } },
		  { "0-3", "4-7" } },
		/* each in its own node */
		{ TWO_BY_FOUR, { .instances = 2, .reserve = { 30, true } }, { "0,2,4,6", "8,10,12,14" } },
		/* four computing cores fill a node: the helpers are next door, in the same package */
		{ FOUR_NODES, { .instances = 2, .reserve = { 50, true } }, { "0-7", "8-15" } },
		{ FOUR_NODES,
		  { .instances = 2, .cores_per_instance = 4, .reserve = { 3, false }, .strategy = STRATEGY_CLOSE },
		  { "0-6", "8-14" } },
		{ FOUR_NODES,
		  { .instances = 3, .cores_per_instance = 4, .reserve = { 1, false } },
		  { "0-3,12", "4-7,13", "8-11,14" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		cleanup_plan struct plan *plan =
			make(rows[i].spec, &(struct machine_narrow){ 0 }, &rows[i].request, no_environment, &err);

		assert_non_null(plan);
		for (size_t n = 0; n < plan->instance_count; n++) {
			cleanup_free char *mask = cpulist_text(plan->instances[n].mask_os);

			const char *due = n < ARRAY_SIZE(rows[i].masks) ? rows[i].masks[n] : NULL;

			if (!mask || !due || strcmp(mask, due) != 0) {
				print_error("# row %zu: instance %zu has %s, due %s\n", i, n, mask ? mask : "?",
					    due ? due : "nothing");
				fail();
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strategy_says_where_a_part_goes),
		cmocka_unit_test(each_object_gets_an_instance),
		cmocka_unit_test(parts_follow_kinds_and_caches),
		cmocka_unit_test(helpers_stay_beside_their_instance),
	};

	return cmocka_run_group_tests_name("plan place", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many instances, how large, and what is refused; the plan as JSON.
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

static void instances_get_whole_cores_of_one_node(void **state)
{
	static const struct row rows[] = {
		{ ONE_NODE, { 0 }, { 0 }, NULL, "0-7 8 instance none:0" },
		{ TWO_BY_FOUR, { 0 }, { 0 }, NULL, "0,2,4,6,8,10,12,14 8 threads local:0-1" },
		{ TWO_BY_FOUR,
		  { 0 },
		  { .instances = 2 },
		  NULL,
		  "0,2,4,6 4 threads preferred:0 | 8,10,12,14 4 threads preferred:1" },
		/* three even parts of 8 cores are 2 (2.67): they fit nodes at 2 */
		{ TWO_BY_FOUR,
		  { 0 },
		  { .instances = 3 },
		  NULL,
		  "0,2 2 threads preferred:0 | 4,6 2 threads preferred:0 | 8,10 2 threads preferred:1" },
		/* four even parts of 15 cores are 3: nodes of 5 hold one each, so the size shrinks to 2 */
		{ THREE_BY_FIVE,
		  { 0 },
		  { .instances = 4 },
		  NULL,
		  "0-1 2 threads preferred:0 | 2-3 2 threads preferred:0 | 5-6 2 threads preferred:1 | "
		  "10-11 2 threads preferred:2" },
		{ THREE_BY_FIVE,
		  { 0 },
		  { .instances = 4, .cross_node = true },
		  NULL,
		  "0-2 3 threads preferred:0 | 3-4,8 3 threads local:0-1 | 5-7 3 threads preferred:1 | "
		  "10-12 3 threads preferred:2" },
		{ TWO_BY_FOUR,
		  { 0 },
		  { .instances = 3, .cores_per_instance = CORES_REMAINDER },
		  NULL,
		  "0,2 2 threads preferred:0 | 4,6 2 threads preferred:0 | 8,10,12,14 4 threads preferred:1" },
		{ TWO_BY_FOUR,
		  { 0 },
		  { .throughput = true },
		  NULL,
		  "0,2,4,6 4 threads preferred:0 | 8,10,12,14 4 threads preferred:1" },
		{ ONE_NODE, { 0 }, { .latency = true }, NULL, "0-3 4 threads none:0 | 4-7 4 threads none:0" },
		{ TWO_BY_FOUR,
		  { 0 },
		  { .smt = true, .instances = 2 },
		  NULL,
		  "0-7 8 threads preferred:0 | 8-15 8 threads preferred:1" },
		{ TWO_BY_FOUR, { 0 }, { .smt = true, .threads = 6 }, NULL, "0-4,6 6 instance preferred:0" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void memory_comes_from_the_nodes_that_have_it(void **state)
{
	static const struct row rows[] = {
		{ ODD_NODES, { 0 }, { .nodes = "0" }, NULL, "0-1 2 instance preferred:0" },
		{ ODD_NODES, { 0 }, { .nodes = "1" }, NULL, "2-3 2 instance preferred:4" },
		{ ODD_NODES, { 0 }, { .nodes = "1", .memory = MEMORY_BIND }, NULL, "2-3 2 instance bind:4" },
		/* a node without CPUs is taken where the policy takes nodes */
		{ ODD_NODES, { 0 }, { .nodes = "0,4" }, NULL, "0-1 2 instance preferred:0" },
		{ ODD_NODES, { 0 }, { .nodes = "0,4", .memory = MEMORY_LOCAL }, NULL, "0-1 2 instance local:0" },
		{ ODD_NODES, { 0 }, { .nodes = "0,4", .memory = MEMORY_BIND }, NULL, "0-1 2 instance bind:0,4" },
		{ ODD_NODES,
		  { 0 },
		  { .nodes = "0,4", .memory = MEMORY_INTERLEAVE },
		  NULL,
		  "0-1 2 instance interleave:0,4" },
		/* alone, it gets the CPUs nearest to it */
		{ ODD_NODES, { 0 }, { .nodes = "4", .memory = MEMORY_BIND }, NULL, "2-3 2 instance bind:4" },
		{ ODD_NODES,
		  { .allowed_pus = "0-1" },
		  { .nodes = "4", .memory = MEMORY_PREFERRED },
		  NULL,
		  "0-1 2 instance preferred:4" },
		/* but not where we may not use it */
		{ ODD_NODES,
		  { .allowed_nodes = "0" },
		  { .nodes = "0,4", .memory = MEMORY_BIND },
		  NULL,
		  "0-1 2 instance bind:0" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static bool has_reason(const char *spec, const struct request *request, const char *id)
{
	struct err err = { 0 };
	cleanup_plan struct plan *plan = make(spec, &(struct machine_narrow){ 0 }, request, no_environment, &err);

	assert_non_null(plan);
	for (size_t i = 0; i < plan->reasons.count; i++) {
		if (strcmp(plan->reasons.items[i].id, id) == 0)
			return true;
	}
	return false;
}

static void memory_that_is_not_where_it_was_named_is_said(void **state)
{
	(void)state;
	assert_true(has_reason(ODD_NODES, &(struct request){ .nodes = "1" }, "nearest-memory"));
	assert_true(has_reason(ODD_NODES, &(struct request){ 0 }, "nearest-memory"));
	assert_false(has_reason(ODD_NODES, &(struct request){ .nodes = "1,4" }, "nearest-memory"));
	assert_true(has_reason(ODD_NODES, &(struct request){ .nodes = "0,4" }, "memory-named"));
	assert_false(has_reason(ODD_NODES, &(struct request){ .nodes = "0" }, "memory-named"));
	assert_false(has_reason(ODD_NODES, &(struct request){ .nodes = "0,4", .memory = MEMORY_BIND }, "memory-named"));
}

static void threads_on_isolated_cpus_are_pinned_unless_the_user_says_otherwise(void **state)
{
	static const struct {
		enum pin asked, due;
		unsigned threads, warnings;
	} rows[] = {
		{ PIN_AUTO, PIN_THREADS, 0, 0 },      { PIN_THREADS, PIN_THREADS, 0, 0 },
		{ PIN_INSTANCE, PIN_INSTANCE, 0, 1 }, { PIN_NONE, PIN_NONE, 0, 1 },
		{ PIN_INSTANCE, PIN_INSTANCE, 1, 0 },
	};
	cleanup_machine struct machine *machine = read_machine(ONE_NODE, &(struct machine_narrow){ 0 });

	(void)state;
	assert_int_equal(fact_set(&machine->limits.isolated, FACT_KNOWN, 1, "/sys/x", "0-7"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct workload workload = { .request = { .pin = rows[i].asked, .threads = rows[i].threads },
						   .environment = no_environment };
		cleanup_plan struct plan *plan = NULL;
		struct err err = { 0 };

		assert_int_equal(plan_make(machine, &workload, &plan, &err), 0);
		assert_int_equal(plan->instances[0].pin, rows[i].due);
		assert_int_equal(plan->warnings.count, rows[i].warnings);
	}
}

static void limits_come_before_wishes(void **state)
{
	static const struct row rows[] = {
		{ ONE_NODE, { .quota_cpus = "1.5" }, { 0 }, NULL, "0 1 instance none:0" },
		{ ONE_NODE, { .quota_cpus = "0.3" }, { 0 }, NULL, "0 1 instance none:0" },
		{ ONE_NODE,
		  { .quota_cpus = "5" },
		  { .instances = 2 },
		  NULL,
		  "0-1 2 threads none:0 | 2-3 2 threads none:0" },
		{ ONE_NODE, { .allowed_pus = "2,5-6" }, { 0 }, NULL, "2,5-6 3 instance none:0" },
		{ TWO_BY_FOUR, { .allowed_pus = "1,3,8-15" }, { .cpus = "1,8-9" }, NULL, "1,8 2 threads local:0-1" },
		{ TWO_BY_FOUR, { 0 }, { .packages = "1", .cpus = "2-11" }, NULL, "8,10 2 instance preferred:1" },
		{ TWO_BY_FOUR, { .allowed_nodes = "1" }, { .nodes = "0" }, NULL, "0,2,4,6 4 instance preferred:1" },
		/* sizes differ, the sum of threads stays within the quota */
		{ TWO_BY_FOUR,
		  { .allowed_pus = "0-9", .quota_cpus = "6" },
		  { .has_per = true, .cores_per_instance = CORES_REMAINDER, .smt = true },
		  NULL,
		  "0,2,4,6 4 threads preferred:0 | 8-9 2 threads preferred:1" },
		{ ONE_NODE,
		  { .quota_cpus = "1" },
		  { .instances = 2, .threads = 1 },
		  NULL,
		  "0 1 threads none:0 | 1 1 threads none:0" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void the_users_thread_count_wins(void **state)
{
	static const struct row rows[] = {
		{ ONE_NODE, { 0 }, { 0 }, "OMP_NUM_THREADS=3", "0-2 3 instance none:0" },
		{ ONE_NODE, { 0 }, { 0 }, "OMP_NUM_THREADS=3,2", "0-2 3 instance none:0" },
		{ ONE_NODE, { 0 }, { 0 }, "OMP_NUM_THREADS=64", "0-7 8 instance none:0" },
		{ ONE_NODE, { 0 }, { 0 }, "OMP_NUM_THREADS=many", "0-7 8 instance none:0" },
		{ ONE_NODE, { 0 }, { 0 }, "OMP_NUM_THREADS=0", "0-7 8 instance none:0" },
		{ ONE_NODE, { .quota_cpus = "2" }, { 0 }, "OMP_NUM_THREADS=4", "0-3 4 instance none:0" },
		{ ONE_NODE, { 0 }, { .threads = 5 }, "OMP_NUM_THREADS=3", "0-4 5 instance none:0" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void an_outer_fettle_is_not_the_user(void **state)
{
	const char *const environment[] = { "OMP_NUM_THREADS=2", "FETTLE_PLAN=1;i=0/1;cpus=0-1;set=OMP_NUM_THREADS",
					    NULL };
	struct err err = { 0 };
	cleanup_plan struct plan *plan =
		make(ONE_NODE, &(struct machine_narrow){ 0 }, &(struct request){ 0 }, environment, &err);

	(void)state;
	assert_non_null(plan);
	assert_int_equal(plan->instances[0].threads, 8);
}

static void masks_widen_only_under_a_quota_and_unpinned(void **state)
{
	static const struct {
		struct machine_narrow narrow;
		struct request request;
		const char *mask;
	} rows[] = {
		{ { .quota_cpus = "2" }, { 0 }, "0-7" },
		{ { .quota_cpus = "2" }, { .pin = PIN_THREADS }, "0-1" },
		{ { 0 }, { .cores_per_instance = 2, .instances = 1 }, "0-1" },
		{ { 0 }, { .reserve.amount = 2 }, "0-7" },
		{ { 0 }, { .reserve.amount = 2, .threads = 3 }, "0-4" },
		{ { .quota_cpus = "4" }, { .instances = 2, .pin = PIN_INSTANCE }, "0-1,4-7" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		cleanup_plan struct plan *plan =
			make(ONE_NODE, &rows[i].narrow, &rows[i].request, no_environment, &err);
		cleanup_free char *mask = plan ? cpulist_text(plan->instances[0].mask_os) : NULL;

		if (!plan || strcmp(mask, rows[i].mask) != 0) {
			print_error("# row %zu: got %s, due %s %s\n", i, mask ? mask : "refusal", rows[i].mask,
				    err.text);
			fail();
		}
	}
}

static void impossible_wishes_are_refused_with_what_is_possible(void **state)
{
	static const struct {
		struct row row;
		const char *text, *hint;
	} rows[] = {
		{ { ONE_NODE, { 0 }, { .instances = 9 }, NULL, NULL }, "9 instances", "--instances 8" },
		{ { ONE_NODE, { .quota_cpus = "2" }, { .instances = 3 }, NULL, NULL }, "quota", "--threads 1" },
		{ { HYBRID, { 0 }, { .instances = 3 }, NULL, NULL }, "only 2", "--efficiency-cores" },
		{ { TWO_BY_FOUR, { 0 }, { .instances = 3, .cores_per_instance = 3 }, NULL, NULL },
		  "do not fit",
		  "2 of 3 cores, or 3 of 2" },
		{ { TWO_BY_FOUR, { 0 }, { .instances = 2, .throughput = true, .cores_per_instance = 5 }, NULL, NULL },
		  "5 cores",
		  "at most 4" },
		{ { TWO_BY_FOUR, { 0 }, { .instances = 3, .throughput = true }, NULL, NULL },
		  "one instance for each node",
		  "--throughput alone" },
		{ { TWO_BY_FOUR, { .quota_cpus = "3" }, { .has_per = true, .per = PER_CORE }, NULL, NULL },
		  "8 instances need 8 threads",
		  "--instances 3 without --per core" },
		{ { THREE_BY_FIVE, { 0 }, { .has_per = true, .per = PER_L3 }, NULL, NULL },
		  "no L3 cache is known",
		  "--per core" },
		{ { ONE_NODE, { 0 }, { .has_per = true, .per = PER_CORE, .reserve.amount = 1 }, NULL, NULL },
		  "the smallest has 1 cores",
		  "smaller --reserve" },
		{ { ONE_NODE, { 0 }, { .has_per = true, .throughput = true }, NULL, NULL }, "--per node exclude", "" },
		{ { ONE_NODE, { 0 }, { .has_per = true, .latency = true }, NULL, NULL }, "--per node exclude", "" },
		{ { ONE_NODE, { 0 }, { .threads = 9 }, NULL, NULL }, "do not fit", "possible" },
		{ { ONE_NODE, { 0 }, { .cpus = "6-9" }, NULL, NULL }, "CPUs 8-9", "0-7" },
		{ { ONE_NODE, { 0 }, { .nodes = "1" }, NULL, NULL }, "nodes 1", "0" },
		{ { ONE_NODE, { 0 }, { .has_near = true, .near = 1 }, NULL, NULL }, "no such node", "possible: 0" },
		{ { TWO_BY_FOUR, { 0 }, { .has_near = true, .near = 1 }, NULL, NULL }, "how far nodes", "--nodes" },
		{ { TWO_BY_FOUR, { 0 }, { .packages = "1-2" }, NULL, NULL }, "packages 2 cannot", "0-1" },
		{ { TWO_BY_FOUR, { 0 }, { .packages = "1", .nodes = "0" }, NULL, NULL },
		  "no CPU is left to plan on, --nodes 0, --packages 1",
		  "0-15" },
		{ { ONE_NODE, { 0 }, { .reserve.amount = 8 }, NULL, NULL }, "leaves no core", "" },
		{ { ONE_NODE, { 0 }, { .compact = true, .spread = true }, NULL, NULL }, "exclude", "" },
		{ { ONE_NODE, { 0 }, { .reserve = { 100, true } }, NULL, NULL }, "100% leaves no core", "" },
		{ { ONE_NODE, { 0 }, { .instances = 8, .reserve = { 10, true } }, NULL, NULL },
		  "8 instances of 1 core and 1 in reserve",
		  "4 of 1 cores" },
		{ { ONE_NODE, { 0 }, { .latency = true, .throughput = true }, NULL, NULL }, "exclude", "" },
		{ { ONE_NODE, { 0 }, { .instances = 2, .has_instance = true, .instance = 2 }, NULL, NULL },
		  "--instance 2",
		  "0 to 1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		cleanup_plan struct plan *plan =
			make(rows[i].row.spec, &rows[i].row.narrow, &rows[i].row.request, no_environment, &err);

		if (plan || !strstr(err.text, rows[i].text) || !strstr(err.hint, rows[i].hint)) {
			print_error("# row %zu: %s; %s\n", i, plan ? "planned" : err.text, err.hint);
			fail();
		}
	}
}

static void a_plan_survives_the_way_through_json(void **state)
{
	struct err err = { 0 };
	cleanup_plan struct plan *plan =
		make(TWO_BY_FOUR, &(struct machine_narrow){ .quota_cpus = "6" },
		     &(struct request){ .instances = 2, .reserve.amount = 1 }, no_environment, &err);
	cleanup_plan struct plan *back = NULL;
	cleanup_free char *before = NULL, *after = NULL;
	json_t *document;
	char *text;

	(void)state;
	assert_non_null(plan);
	plan->instances[1].cores = 0; /* not known, as on a machine that does not tell who shares a core */
	document = plan_to_json(plan);
	before = json_dumps(document, JSON_SORT_KEYS);
	assert_int_equal(plan_from_json(document, &back, &err), 0);
	json_decref(document);
	document = plan_to_json(back);
	after = json_dumps(document, JSON_SORT_KEYS);
	assert_string_equal(before, after);
	/* every key is missed by name */
	for (void *iter = json_object_iter(document); iter; iter = json_object_iter_next(document, iter)) {
		json_t *without = json_copy(document);
		struct plan *none = NULL;

		json_object_del(without, json_object_iter_key(iter));
		assert_int_equal(plan_from_json(without, &none, &err), -EINVAL);
		assert_non_null(strstr(err.text, json_object_iter_key(iter)));
		json_decref(without);
	}
	json_decref(document);
	text = strstr(before, "\"pus_os\": \"0,2");
	assert_non_null(text);
}

static void a_contradictory_saved_plan_is_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "[]", "no JSON object" },
		{ "{}", "'instances'" },
		{ "{\"instances\":[]}", "empty" },
		{ "{\"instances\":[{\"index\":1}]}", "'index'" },
		{ "{\"instances\":[{\"index\":0,\"pus_os\":\"0-1\",\"mask_os\":\"0\",\"nodes_os\":\"0\",\"cores\":2,"
		  "\"threads\":2,"
		  "\"pin\":\"threads\",\"memory_policy\":\"none\",\"places_os\":[\"0\",\"1\"]}]}",
		  "'mask_os'" },
		{ "{\"instances\":[{\"index\":0,\"pus_os\":\"0-1\",\"mask_os\":\"0-1\",\"nodes_os\":\"0\",\"cores\":2,"
		  "\"threads\":2,\"pin\":\"threads\",\"memory_policy\":\"none\",\"places_os\":[\"0\",\"2\"]}]}",
		  "'places_os'" },
		{ "{\"instances\":[{\"index\":0,\"pus_os\":\"0-1\",\"mask_os\":\"0-1\",\"nodes_os\":\"0\",\"cores\":2,"
		  "\"threads\":2,\"pin\":\"auto\",\"memory_policy\":\"none\",\"places_os\":[\"0\",\"1\"]}]}",
		  "'pin'" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *document = json_loads(bad[i][0], 0, NULL);
		struct plan *plan = NULL;
		struct err err = { 0 };

		assert_non_null(document);
		assert_int_equal(plan_from_json(document, &plan, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i][1]));
		json_decref(document);
	}
}

static void the_same_input_gives_the_same_bytes(void **state)
{
	const struct request request = { .instances = 5, .reserve.amount = 1 };
	cleanup_free char *first = NULL;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct err err = { 0 };
		cleanup_plan struct plan *plan =
			make(FOUR_L3, &(struct machine_narrow){ 0 }, &request, no_environment, &err);
		json_t *document = plan_to_json(plan);
		char *text = json_dumps(document, 0);

		json_decref(document);
		if (!first) {
			first = text;
			continue;
		}
		assert_string_equal(first, text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instances_get_whole_cores_of_one_node),
		cmocka_unit_test(memory_comes_from_the_nodes_that_have_it),
		cmocka_unit_test(memory_that_is_not_where_it_was_named_is_said),
		cmocka_unit_test(threads_on_isolated_cpus_are_pinned_unless_the_user_says_otherwise),
		cmocka_unit_test(limits_come_before_wishes),
		cmocka_unit_test(the_users_thread_count_wins),
		cmocka_unit_test(an_outer_fettle_is_not_the_user),
		cmocka_unit_test(masks_widen_only_under_a_quota_and_unpinned),
		cmocka_unit_test(impossible_wishes_are_refused_with_what_is_possible),
		cmocka_unit_test(a_plan_survives_the_way_through_json),
		cmocka_unit_test(a_contradictory_saved_plan_is_refused),
		cmocka_unit_test(the_same_input_gives_the_same_bytes),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}

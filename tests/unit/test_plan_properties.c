/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract's invariants over every machine we can find, random ones
 * besides, times a grid of requests.
 */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/sanitized.h"
#include "machine/machine.h"
#include "machine/narrow.h"
#include "machine/query.h"
#include "plan/plan.h"
#include "plan_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <string.h>

static const char *const no_environment[] = { NULL };

/* Small, seeded, the same everywhere: a failure can be run again. */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525U + 1013904223U;
	return *state >> 8;
}

static unsigned below(uint32_t *state, unsigned limit)
{
	return next_random(state) % limit;
}

/* A plan's instances as JSON text; NULL: there is no such plan. */
static char *instances_of(const struct machine *machine, const struct request *request, const char *const *environment,
			  unsigned *ret_cores)
{
	const struct workload workload = { .request = *request, .environment = environment };
	cleanup_plan struct plan *plan = NULL;
	struct err err;
	json_t *document;
	char *text;

	if (plan_make(machine, &workload, &plan, &err) < 0)
		return NULL;
	*ret_cores = UINT32_MAX;
	for (size_t i = 0; i < plan->instance_count; i++)
		*ret_cores = plan->instances[i].cores < *ret_cores ? plan->instances[i].cores : *ret_cores;
	document = plan_to_json(plan);
	text = json_dumps(json_object_get(document, "instances"), 0);
	json_decref(document);
	return text;
}

/* A percentage gives the plan that the count gives which it comes to. */
static void check_percentage(const struct machine *machine, const char *name, const struct request *request,
			     const char *const *environment)
{
	struct request without = *request, counted = *request;
	cleanup_free char *due = NULL, *whole = NULL, *got = NULL;
	unsigned cores = 0, ignored = 0;

	without.reserve = (struct part){ 0, false };
	whole = instances_of(machine, &without, environment, &cores);
	if (!whole) /* where cores differ in their hyper-threads, --threads may hold with other cores only */
		return;
	counted.reserve = (struct part){ (cores * request->reserve.amount + 99) / 100, false };
	due = instances_of(machine, &counted, environment, &ignored);
	got = instances_of(machine, request, environment, &ignored);
	if (!due || strcmp(due, got) != 0) {
		print_error("# %s: %u%% of %u cores: %s\n# instead of %s\n", name, request->reserve.amount, cores, got,
			    due ? due : "refusal");
		fail();
	}
}

struct tally {
	unsigned plans, refusals;
};

static void try_request(const struct machine *machine, const char *name, const struct request *request,
			const char *const *environment, struct tally *tally)
{
	const struct workload workload = { .request = *request, .environment = environment };
	cleanup_plan struct plan *plan = NULL;
	struct err err = { 0 };
	const int forced = request->threads || *environment;
	const char *broken;
	int r = plan_make(machine, &workload, &plan, &err);

	if (r < 0) {
		tally->refusals++;
		assert_int_equal(r, -EINVAL);
		assert_true(err.text[0] != '\0');
		return;
	}
	tally->plans++;
	if (request->reserve.percent && request->cores_per_instance != CORES_REMAINDER)
		check_percentage(machine, name, request, environment);
	broken = plan_check(machine, request, plan, forced);
	if (broken) {
		cleanup_free char *pus = cpulist_text(plan->instances[0].pus_os);

		print_error(
			"%s: %s (instances %u cores %d latency %d throughput %d smt %d cross %d reserve %u threads %u "
			"strategy %d per %s near %d spread %d; instance 0 has %s)\n",
			name, broken, request->instances, request->cores_per_instance, request->latency,
			request->throughput, request->smt, request->cross_node, request->reserve.amount,
			request->threads, request->strategy, request->has_per ? per_words[request->per] : "-",
			request->has_near ? (int)request->near : -1, request->spread, pus);
		fail();
	}
}

/* As many plain instances as there are usable threads must always be possible, and not one more. */
static void check_reach(const struct machine *machine, const char *name)
{
	const unsigned most = machine_usable_threads(machine, false);
	unsigned large = 0, all = 0;

	for (size_t i = 0; i < machine->core_count; i++) {
		unsigned pus[64];

		if (machine->cores[i].pu_count > ARRAY_SIZE(pus) ||
		    !machine_core_allowed(machine, &machine->cores[i], pus))
			continue;
		all++;
		large += !machine->kinds[machine->cores[i].kind_idx].small;
	}
	for (unsigned extra = 0; extra < 2; extra++) {
		const unsigned cores = large ? large : all;
		const unsigned n = (most < cores ? most : cores) + extra;
		const struct workload workload = { .request = { .instances = n }, .environment = no_environment };
		cleanup_plan struct plan *plan = NULL;
		struct err err = { 0 };
		int r = plan_make(machine, &workload, &plan, &err);

		if ((r == 0) == (extra == 1)) {
			print_error("# %s: %u plain instances: %s\n", name, n, r == 0 ? "planned" : err.text);
			fail();
		}
		if (extra)
			assert_true(err.hint[0] != '\0');
	}
}

/* With sanitizers, which see in a third of the requests what they see in all, these took 100 s of a slow machine. */
#define EVERY (SANITIZED ? 3 : 1)

static void try_grid(const struct machine *machine, const char *name, struct tally *tally)
{
	static const unsigned instance_counts[] = { 0, 1, 2, 3, 4, 7, 8, 16, 61 };
	static const int core_counts[] = { CORES_REMAINDER, CORES_EVEN, 1, 2, 3, 4, 12, 40 };
	static const unsigned thread_counts[] = { 0, 0, 0, 1, 3, 8 };
	static const char *const user_threads[] = { "OMP_NUM_THREADS=3", NULL };
	static const struct part shares[] = { { 0, false }, { 1, false }, { 2, false }, { 25, true }, { 40, true } };
	static const char *const nodes[] = { NULL, NULL, NULL, NULL, "0", "1-2", "0,2-3" };
	static const char *const packages[] = { NULL, NULL, NULL, "0", "1", "0-1", "1,3" };
	uint32_t state = 1;

	check_reach(machine, name);
	for (size_t i = 0; i < ARRAY_SIZE(instance_counts); i++) {
		for (size_t c = 0; c < ARRAY_SIZE(core_counts); c++) {
			for (int variant = 0; variant < 8; variant++) {
				const unsigned bits = next_random(&state);
				const struct request request = {
					.instances = variant < 6 ? instance_counts[i] : 0,
					.cores_per_instance = core_counts[c],
					.latency = variant == 1,
					.throughput = variant == 2,
					.has_per = variant >= 6,
					.per = (enum per)(bits >> 5 & 3),
					.packages = packages[variant >= 5 ? below(&state, ARRAY_SIZE(packages)) : 0],
					.nodes = nodes[variant >= 5 ? below(&state, ARRAY_SIZE(nodes)) : 0],
					.has_near = variant >= 4 && (bits & 0x180) == 0x180,
					.near = below(&state, 3),
					.compact = variant == 3,
					.spread = variant >= 4 && (bits & 0x200),
					.smt = variant >= 3 && (bits & 1),
					.cross_node = variant >= 3 && (bits & 2),
					.efficiency_cores = variant >= 3 && (bits & 4),
					.strategy = bits & 8 ? STRATEGY_CLOSE : STRATEGY_SCATTER,
					.reserve = shares[variant >= 4 ? below(&state, ARRAY_SIZE(shares)) : 0],
					.threads = thread_counts[below(&state, ARRAY_SIZE(thread_counts))],
					.memory = (enum memory_policy)(variant >= 4 ? below(&state, MEMORY_POLICY_COUNT)
										    : 0),
					.pin = (enum pin)(variant >= 4 ? below(&state, PIN_COUNT) : 0),
				};

				if (bits % EVERY == 0)
					try_request(machine, name, &request,
						    bits & 16 && variant == 5 ? user_threads : no_environment, tally);
			}
		}
	}
}

static bool warns_of(const struct plan *plan, const char *id)
{
	for (size_t i = 0; i < plan->warnings.count; i++) {
		if (strcmp(plan->warnings.items[i].id, id) == 0)
			return true;
	}
	return false;
}

/*
 * In a row, with best effort: what is not met is warned of, and all else holds. Sizes count CPUs under --smt, so that a
 * core may be cut in two.
 */
static void try_row(const struct machine *machine, const char *name, struct request request, struct tally *tally)
{
	const struct workload workload = { .request = request, .environment = no_environment };
	cleanup_plan struct plan *plan = NULL;
	struct err err = { 0 };
	const char *broken;
	int forced;

	if (plan_make(machine, &workload, &plan, &err) < 0) {
		tally->refusals++;
		assert_true(err.text[0] && err.hint[0]);
		return;
	}
	tally->plans++;
	forced = warns_of(plan, "threads-limited") || warns_of(plan, "quota-below-threads");
	request.cross_node = request.cross_node || warns_of(plan, "cross-node");
	request.latency = false; /* 4 cores, though no node has as many */
	if (forced || request.smt)
		request.cores_per_instance = CORES_REMAINDER;
	if (request.throughput)
		request.cores_per_instance = CORES_REMAINDER;
	if (machine->cores[0].node_idx == MACHINE_NONE)
		request.throughput = false; /* packages stand in for nodes */
	broken = plan_check(machine, &request, plan, forced);
	if (broken) {
		cleanup_free char *pus = cpulist_text(plan->instances[0].pus_os);

		print_error(
			"%s: %s (row, instances %u cores %d throughput %d smt %d one node %d strategy %d; instance 0 "
			"has %s)\n",
			name, broken, request.instances, workload.request.cores_per_instance, request.throughput,
			request.smt, request.one_node, request.strategy, pus);
		fail();
	}
}

static void try_rows(const struct machine *machine, const char *name, struct tally *tally)
{
	static const unsigned instance_counts[] = { 0, 1, 2, 3, 5, 8, 61 };
	static const int core_counts[] = { CORES_REMAINDER, CORES_EVEN, 1, 2, 3, 4, 12 };

	for (size_t i = 0; i < ARRAY_SIZE(instance_counts); i++) {
		for (size_t c = 0; c < ARRAY_SIZE(core_counts); c++) {
			for (unsigned bits = 0; bits < 16; bits++)
				try_row(machine, name,
					(struct request){ .instances = instance_counts[i],
							  .cores_per_instance = bits == 9 ? CORES_EVEN : core_counts[c],
							  .latency = bits == 9 && !instance_counts[i],
							  .throughput = bits == 10 && !instance_counts[i],
							  .row = bits & 8 ? ROW_BY_CPU : ROW_BY_CORE,
							  .best_effort = true,
							  .one_node = bits & 1,
							  .strategy = bits & 2 ? STRATEGY_CLOSE : STRATEGY_SCATTER,
							  .smt = bits & 4 },
					tally);
		}
	}
}

/* Distances and kinds of cores, which synthetic machines have not. */
static void disturb(struct machine *machine, uint32_t *state)
{
	const size_t nodes = machine->node_count;
	struct machine_kind *kinds = calloc(3, sizeof(*kinds));

	for (size_t i = 0; i < nodes; i++) {
		if (!machine->nodes[i].distances)
			machine->nodes[i].distances = calloc(nodes, sizeof(uint64_t));
		for (size_t j = 0; j < nodes; j++)
			machine->nodes[i].distances[j] = i == j ? 10 : 11 + below(state, 4);
	}
	for (size_t k = 0; k < machine->kind_count; k++)
		hwloc_bitmap_free(machine->kinds[k].pus_os);
	free(machine->kinds);
	machine->kinds = kinds;
	machine->kind_count = 3;
	for (unsigned k = 0; k < 3; k++)
		kinds[k] = (struct machine_kind){ .efficiency = k,
						  .small = k == 0 || (k == 1 && below(state, 2)),
						  .pus_os = hwloc_bitmap_alloc() };
	for (size_t c = 0, run = 0, kind = 0; c < machine->core_count; c++) {
		struct machine_core *core = &machine->cores[c];

		if (run-- == 0) {
			run = below(state, 6);
			kind = below(state, 3);
		}
		core->kind_idx = (int)kind;
		for (unsigned p = 0; p < core->pu_count; p++)
			hwloc_bitmap_set(kinds[kind].pus_os, machine->pus[core->pu_idx + p].os);
	}
}

/* The machine as it is, with a part of its CPUs, and under quotas. `disturbed`: with random distances and kinds. */
static void try_machine(const char *spec, const char *name, bool disturbed, struct tally *tally)
{
	static const char *const quotas[] = { NULL, "0.5", "1.5", "6" };
	uint32_t state = 7;

	for (size_t q = 0; q < ARRAY_SIZE(quotas); q++) {
		cleanup_machine struct machine *machine = NULL;
		cleanup_bitmap hwloc_bitmap_t some = NULL;
		cleanup_free char *list = NULL;
		struct err err = { 0 };
		int r = machine_read(spec, &machine, &err);

		if (r < 0) {
			print_error("# %s: %s\n", name, err.text);
			fail();
		}
		if (disturbed)
			disturb(machine, &state);
		some = hwloc_bitmap_dup(machine->limits.pus_os);
		if (q >= 1) {
			unsigned os;

			hwloc_bitmap_foreach_begin(os, machine->limits.pus_os) if (below(&state, 3) == 0)
				hwloc_bitmap_clr(some, os);
			hwloc_bitmap_foreach_end();
			if (hwloc_bitmap_iszero(some))
				hwloc_bitmap_copy(some, machine->limits.pus_os);
		}
		list = cpulist_text(some);
		r = machine_narrow(machine, &(struct machine_narrow){ .allowed_pus = list, .quota_cpus = quotas[q] },
				   &err);
		if (r < 0) {
			print_error("# %s: %s\n", name, err.text);
			fail();
		}
		try_grid(machine, name, tally);
		if (q % 2 == 0)
			try_rows(machine, name, tally);
	}
}

static void try_files(const char *folder, const char *pattern, unsigned at_least)
{
	char path[512];
	glob_t files = { .gl_pathc = 0 };
	struct tally tally = { 0, 0 };

	(void)snprintf(path, sizeof(path), "%s/%s", folder, pattern);
	if (glob(path, 0, NULL, &files) != 0) {
		globfree(&files);
		print_message("# skipped: no machines in %s\n", folder);
		skip();
	}
	for (size_t i = 0; i < files.gl_pathc; i++)
		try_machine(files.gl_pathv[i], strrchr(files.gl_pathv[i], '/') + 1, false, &tally);
	print_message("# %zu machines, %u plans, %u refusals\n", files.gl_pathc, tally.plans, tally.refusals);
	assert_true(files.gl_pathc >= at_least);
	assert_true(tally.plans >= 100 / EVERY * files.gl_pathc);
	globfree(&files);
}

static void hold_on_our_own_machines(void **state)
{
	(void)state;
	try_files(getenv("FETTLE_TEST_DATA"), "machines/*.xml", 2);
}

static void hold_on_captured_machines(void **state)
{
	const char *shared = getenv("FETTLE_SHARED");

	(void)state;
	try_files(shared ? shared : "../shared", "topologies/xml/*.xml", 60);
}

static void hold_on_random_machines(void **state)
{
	uint32_t seed = 2026;
	struct tally tally = { 0, 0 };

	(void)state;
	for (int i = 0; i < 40; i++) {
		char spec[128];
		const unsigned packages = 1 + below(&seed, 4), nodes = 1 + below(&seed, 4);

		if (i % 2)
			(void)snprintf(spec, sizeof(spec), "synthetic:pack:%u [numa(memory=%uGB)] l3:%u core:%u pu:%u",
				       packages, nodes, 1 + below(&seed, 4), 1 + below(&seed, 12), 1 + below(&seed, 3));
		else
			(void)snprintf(spec, sizeof(spec),
				       "synthetic:pack:%u die:%u [numa(memory=1GB)] l3:%u l2:%u core:%u pu:%u",
				       packages, nodes, 1 + below(&seed, 3), 1 + below(&seed, 3), 1 + below(&seed, 3),
				       1 + below(&seed, 2));
		try_machine(spec, spec, i % 4 < 2, &tally);
	}
	assert_true(tally.plans > 10000 / EVERY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hold_on_our_own_machines),
		cmocka_unit_test(hold_on_captured_machines),
		cmocka_unit_test(hold_on_random_machines),
	};

	return cmocka_run_group_tests_name("plan properties", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of ipexrun and run_cpu: what they become, and who gets which cores for them, against what the originals
 * chose (tools/ipexrun-oracle ran them).
 */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "joint/ipexrun.h"
#include "joint/options.h"
#include "machine/machine.h"
#include "machine_help.h"
#include "plan/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 32, INSTANCES_MAX = 64 };

static const char *const no_environment[] = { NULL };

/* A command line as it was understood. */
struct scene {
	struct options options;
	struct ipexrun_meaning meaning;
	struct option_found found;
	struct err err;
	int result;
	char text[512];
};

static void scene_clear(struct scene *scene)
{
	ipexrun_meaning_clear(&scene->meaning);
	options_clear(&scene->options);
}

/* Understand "run_cpu --ninstances 2 --core-list 0,1"; words end at blanks. */
static void understand(const char *line, const char *local_world, struct scene *ret_scene)
{
	static const struct option_table *const ipexrun[] = { &ipexrun_program_options,
							      &ipexrun_instance_options,
							      &ipexrun_library_options,
							      &ipexrun_distributed_options,
							      &ipexrun_code_options,
							      &ipexrun_old_options,
							      NULL };
	static const struct option_table *const run_cpu[] = { &run_cpu_program_options, &run_cpu_instance_options,
							      &run_cpu_library_options, NULL };
	struct scene *scene = ret_scene;
	const char *words[WORDS_MAX] = { "" };
	int count = 0;
	char *rest;

	*scene = (struct scene){ .result = 0 };
	assert_true(strlen(line) < sizeof(scene->text));
	(void)snprintf(scene->text, sizeof(scene->text), "%s", line);
	for (char *word = strtok_r(scene->text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		assert_true(count < WORDS_MAX);
		words[count++] = word;
	}
	scene->result = option_parse(strcmp(words[0], "run_cpu") == 0 ? run_cpu : ipexrun, words[0], count - 1,
				     words + 1, &scene->options, &scene->found, &scene->err);
	if (scene->result == 0)
		scene->result = ipexrun_translate(strcmp(words[0], "run_cpu") == 0, &scene->found, local_world, "2026",
						  &scene->options, &scene->meaning, &scene->err);
}

/* ---- Words ---- */

#define IPEXRUN_ALWAYS "\"strategy\": \"scatter\", \"row\": \"core\""
#define RUN_CPU_ALWAYS "\"strategy\": \"close\", \"row\": \"core\""

static const struct becoming {
	const char *line;
	const char *part[3]; /* of the request's JSON */
	const char *said;    /* part of the only line that is said; NULL: none is */
} becomings[] = {
	{ "ipexrun", { IPEXRUN_ALWAYS, "\"best-effort\": true", "\"allocator\": \"auto\"" }, NULL },
	{ "ipexrun --ninstances 2 --ncores_per_instance 4",
	  { "\"instances\": 2", "\"cores-per-instance\": 4", NULL },
	  NULL },
	{ "ipexrun --ninst 2 --ncores-per-instance -1", { "\"instances\": 2", "\"cores-per-instance\": -1" }, NULL },
	{ "ipexrun --nodes-list 0-1 --strategy close", { "\"nodes\": \"0-1\"", "\"strategy\": \"close\"" }, NULL },
	{ "ipexrun --cores_list 0,1,4-5 --use_logical_cores", { "\"cpus\": \"0,1,4-5\"", "\"smt\": true" }, NULL },
	{ "ipexrun --cores-list 0-3 --nodes-list 1", { "\"cpus\": \"0-3\"" }, "--nodes-list has no effect" },
	{ "ipexrun --bind-numa-node --use-e-cores", { "\"one-node\": true", "\"efficiency-cores\": true" }, NULL },
	{ "ipexrun --skip-cross-node-cores", { "\"one-node\": true" }, "'--bind-numa-node' is its name now" },
	{ "ipexrun --latency-mode", { "\"latency\": true" }, NULL },
	{ "ipexrun --latency-mode --ninstances 3", { "\"latency\": true" }, "--ninstances" },
	{ "ipexrun --throughput-mode --nodes-list 1", { "\"throughput\": true", "\"nodes\": \"1\"" }, NULL },
	{ "ipexrun --instance-idx 1", { "\"instance\": 1" }, NULL },
	{ "ipexrun --ninstances 4 --instance-idx 1,3", { "\"only\": \"1,3\"" }, NULL },
	{ "ipexrun --multi-task-manager taskset", { "\"memory\": \"none\"", "\"pin\": \"auto\"" }, NULL },
	{ "ipexrun --multi-task-manager numactl", { "\"memory\": \"bind\"" }, NULL },
	{ "ipexrun --multi-task-manager none", { "\"memory\": \"none\"", "\"pin\": \"threads\"" }, NULL },
	{ "ipexrun --memory-allocator jemalloc", { "\"allocator\": \"jemalloc\"" }, NULL },
	{ "ipexrun --memory-allocator jemalloc --benchmark", { "\"allocator\": \"jemalloc-aggressive\"" }, NULL },
	{ "ipexrun --benchmark", { "\"allocator\": \"auto\"" }, "'--benchmark' changes nothing" },
	{ "ipexrun --memory-allocator default", { "\"allocator\": \"glibc\"" }, NULL },
	{ "ipexrun --enable_tcmalloc", { "\"allocator\": \"tcmalloc\"" }, "'--memory-allocator tcmalloc'" },
	{ "ipexrun --omp-runtime intel", { "\"openmp\": \"intel\"" }, NULL },
	{ "ipexrun --omp-runtime default", { "\"schedule\": \"static\"" }, NULL },
	{ "ipexrun --auto-ipex", { IPEXRUN_ALWAYS }, "computes what plain PyTorch computes" },
	{ "ipexrun --dtype bfloat16", { IPEXRUN_ALWAYS }, "torch.autocast" },
	{ "ipexrun --nprocs-per-node 2", { IPEXRUN_ALWAYS }, "with --nnodes only" },
	{ "run_cpu", { RUN_CPU_ALWAYS, "\"openmp\": \"intel\"" }, NULL },
	{ "run_cpu --multi-instance", { "\"throughput\": true" }, NULL },
	{ "run_cpu --multi-instance --ninstances 3", { "\"instances\": 3" }, NULL },
	{ "run_cpu --ninstances 2 --rank 1", { "\"instances\": 2", "\"instance\": 1" }, NULL },
	{ "run_cpu --ninstances 1 --ncores-per-instance 4 --rank 2", { "\"instances\": 3", "\"instance\": 2" }, NULL },
	{ "run_cpu --node_id 1", { "\"nodes\": \"1\"" }, NULL },
	{ "run_cpu --latency_mode --node-id 1", { "\"latency\": true" }, "--node-id" },
	{ "run_cpu --core_list 0,2,4,6 --ncores_per_instance 2",
	  { "\"cpus\": \"0,2,4,6\"", "\"smt\": true", "\"row\": \"cpu\"" },
	  NULL },
	{ "run_cpu --core-list 0-3 --ncores-per-instance 2 --ninstances 3",
	  { "\"cores-per-instance\": 2" },
	  "as many as fit" },
	{ "run_cpu --use-logical-core", { "\"smt\": true", "\"row\": \"cpu\"" }, NULL },
	{ "run_cpu --skip-cross-node-cores", { "\"one-node\": true" }, NULL },
	{ "run_cpu --disable-numactl", { "\"memory\": \"none\"", "\"pin\": \"auto\"" }, NULL },
	{ "run_cpu --disable-numactl --disable-taskset", { "\"memory\": \"none\"", "\"pin\": \"none\"" }, NULL },
	{ "run_cpu --enable-jemalloc", { "\"allocator\": \"jemalloc\"" }, NULL },
	{ "run_cpu --use-default-allocator", { "\"allocator\": \"glibc\"" }, NULL },
};

static void words_become_a_request(void **state)
{

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(becomings); i++) {
		const struct becoming *row = &becomings[i];
		cleanup_(scene_clear) struct scene scene;
		cleanup_free char *text = NULL;
		json_t *json;

		understand(row->line, NULL, &scene);
		if (scene.result < 0)
			fail_msg("%s: %s", row->line, scene.err.text);
		json = request_to_json(&scene.options.request);
		text = json_dumps(json, 0);
		json_decref(json);
		for (size_t p = 0; p < ARRAY_SIZE(row->part) && row->part[p]; p++) {
			if (!strstr(text, row->part[p]))
				fail_msg("%s: no %s in %s", row->line, row->part[p], text);
		}
		if (scene.meaning.said.count != (row->said != NULL))
			fail_msg("%s: %zu lines said", row->line, scene.meaning.said.count);
		if (row->said && !strstr(scene.meaning.said.items[0], row->said))
			fail_msg("%s: '%s' said", row->line, scene.meaning.said.items[0]);
	}
}

static void what_a_mode_settles_is_not_asked_besides(void **state)
{
	static const char *const lines[] = { "ipexrun --latency-mode --ninstances 3 --use-logical-cores",
					     "ipexrun --throughput-mode --ncores-per-instance 2",
					     "run_cpu --throughput-mode --ninstances 3 --use-logical-core" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		cleanup_(scene_clear) struct scene scene;

		understand(lines[i], NULL, &scene);
		assert_int_equal(scene.result, 0);
		assert_int_equal(scene.options.request.instances, 0);
		assert_int_equal(scene.options.request.cores_per_instance, CORES_EVEN);
		assert_false(scene.options.request.smt);
	}
}

static void a_rank_of_torchrun_takes_its_part(void **state)
{
	cleanup_(scene_clear) struct scene scene, sized;

	(void)state;
	understand("run_cpu", "2", &scene);
	assert_string_equal(scene.options.request.slot, "auto");
	understand("run_cpu --ninstances 2", "2", &sized);
	assert_null(sized.options.request.slot);
}

static void log_files_are_named_by_prefix_and_time(void **state)
{
	static const char *const lines[] = { "ipexrun --log-dir /x --log_file_prefix web",
					     "run_cpu --log_path /x --log-file-prefix web" };
	cleanup_(scene_clear) struct scene none;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		cleanup_(scene_clear) struct scene scene;

		understand(lines[i], NULL, &scene);
		assert_int_equal(scene.result, 0);
		assert_string_equal(scene.options.supervision.log_dir, "/x");
		assert_string_equal(scene.options.supervision.log_prefix, "web_2026_instance");
	}
	understand("ipexrun --log-dir= --log-file-prefix web", NULL, &none);
	assert_null(none.options.supervision.log_dir);
	assert_null(none.options.supervision.log_prefix);
}

static void what_the_originals_refuse_is_refused(void **state)
{
	static const char *const lines[][2] = {
		{ "ipexrun --ninstances -1", "--ninstances" },
		{ "ipexrun --ncores-per-instance -2", "--ncores-per-instance" },
		{ "ipexrun --latency-mode --throughput-mode", "exclude each other" },
		{ "ipexrun --nodes-list 1-", "--nodes-list" },
		{ "ipexrun --strategy far", "--strategy" },
		{ "ipexrun --n 2", "--n" },
		{ "ipexrun --rank 1", "--rank" },
		{ "run_cpu --strategy close", "--strategy" },
		{ "run_cpu --ninstances 0", "--ninstances" },
		{ "run_cpu --enable-tcmalloc --enable-jemalloc", "exclude each other" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		cleanup_(scene_clear) struct scene scene;

		understand(lines[i][0], NULL, &scene);
		if (scene.result != -EINVAL || !strstr(scene.err.text, lines[i][1]))
			fail_msg("%s: %d %s", lines[i][0], scene.result, scene.result ? scene.err.text : "");
	}
}

static void empty_words_are_as_if_not_given(void **state)
{
	struct options options = { .json = false };
	struct option_found found;
	cleanup_ipexrun_meaning struct ipexrun_meaning meaning = { .said = { .items = NULL } };
	static const struct option_table *const tables[] = { &ipexrun_instance_options, NULL };
	static const char *const words[] = { "--nodes-list", "", "--cores-list=", "--instance-idx", "" };
	static const char *const all[] = { "--instance-idx", "-1", "--cores-list", " 0, 2-3 " };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(option_parse(tables, "ipexrun", ARRAY_SIZE(words), words, &options, &found, &err), 0);
	assert_int_equal(ipexrun_translate(false, &found, NULL, "2026", &options, &meaning, &err), 0);
	assert_null(options.request.nodes);
	assert_null(options.request.cpus);
	assert_false(options.request.has_instance);
	assert_int_equal(option_parse(tables, "ipexrun", ARRAY_SIZE(all), all, &options, &found, &err), 0);
	assert_int_equal(ipexrun_translate(false, &found, NULL, "2026", &options, &meaning, &err), 0);
	assert_string_equal(options.request.cpus, "0,2-3");
	assert_false(options.request.has_instance);
	assert_null(options.request.only);
}

/* ---- Cores ---- */

/* What an original chose for a line. */
struct chosen {
	hwloc_bitmap_t instances[INSTANCES_MAX];
	size_t count;
};

static void chosen_clear(struct chosen *chosen)
{
	for (size_t i = 0; i < chosen->count; i++)
		hwloc_bitmap_free(chosen->instances[i]);
}

static void read_chosen(char *text, struct chosen *ret_chosen)
{
	struct err err;
	char *rest;

	*ret_chosen = (struct chosen){ .count = 0 };
	if (strcmp(text, "-") == 0)
		return;
	for (char *list = strtok_r(text, ";", &rest); list; list = strtok_r(NULL, ";", &rest)) {
		assert_true(ret_chosen->count < INSTANCES_MAX);
		assert_int_equal(cpulist_parse(strcmp(list, "none") == 0 ? "" : list,
					       &ret_chosen->instances[ret_chosen->count++], &err),
				 0);
	}
}

static int node_of(const struct machine *machine, unsigned pu_os)
{
	for (size_t i = 0; i < machine->pu_count; i++) {
		if (machine->pus[i].os == pu_os)
			return machine->cores[machine->pus[i].core_idx].node_idx;
	}
	return MACHINE_NONE;
}

/* CPUs of the largest node that may be used: of the first hyper-threads, or of all. */
static int largest_node(const struct machine *machine, const struct request *request)
{
	cleanup_bitmap hwloc_bitmap_t named = NULL, nodes = NULL;
	struct err err;
	int counts[64] = { 0 }, largest = 0;

	if (request->cpus)
		assert_int_equal(cpulist_parse(request->cpus, &named, &err), 0);
	if (request->nodes)
		assert_int_equal(cpulist_parse(request->nodes, &nodes, &err), 0);
	for (size_t i = 0; i < machine->pu_count; i++) {
		const struct machine_core *core = &machine->cores[machine->pus[i].core_idx];
		const bool first = core->pu_idx == i;

		if ((!first && !request->smt) || (named && !hwloc_bitmap_isset(named, machine->pus[i].os)) ||
		    (nodes && !hwloc_bitmap_isset(nodes, machine->nodes[core->node_idx].os)))
			continue;
		counts[core->node_idx]++;
		if (counts[core->node_idx] > largest)
			largest = counts[core->node_idx];
	}
	return largest;
}

static bool spans_nodes(const struct machine *machine, hwloc_const_bitmap_t pus_os)
{
	const int home = node_of(machine, (unsigned)hwloc_bitmap_first(pus_os));

	for (int os = hwloc_bitmap_first(pus_os); os >= 0; os = hwloc_bitmap_next(pus_os, os)) {
		if (node_of(machine, (unsigned)os) != home)
			return true;
	}
	return false;
}

/* A CPU that is not its core's first: run_cpu takes core numbers for CPU numbers. */
static bool has_sibling(const struct machine *machine, hwloc_const_bitmap_t pus_os)
{
	for (size_t i = 0; i < machine->pu_count; i++) {
		if (hwloc_bitmap_isset(pus_os, machine->pus[i].os) &&
		    machine->cores[machine->pus[i].core_idx].pu_idx != i)
			return true;
	}
	return false;
}

/* On CPUs of other nodes than are named? */
static bool is_elsewhere(const struct machine *machine, const struct request *request, hwloc_const_bitmap_t pus_os)
{
	cleanup_bitmap hwloc_bitmap_t nodes = NULL;
	struct err err;

	if (!request->nodes)
		return false;
	assert_int_equal(cpulist_parse(request->nodes, &nodes, &err), 0);
	for (int os = hwloc_bitmap_first(pus_os); os >= 0; os = hwloc_bitmap_next(pus_os, os)) {
		if (!hwloc_bitmap_isset(nodes, machine->nodes[node_of(machine, (unsigned)os)].os))
			return true;
	}
	return false;
}

/* What of its word a choice breaks; NULL: nothing. */
static const char *broken(const struct machine *machine, const struct request *request,
			  const hwloc_const_bitmap_t *instances, size_t count)
{
	const int largest = largest_node(machine, request);
	const bool part = request->has_instance || request->only;

	if (!part && request->instances && count != request->instances)
		return "not as many instances as asked";
	for (size_t i = 0; i < count; i++) {
		const int size = hwloc_bitmap_weight(instances[i]);

		if (request->cores_per_instance != CORES_REMAINDER && size != hwloc_bitmap_weight(instances[0]))
			return "unequal instances";
		if (size <= largest && spans_nodes(machine, instances[i]))
			return "an instance straddles nodes that one would hold";
		if (!request->smt && has_sibling(machine, instances[i]))
			return "a hyper-thread that was not asked for";
		if (is_elsewhere(machine, request, instances[i]))
			return "not on the nodes that are named";
		for (size_t other = 0; other < i; other++) {
			if (hwloc_bitmap_intersects(instances[i], instances[other]))
				return "two instances share a CPU";
		}
	}
	return NULL;
}

struct tally {
	unsigned same, better, refused, lines;
};

static bool has_warning(const struct plan *plan, const char *id)
{
	for (size_t i = 0; i < plan->warnings.count; i++) {
		if (strcmp(plan->warnings.items[i].id, id) == 0)
			return true;
	}
	return false;
}

/* The same instances with the same CPUs, in whatever order they are counted. */
static bool are_same(const struct plan *plan, const struct request *request, const struct chosen *chosen)
{
	size_t found = 0;

	if (chosen->count != (request->has_instance ? 1 : plan->instance_count))
		return false;
	for (size_t i = 0; i < plan->instance_count; i++) {
		for (size_t c = 0; c < chosen->count; c++)
			found += hwloc_bitmap_isequal(plan->instances[i].pus_os, chosen->instances[c]) &&
				 (!request->has_instance || request->instance == i);
	}
	return found == chosen->count;
}

/* Did each instance get CPUs, and as many as asked? */
static bool was_served(const struct request *request, const struct chosen *chosen)
{
	for (size_t i = 0; i < chosen->count; i++) {
		const int size = hwloc_bitmap_weight(chosen->instances[i]);

		if (!size || (request->cores_per_instance > 0 && size != request->cores_per_instance))
			return false;
	}
	return chosen->count > 0;
}

/*
 * A line of choices.tsv: where the original keeps its word the plan is the same; where it does not the plan keeps it,
 * or says in a warning why it cannot; and what ran is not refused.
 */
static void try_line(const struct machine *machine, const char *line, const struct chosen *chosen, struct tally *tally)
{
	const hwloc_const_bitmap_t *theirs = (const hwloc_const_bitmap_t *)chosen->instances;
	hwloc_const_bitmap_t ours[INSTANCES_MAX];
	cleanup_(scene_clear) struct scene scene;
	cleanup_plan struct plan *plan = NULL;
	const struct request *request;
	const char *their_fault, *our_fault;
	struct err err = { 0 };

	understand(line, NULL, &scene);
	if (scene.result < 0)
		fail_msg("%s: %s", line, scene.err.text);
	request = &scene.options.request;
	tally->lines++;
	their_fault = !was_served(request, chosen) ? "not served" : broken(machine, request, theirs, chosen->count);
	if (plan_make(machine, &(struct workload){ .request = *request, .environment = no_environment }, &plan, &err) <
	    0) {
		if (was_served(request, chosen))
			fail_msg("%s on %s: refused (%s), but it ran", line, machine->source_name, err.text);
		tally->refused++;
		return;
	}
	assert_true(plan->instance_count <= INSTANCES_MAX);
	for (size_t i = 0; i < plan->instance_count; i++)
		ours[i] = plan->instances[i].pus_os;
	our_fault = broken(machine, request, ours, plan->instance_count);
	if (our_fault && !has_warning(plan, "cross-node"))
		fail_msg("%s on %s: %s", line, machine->source_name, our_fault);
	if (are_same(plan, request, chosen))
		tally->same++;
	else if (!their_fault)
		fail_msg("%s on %s: not the original's cores", line, machine->source_name);
	else
		tally->better++;
}

static void cores_are_those_of_the_originals(void **state)
{
	const char *data = getenv("FETTLE_TEST_DATA");
	cleanup_machine struct machine *machine = NULL;
	cleanup_free char *line = NULL, *path = NULL;
	cleanup_file FILE *file = NULL;
	struct tally tally = { 0 };
	size_t capacity = 0;
	char name[64] = "";

	(void)state;
	assert_non_null(data);
	assert_true(asprintf(&path, "%s/ipexrun/choices.tsv", data) > 0);
	file = fopen(path, "re");
	assert_non_null(file);
	while (getline(&line, &capacity, file) > 0) {
		char words[512], *rest, *on = strtok_r(line, "\t\n", &rest), *launcher = strtok_r(NULL, "\t\n", &rest);
		char *options = strtok_r(NULL, "\t\n", &rest), *cpus = strtok_r(NULL, "\t\n", &rest);
		cleanup_(chosen_clear) struct chosen chosen;

		if (!machine || strcmp(name, on) != 0) {
			char spec[512];

			(void)snprintf(spec, sizeof(spec), "lscpu:%s/ipexrun/%s.txt", data, on);
			(void)snprintf(name, sizeof(name), "%s", on);
			machine_free(machine);
			machine = read_machine(spec);
		}
		read_chosen(cpus, &chosen);
		(void)snprintf(words, sizeof(words), "%s %s", launcher, strcmp(options, "-") == 0 ? "" : options);
		try_line(machine, words, &chosen, &tally);
	}
	print_message("# %u requests: %u as the originals, %u where those break their word, %u refused as impossible\n",
		      tally.lines, tally.same, tally.better, tally.refused);
	assert_true(tally.lines > 1000);
	assert_true(tally.same > tally.lines / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_become_a_request),
		cmocka_unit_test(what_a_mode_settles_is_not_asked_besides),
		cmocka_unit_test(a_rank_of_torchrun_takes_its_part),
		cmocka_unit_test(log_files_are_named_by_prefix_and_time),
		cmocka_unit_test(what_the_originals_refuse_is_refused),
		cmocka_unit_test(empty_words_are_as_if_not_given),
		cmocka_unit_test(cores_are_those_of_the_originals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

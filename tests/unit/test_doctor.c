/* SPDX-License-Identifier: Apache-2.0 */
/* Rules over made-up hosts: each scene differs from a good host in one thing, and one rule must say so. */
#include "base/cleanup.h"
#include "base/err.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "machine/may.h"
#include "machine/narrow.h"
#include "report/doctor.h"
#include "target/libraries.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

struct scene {
	struct machine *machine;
	struct doctor *doctor;
	const char *environment[4];
	struct library found[3];
	struct libraries libraries; /* `count` of `found` */
};

static void set_number(struct scene *scene, enum host_fact fact, uint64_t value)
{
	assert_int_equal(fact_set(&scene->machine->host->facts[fact], FACT_KNOWN, value, "/a/file", NULL), 0);
}

static void set_text(struct scene *scene, enum host_fact fact, const char *text)
{
	assert_int_equal(fact_set(&scene->machine->host->facts[fact], FACT_KNOWN, 0, "/a/file", text), 0);
}

static void set_state(struct scene *scene, enum host_fact fact, enum fact_state state)
{
	assert_int_equal(fact_set(&scene->machine->host->facts[fact], state, 0, "/a/file", NULL), 0);
}

static void refuse_right(struct scene *scene, enum may_right right, const char *words)
{
	assert_int_equal(fact_set(&scene->machine->may->rights[right], FACT_KNOWN, 0, "call", words), 0);
}

/* Everything known and good: two packages of two nodes, all ours. */
static int set_up(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct err err = { 0 };

	assert_non_null(scene);
	assert_int_equal(machine_read("synthetic:package:2 [numa(memory=8GB)] l3:1 core:4 pu:2", &scene->machine, &err),
			 0);
	scene->machine->host = calloc(1, sizeof(*scene->machine->host));
	scene->machine->may = calloc(1, sizeof(*scene->machine->may));
	assert_non_null(scene->machine->host);
	assert_non_null(scene->machine->may);
	for (enum host_fact i = 0; i < HOST_FACT_COUNT; i++)
		set_state(scene, i, FACT_ABSENT);
	for (enum may_right i = 0; i < MAY_RIGHT_COUNT; i++)
		assert_int_equal(fact_set(&scene->machine->may->rights[i], FACT_KNOWN, 1, "call", NULL), 0);
	for (enum may_limit i = 0; i < LIMIT_COUNT; i++)
		scene->machine->may->limits[i].soft = scene->machine->may->limits[i].hard = MAY_UNLIMITED;
	set_text(scene, HOST_ISA, "avx2 avx512f");
	set_number(scene, HOST_SHARED_MEMORY, 8ULL << 30);
	assert_int_equal(fact_set(&scene->machine->limits.quota_milli, FACT_ABSENT, 0, "/cpu.max", "max 100000"), 0);
	scene->found[0] = (struct library){ .family = LIBRARY_OPENMP, .name = "libgomp", .place = LIBRARY_LOADER };
	scene->found[1] = (struct library){ .family = LIBRARY_ALLOCATOR, .name = "tcmalloc", .place = LIBRARY_LOADER };
	scene->found[2] = (struct library){ .family = LIBRARY_OPENMP, .name = "libiomp5", .place = LIBRARY_LOADER };
	for (size_t i = 0; i < ARRAY_SIZE(scene->found); i++) {
		scene->found[i].path = scene->found[i].found = (char *)(uintptr_t) "/lib";
		scene->found[i].usable = true;
	}
	scene->libraries = (struct libraries){ .items = scene->found, .count = 2, .libc = TARGET_LIBC_GLIBC };
	*state = scene;
	return 0;
}

static int tear_down(void **state)
{
	struct scene *scene = *state;

	doctor_free(scene->doctor);
	machine_free(scene->machine);
	free(scene);
	return 0;
}

static const struct doctor_judgement *judge(struct scene *scene, const char *id)
{
	const struct doctor_input input = { .machine = scene->machine,
					    .libraries = scene->libraries.items ? &scene->libraries : NULL,
					    .environment = scene->environment };
	struct err err = { 0 };

	doctor_free(scene->doctor);
	scene->doctor = NULL;
	assert_int_equal(doctor_make(&input, &scene->doctor, &err), 0);
	assert_non_null(scene->doctor);
	for (size_t i = 0; i < scene->doctor->count; i++) {
		if (strcmp(scene->doctor->items[i].id, id) == 0)
			return &scene->doctor->items[i];
	}
	fail_msg("no rule '%s'", id);
	return NULL;
}

/* The rule says so, its text holds these words, and nothing else is wrong. */
static const struct doctor_judgement *assert_verdict(struct scene *scene, const char *id, enum doctor_verdict verdict,
						     const char *words)
{
	const struct doctor_judgement *judgement = judge(scene, id);

	assert_non_null(judgement);
	assert_string_equal(doctor_verdict_words[judgement->verdict], doctor_verdict_words[verdict]);
	if (!strstr(judgement->text, words))
		fail_msg("'%s' does not say '%s'", judgement->text, words);
	assert_int_equal(doctor_count(scene->doctor, DOCTOR_COSTS) + doctor_count(scene->doctor, DOCTOR_BLOCKED),
			 verdict == DOCTOR_COSTS || verdict == DOCTOR_BLOCKED);
	return judgement;
}

static void assert_holds(const char *text, const char *words)
{
	assert_non_null(text);
	if (!strstr(text, words))
		fail_msg("'%s' does not say '%s'", text, words);
}

static void a_good_host_is_good_in_everything(void **state)
{
	struct scene *scene = *state;

	(void)judge(scene, "cpu-governor");
	assert_int_equal(doctor_count(scene->doctor, DOCTOR_GOOD), scene->doctor->count);
	for (size_t i = 0; i < scene->doctor->count; i++) {
		assert_null(scene->doctor->items[i].remedy);
		assert_null(scene->doctor->items[i].cost);
		assert_null(strstr(scene->doctor->items[i].text, "{}"));
	}
}

static void a_governor_that_holds_the_clock_down_costs_the_ratio(void **state)
{
	struct scene *scene = *state;

	set_text(scene, HOST_GOVERNOR, "powersave");
	set_text(scene, HOST_FREQUENCY_DRIVER, "acpi-cpufreq");
	set_number(scene, HOST_MIN_MHZ, 800);
	set_number(scene, HOST_MAX_MHZ, 3200);
	assert_holds(assert_verdict(scene, "cpu-governor", DOCTOR_COSTS, "powersave")->cost, "800 of 3200 MHz");
	set_text(scene, HOST_FREQUENCY_DRIVER, "intel_pstate");
	assert_holds(assert_verdict(scene, "cpu-governor", DOCTOR_COSTS, "powersave")->cost, "measure it");
	set_text(scene, HOST_GOVERNOR, "performance");
	assert_null(assert_verdict(scene, "cpu-governor", DOCTOR_GOOD, "performance")->remedy);
}

static void a_limited_clock_costs(void **state)
{
	struct scene *scene = *state;
	const struct doctor_judgement *judgement;

	set_number(scene, HOST_MAX_MHZ, 3600);
	set_number(scene, HOST_LIMIT_MHZ, 3599);
	(void)assert_verdict(scene, "clock-limit", DOCTOR_GOOD, "");
	set_number(scene, HOST_LIMIT_MHZ, 1800);
	judgement = assert_verdict(scene, "clock-limit", DOCTOR_COSTS, "1800 of 3600 MHz");
	assert_holds(judgement->cost, "2.00 times");
	assert_holds(judgement->remedy, "-u 3600MHz");
}

static void boost_is_switched_on_by_its_own_drivers_file(void **state)
{
	struct scene *scene = *state;
	struct fact *boost = &scene->machine->host->facts[HOST_BOOST];

	assert_int_equal(fact_set(boost, FACT_KNOWN, 0, "/sys/cpu/intel_pstate/no_turbo", "1"), 0);
	assert_string_equal(assert_verdict(scene, "boost", DOCTOR_COSTS, "off")->remedy,
			    "echo 0 | sudo tee /sys/cpu/intel_pstate/no_turbo");
	assert_int_equal(fact_set(boost, FACT_KNOWN, 0, "/sys/cpu/cpufreq/boost", "0"), 0);
	assert_string_equal(assert_verdict(scene, "boost", DOCTOR_COSTS, "off")->remedy,
			    "echo 1 | sudo tee /sys/cpu/cpufreq/boost");
}

static void huge_pages_for_nobody_cost_and_for_some_do_not(void **state)
{
	struct scene *scene = *state;

	set_text(scene, HOST_HUGE_PAGES, "never");
	set_text(scene, HOST_HUGE_PAGES_DEFRAG, "always");
	(void)assert_verdict(scene, "huge-pages", DOCTOR_COSTS, "never");
	set_text(scene, HOST_HUGE_PAGES, "madvise");
	(void)assert_verdict(scene, "huge-pages-defrag", DOCTOR_COSTS, "always");
	set_text(scene, HOST_HUGE_PAGES_DEFRAG, "madvise");
	(void)assert_verdict(scene, "huge-pages", DOCTOR_GOOD, "madvise");
}

static void what_moves_memory_between_nodes_costs_only_with_several(void **state)
{
	struct scene *scene = *state;

	set_number(scene, HOST_NUMA_BALANCING, 1);
	(void)assert_verdict(scene, "numa-balancing", DOCTOR_COSTS, "moves pages");
	set_number(scene, HOST_NUMA_BALANCING, 2); /* tiering moves no pages between equal nodes */
	set_number(scene, HOST_ZONE_RECLAIM, 1);
	(void)assert_verdict(scene, "zone-reclaim", DOCTOR_COSTS, "page cache");
	set_number(scene, HOST_NUMA_BALANCING, 1);
	for (size_t i = 1; i < scene->machine->node_count; i++) {
		hwloc_bitmap_free(scene->machine->nodes[i].pus_os);
		fact_clear(&scene->machine->nodes[i].memory_bytes);
		free(scene->machine->nodes[i].distances);
	}
	scene->machine->node_count = 1;
	for (size_t c = 0; c < scene->machine->core_count; c++)
		scene->machine->cores[c].node_idx = 0;
	(void)assert_verdict(scene, "numa-balancing", DOCTOR_GOOD, "one memory node");
	(void)assert_verdict(scene, "zone-reclaim", DOCTOR_GOOD, "one memory node");
}

static void swap_costs_once_it_is_used(void **state)
{
	struct scene *scene = *state;

	set_number(scene, HOST_SWAP, 4ULL << 30);
	set_number(scene, HOST_SWAP_USED, 0);
	(void)assert_verdict(scene, "swap", DOCTOR_GOOD, "none is used");
	set_number(scene, HOST_SWAP_USED, 20 << 20); /* any machine that runs for a week */
	(void)assert_verdict(scene, "swap", DOCTOR_GOOD, "20 MiB");
	set_number(scene, HOST_SWAP_USED, 3ULL << 29);
	(void)assert_verdict(scene, "swap", DOCTOR_COSTS, "1.5 GiB");
}

static void dockers_shared_memory_is_too_small_for_data_loaders(void **state)
{
	struct scene *scene = *state;

	set_number(scene, HOST_SHARED_MEMORY, 64 << 20);
	assert_holds(assert_verdict(scene, "shared-memory", DOCTOR_BLOCKED, "64 MiB")->remedy, "--shm-size");
	set_state(scene, HOST_SHARED_MEMORY, FACT_ABSENT);
	(void)assert_verdict(scene, "shared-memory", DOCTOR_BLOCKED, "no tmpfs");
}

static void strict_overcommit_is_in_the_way_and_costs_no_speed(void **state)
{
	struct scene *scene = *state;

	set_number(scene, HOST_OVERCOMMIT, 2);
	assert_null(assert_verdict(scene, "overcommit", DOCTOR_BLOCKED, "strictly")->cost);
	set_number(scene, HOST_OVERCOMMIT, 1);
	(void)assert_verdict(scene, "overcommit", DOCTOR_GOOD, "");
}

static void a_quota_that_is_no_whole_number_costs_its_rest(void **state)
{
	struct scene *scene = *state;
	struct fact *quota = &scene->machine->limits.quota_milli;
	const struct doctor_judgement *judgement;

	assert_int_equal(fact_set(quota, FACT_KNOWN, 2500, "/cpu.max", "250000 100000"), 0);
	judgement = assert_verdict(scene, "cpu-quota", DOCTOR_COSTS, "2.500");
	assert_holds(judgement->cost, "0.500 CPU stays unused");
	assert_holds(judgement->remedy, "--cpus 3 ");
	assert_string_equal(judgement->evidence[0], "/cpu.max: 250000 100000");
	assert_int_equal(fact_set(quota, FACT_KNOWN, 250, "/cpu.max", "25000 100000"), 0);
	assert_holds(assert_verdict(scene, "cpu-quota", DOCTOR_COSTS, "0.250")->cost, "75 %");
	assert_int_equal(fact_set(quota, FACT_KNOWN, 4000, "/cpu.max", "400000 100000"), 0);
	(void)assert_verdict(scene, "cpu-quota", DOCTOR_GOOD, "4.000");
	assert_int_equal(fact_set(quota, FACT_UNKNOWN, 0, "/cpu.max", NULL), 0);
	(void)assert_verdict(scene, "cpu-quota", DOCTOR_UNKNOWN, "quota");
}

static void a_sibling_that_is_not_ours_is_shared(void **state)
{
	struct scene *scene = *state;
	const struct machine_narrow half = { .allowed_pus = "0,2-3" };
	const struct doctor_judgement *judgement;
	struct err err = { 0 };

	assert_int_equal(machine_narrow(scene->machine, &half, &err), 0);
	judgement = assert_verdict(scene, "smt-shared", DOCTOR_COSTS, "our CPUs 0 share their cores with CPUs 1,");
	assert_holds(judgement->remedy, "--cpuset-cpus 0-3 ");
}

static void memory_on_other_nodes_than_our_cpus_costs(void **state)
{
	struct scene *scene = *state;
	const struct machine_narrow apart = { .allowed_pus = "0-7", .allowed_nodes = "1" };
	const struct doctor_judgement *judgement;
	struct err err = { 0 };

	assert_int_equal(machine_narrow(scene->machine, &apart, &err), 0);
	judgement = assert_verdict(scene, "memory-nodes", DOCTOR_COSTS, "4 cores have no memory");
	assert_holds(judgement->remedy, "--cpuset-mems 0 ");
	/* No cpuset gives a node the memory that it has not. */
	scene->machine->nodes[0].memory_bytes.value = 0;
	judgement = assert_verdict(scene, "memory-nodes", DOCTOR_COSTS, "4 cores have no memory");
	assert_holds(judgement->remedy, "none in here: node 0 has no memory");
}

static void time_that_others_take_costs(void **state)
{
	struct scene *scene = *state;

	set_number(scene, HOST_STEAL, 900);
	(void)assert_verdict(scene, "steal", DOCTOR_GOOD, "0.9 %");
	set_number(scene, HOST_STEAL, 1700);
	(void)assert_verdict(scene, "steal", DOCTOR_COSTS, "1.7 % of the time since boot");
	set_number(scene, HOST_STEAL_NOW, 12500);
	(void)assert_verdict(scene, "steal", DOCTOR_COSTS, "12.5 % of the time just now");
	set_number(scene, HOST_STEAL, 0);
	set_number(scene, HOST_STEAL_NOW, 0);
	set_number(scene, HOST_LOAD_NOW, 40000);
	(void)assert_verdict(scene, "neighbours", DOCTOR_COSTS, "40.0 %");
	set_number(scene, HOST_LOAD_NOW, 4000);
	(void)assert_verdict(scene, "neighbours", DOCTOR_GOOD, "4.0 %");
	set_number(scene, HOST_PRESSURE_MEMORY, 5000);
	(void)assert_verdict(scene, "pressure-memory", DOCTOR_COSTS, "5.0 %");
	set_number(scene, HOST_PRESSURE_MEMORY, 500);
	set_number(scene, HOST_PRESSURE_CPU, 50000);
	(void)assert_verdict(scene, "pressure-cpu", DOCTOR_COSTS, "50.0 %");
	set_number(scene, HOST_PRESSURE_CPU, 5000);
	set_number(scene, HOST_PRESSURE_IO, 50000);
	(void)assert_verdict(scene, "pressure-io", DOCTOR_COSTS, "50.0 %");
}

static void isolated_cpus_cost_when_they_are_ours(void **state)
{
	struct scene *scene = *state;
	const struct machine_narrow few = { .allowed_pus = "0-7" };
	struct err err = { 0 };

	set_text(scene, HOST_ISOLATED, "6-9");
	(void)assert_verdict(scene, "isolated-cpus", DOCTOR_COSTS, "CPUs 6-9 are");
	assert_int_equal(machine_narrow(scene->machine, &few, &err), 0);
	(void)assert_verdict(scene, "isolated-cpus", DOCTOR_COSTS, "CPUs 6-7 are");
	set_text(scene, HOST_ISOLATED, "8-9");
	(void)assert_verdict(scene, "isolated-cpus", DOCTOR_GOOD, "none");
	set_text(scene, HOST_PARTITION, "isolated");
	(void)assert_verdict(scene, "isolated-cpus", DOCTOR_COSTS, "CPUs 0-7 are");
}

static void instructions_that_the_model_has_and_the_kernel_hides_cost(void **state)
{
	struct scene *scene = *state;

	set_text(scene, HOST_CPU_VENDOR, "GenuineIntel");
	set_number(scene, HOST_CPU_FAMILY, 6);
	set_number(scene, HOST_CPU_MODEL, 0x8f);
	(void)assert_verdict(scene, "isa-hidden", DOCTOR_COSTS, "Sapphire Rapids server, has AMX");
	set_text(scene, HOST_ISA, "avx2");
	(void)assert_verdict(scene, "isa-hidden", DOCTOR_COSTS, "has AVX-512 and AMX");
	set_text(scene, HOST_ISA, "avx2 avx512f amx_tile");
	(void)assert_verdict(scene, "isa-hidden", DOCTOR_GOOD, "");
	set_number(scene, HOST_CPU_MODEL, 0x97); /* Alder Lake: Intel took its AVX-512 away */
	set_text(scene, HOST_ISA, "avx2");
	(void)assert_verdict(scene, "isa-hidden", DOCTOR_GOOD, "");
}

static void a_variable_that_caps_instructions_is_named(void **state)
{
	struct scene *scene = *state;

	scene->environment[0] = "ONEDNN_MAX_CPU_ISA=default";
	scene->environment[1] = "ATEN_CPU_CAPABILITY_X=avx2";
	(void)assert_verdict(scene, "isa-capped", DOCTOR_GOOD, "");
	scene->environment[1] = "ATEN_CPU_CAPABILITY=avx2";
	assert_string_equal(assert_verdict(scene, "isa-capped", DOCTOR_COSTS, "ATEN_CPU_CAPABILITY")->remedy,
			    "unset ATEN_CPU_CAPABILITY");
}

static void a_refused_right_names_the_flag_that_grants_it(void **state)
{
	static const struct {
		enum may_right right;
		const char *rule, *flag;
	} rows[] = {
		{ MAY_BIND_MEMORY, "bind-memory", "--cap-add SYS_NICE" },
		{ MAY_INTERLEAVE, "bind-memory", "--cap-add SYS_NICE" },
		{ MAY_COUNTERS, "counters", "--cap-add PERFMON" },
		{ MAY_TRACE_OTHERS, "trace", "--cap-add SYS_PTRACE" },
		{ MAY_MIGRATE_PAGES, "move-memory", "seccomp" },
		{ MAY_BIND_CPU, "bind-cpus", "seccomp" },
		{ MAY_WRITE_CGROUPS, "cgroups", "Delegate" },
		{ MAY_USE_AMX, "amx-permission", "seccomp" },
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		refuse_right(scene, rows[i].right, "Operation not permitted");
		assert_holds(assert_verdict(scene, rows[i].rule, DOCTOR_BLOCKED, "Operation not permitted")->remedy,
			     rows[i].flag);
		assert_int_equal(fact_set(&scene->machine->may->rights[rows[i].right], FACT_KNOWN, 1, "call", NULL), 0);
	}
	refuse_right(scene, MAY_COUNTERS, "the CPU shows no such counter here");
	assert_holds(assert_verdict(scene, "counters", DOCTOR_BLOCKED, "no such counter")->remedy, "pmu=on");
}

static void low_limits_are_listed_with_what_raises_them(void **state)
{
	struct scene *scene = *state;
	const struct doctor_judgement *judgement;

	scene->machine->may->limits[LIMIT_OPEN_FILES].soft = 1024;
	scene->machine->may->limits[LIMIT_CPU_SECONDS].soft = 3600;
	judgement = assert_verdict(scene, "ulimits", DOCTOR_BLOCKED, "1024 open files, 3600 seconds");
	assert_holds(judgement->remedy, "ulimit -n 65536 && ulimit -t unlimited");
	scene->machine->may->limits[LIMIT_OPEN_FILES].hard = 4096;
	judgement = assert_verdict(scene, "ulimits", DOCTOR_BLOCKED, "1024 open files");
	assert_holds(judgement->remedy, "sudo prlimit --pid $$ --nofile=65536 && ulimit -t");
	assert_int_equal(judgement->evidence_count, 2);
}

static void a_missing_library_names_the_package_that_brings_it(void **state)
{
	struct scene *scene = *state;
	const struct doctor_judgement *judgement;

	scene->found[0].usable = false;
	scene->found[0].why_not = (char *)(uintptr_t) "for another C library";
	judgement = assert_verdict(scene, "openmp-library", DOCTOR_BLOCKED, "no OpenMP runtime");
	assert_holds(judgement->remedy, "apt-get install libgomp1");
	assert_string_equal(judgement->evidence[0], "/lib: for another C library");
	scene->found[0].usable = true;
	scene->libraries.count = 1;
	judgement = assert_verdict(scene, "allocator-library", DOCTOR_BLOCKED, "no allocator");
	assert_holds(judgement->remedy, "apt-get install libtcmalloc-minimal4");
	assert_holds(judgement->cost, "glibc's own");
	scene->libraries.libc = TARGET_LIBC_NONE;
	(void)assert_verdict(scene, "allocator-library", DOCTOR_GOOD, "static");
}

static void two_openmp_runtimes_cost_unless_one_answers_for_both(void **state)
{
	struct scene *scene = *state;

	scene->libraries.count = 3;
	scene->found[0].loaded_by = (char *)(uintptr_t) "torch";
	(void)assert_verdict(scene, "openmp-two-runtimes", DOCTOR_GOOD, "loaded: libgomp (torch)");
	scene->found[2].loaded_by = (char *)(uintptr_t) "numpy";
	(void)assert_verdict(scene, "openmp-two-runtimes", DOCTOR_COSTS, "libgomp (torch) and libiomp5 (numpy)");
	scene->found[2].place = LIBRARY_PRELOADED;
	(void)assert_verdict(scene, "openmp-two-runtimes", DOCTOR_GOOD, "the preloaded libiomp5 answers for all");
	scene->found[2].place = LIBRARY_PACKAGE;
	scene->found[0].place = LIBRARY_PRELOADED; /* libgomp does not know what LLVM's programs call */
	(void)assert_verdict(scene, "openmp-two-runtimes", DOCTOR_COSTS, "libgomp");
}

static void a_file_that_stops_the_loader_is_named_with_what_it_costs(void **state)
{
	struct scene *scene = *state;
	const struct doctor_judgement *judgement;
	struct library_stop stop = { .name = (char *)(uintptr_t) "libgomp.so.1",
				     .path = (char *)(uintptr_t) "/env/libgomp.so.1",
				     .needed_by = (char *)(uintptr_t) "prog",
				     .why = "is a folder",
				     .what_then = (char *)(uintptr_t) "the program does not start" };

	(void)assert_verdict(scene, "library-in-the-way", DOCTOR_GOOD, "");
	scene->libraries.stops = &stop;
	scene->libraries.stop_count = 1;
	judgement =
		assert_verdict(scene, "library-in-the-way", DOCTOR_BLOCKED, "stops at /env/libgomp.so.1, which is a");
	assert_string_equal(judgement->evidence[0],
			    "/env/libgomp.so.1: is a folder, looked for as libgomp.so.1 by prog");
	assert_string_equal(judgement->cost, "the program does not start");
	assert_holds(judgement->remedy, "mv '/env/libgomp.so.1'");
}

static void what_a_file_cannot_tell_is_unknown(void **state)
{
	struct scene *scene = *state;
	size_t told = 0;

	host_free(scene->machine->host);
	may_free(scene->machine->may);
	scene->machine->host = NULL;
	scene->machine->may = NULL;
	scene->libraries.items = NULL;
	(void)judge(scene, "swap");
	assert_int_equal(doctor_count(scene->doctor, DOCTOR_COSTS), 0);
	assert_int_equal(doctor_count(scene->doctor, DOCTOR_BLOCKED), 0);
	told = doctor_count(scene->doctor, DOCTOR_GOOD);
	assert_int_equal(told, 3); /* quota, siblings, memory nodes */
	assert_int_equal(doctor_count(scene->doctor, DOCTOR_UNKNOWN), scene->doctor->count - told);
}

static void every_judgement_can_be_acted_on(void **state)
{
	struct scene *scene = *state;
	json_t *document;

	for (enum host_fact i = 0; i < HOST_FACT_COUNT; i++)
		set_state(scene, i, FACT_UNKNOWN);
	set_number(scene, HOST_SWAP, 1 << 30);
	set_number(scene, HOST_SWAP_USED, 1 << 30);
	set_number(scene, HOST_SWAPPINESS, 60);
	refuse_right(scene, MAY_COUNTERS, "Permission denied");
	(void)judge(scene, "swap");
	for (size_t i = 0; i < scene->doctor->count; i++) {
		const struct doctor_judgement *judgement = &scene->doctor->items[i];

		assert_true(i == 0 || judgement->verdict >= judgement[-1].verdict);
		assert_int_equal(judgement->remedy != NULL, judgement->verdict <= DOCTOR_BLOCKED);
		assert_true(judgement->verdict != DOCTOR_COSTS || judgement->cost);
		assert_true(judgement->evidence_count > 0 || judgement->verdict == DOCTOR_GOOD);
	}
	document = doctor_to_json(scene->doctor);
	assert_string_equal(json_string_value(json_object_get(document, "schema")), "fettle.doctor/1");
	assert_int_equal(json_array_size(json_object_get(document, "rules")), scene->doctor->count);
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(a_good_host_is_good_in_everything),
		T(a_governor_that_holds_the_clock_down_costs_the_ratio),
		T(a_limited_clock_costs),
		T(boost_is_switched_on_by_its_own_drivers_file),
		T(huge_pages_for_nobody_cost_and_for_some_do_not),
		T(what_moves_memory_between_nodes_costs_only_with_several),
		T(swap_costs_once_it_is_used),
		T(dockers_shared_memory_is_too_small_for_data_loaders),
		T(strict_overcommit_is_in_the_way_and_costs_no_speed),
		T(a_quota_that_is_no_whole_number_costs_its_rest),
		T(a_sibling_that_is_not_ours_is_shared),
		T(memory_on_other_nodes_than_our_cpus_costs),
		T(time_that_others_take_costs),
		T(isolated_cpus_cost_when_they_are_ours),
		T(instructions_that_the_model_has_and_the_kernel_hides_cost),
		T(a_variable_that_caps_instructions_is_named),
		T(a_refused_right_names_the_flag_that_grants_it),
		T(low_limits_are_listed_with_what_raises_them),
		T(a_missing_library_names_the_package_that_brings_it),
		T(two_openmp_runtimes_cost_unless_one_answers_for_both),
		T(a_file_that_stops_the_loader_is_named_with_what_it_costs),
		T(what_a_file_cannot_tell_is_unknown),
		T(every_judgement_can_be_acted_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

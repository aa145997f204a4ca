/* SPDX-License-Identifier: Apache-2.0 */
/* Facts of machines: our own captures, synthetic ones, the running one. */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "machine/machine.h"
#include "machine/narrow.h"
#include "machine/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <string.h>

static struct machine *read_spec(const char *spec)
{
	struct machine *machine = NULL;
	struct err err = { 0 };
	int r = machine_read(spec, &machine, &err);

	if (r < 0)
		fail_msg("%s: %s", spec, err.text);
	return machine;
}

/* One of tests/data/machines. */
static struct machine *read_capture(const char *name)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/machines/%s", getenv("FETTLE_TEST_DATA"), name);
	return read_spec(path);
}

static void assert_list(hwloc_const_bitmap_t set, const char *want)
{
	cleanup_free char *text = cpulist_text(set);

	assert_non_null(text);
	assert_string_equal(text, want);
}

static void assert_summary(const struct machine *machine, const char *want)
{
	cleanup_free char *text = machine_summary(machine);

	assert_non_null(text);
	assert_string_equal(text, want);
}

static void two_nodes_with_siblings_eight_apart(void **state)
{
	cleanup_machine struct machine *m = read_capture("two-nodes-smt.xml");

	(void)state;
	assert_int_equal(m->source, MACHINE_XML);
	assert_string_equal(m->model, "Example Server CPU");
	assert_int_equal(m->package_count, 2);
	assert_int_equal(m->core_count, 8);
	assert_int_equal(m->pu_count, 16);
	assert_list(m->packages[1].pus_os, "4-7,12-15");
	assert_list(m->nodes[1].pus_os, "4-7,12-15");
	for (size_t c = 0; c < m->core_count; c++) {
		const struct machine_core *core = &m->cores[c];

		assert_int_equal(core->pu_count, 2);
		assert_int_equal(m->pus[core->pu_idx].os, c);
		assert_int_equal(m->pus[core->pu_idx + 1].os, c + 8);
		assert_int_equal(m->pus[core->pu_idx + 1].core_idx, c);
		assert_int_equal(core->package_idx, c / 4);
		assert_int_equal(core->node_idx, c / 4);
		assert_int_equal(m->caches[core->l3_idx].level, 3);
		assert_true(hwloc_bitmap_isset(m->caches[core->l3_idx].pus_os, (unsigned)c));
	}
	assert_int_equal(m->nodes[0].memory_bytes.state, FACT_KNOWN);
	assert_true(m->nodes[0].memory_bytes.value == 16ULL << 30);
	assert_int_equal(m->nodes[1].distances[0], 21);
	assert_int_equal(m->nodes[1].distances[1], 10);
	assert_int_equal(m->limits.quota_milli.state, FACT_UNKNOWN);
	assert_false(m->kinds_known);
	assert_int_equal(m->kind_count, 1);
	assert_summary(m, "2 packages x 4 cores x 2 threads, 2 NUMA nodes; you may use all of it");
}

static void efficiency_cores_are_small_and_come_first(void **state)
{
	cleanup_machine struct machine *m = read_capture("hybrid.xml");

	(void)state;
	assert_true(m->kinds_known);
	assert_int_equal(m->kind_count, 2);
	assert_true(m->kinds[0].small);
	assert_false(m->kinds[1].small);
	assert_list(m->kinds[0].pus_os, "4-7");
	assert_list(m->kinds[1].pus_os, "0-3");
	assert_int_equal(m->kinds[1].max_mhz.value, 4700);
	assert_int_equal(m->cores[0].kind_idx, 1);
	assert_int_equal(m->cores[0].pu_count, 2);
	assert_int_equal(m->cores[5].kind_idx, 0);
	assert_int_equal(m->cores[5].pu_count, 1);
	assert_summary(m, "1 package x 6 cores (2 with 2 threads, 4 with 1), 4 of them efficiency cores, 1 NUMA node; "
			  "you may use all of it");
}

static void a_node_without_memory_uses_the_nearest_that_has_some(void **state)
{
	cleanup_machine struct machine *m = read_capture("memory-only-node.xml");
	const struct machine_narrow without_device = { .allowed_nodes = "0-1" };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(m->node_count, 3);
	assert_int_equal(machine_node_idx(m, 4), 2);
	assert_int_equal(machine_node_idx(m, 2), MACHINE_NONE);
	assert_list(m->nodes[2].pus_os, "");
	assert_int_equal(m->nodes[1].memory_bytes.state, FACT_KNOWN);
	assert_int_equal(m->nodes[1].memory_bytes.value, 0);
	assert_false(machine_node_has_memory(m, 1));
	assert_true(machine_node_has_memory(m, 2));
	assert_int_equal(m->cores[2].node_idx, 1);
	assert_int_equal(machine_nearest_memory(m, 0), 0);
	assert_int_equal(machine_nearest_memory(m, 1), 2);
	assert_int_equal(machine_nearest_memory(m, MACHINE_NONE), MACHINE_NONE);
	assert_int_equal(machine_nearest_memory(m, 3), MACHINE_NONE);
	assert_int_equal(machine_narrow(m, &without_device, &err), 0);
	assert_int_equal(machine_nearest_memory(m, 1), 0);
	assert_int_equal(machine_nearest_memory(m, 2), 0);
}

static void a_quota_takes_whole_threads_and_at_least_one(void **state)
{
	static const struct {
		const char *quota;
		unsigned cores, pus;
	} rows[] = { { "64", 8, 16 }, { "8.999", 8, 8 }, { "3.9", 3, 3 }, { "1.5", 1, 1 }, { "0.1", 1, 1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_machine struct machine *m = read_spec("synthetic:package:2 core:4 pu:2");
		const struct machine_narrow narrow = { .quota_cpus = rows[i].quota };
		struct err err = { 0 };

		assert_int_equal(machine_narrow(m, &narrow, &err), 0);
		assert_int_equal(machine_usable_threads(m, false), rows[i].cores);
		assert_int_equal(machine_usable_threads(m, true), rows[i].pus);
	}
}

static void narrowing_never_widens(void **state)
{
	cleanup_machine struct machine *m = read_capture("two-nodes-smt.xml");
	const struct machine_narrow first = { "0-3,8", "0", "2", "1G" }, second = { "1-9", "0-1", "4", "2G" };
	unsigned os[2] = { 0, 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(machine_narrow(m, &first, &err), 0);
	assert_int_equal(machine_narrow(m, &second, &err), 0);
	assert_list(m->limits.pus_os, "1-3,8");
	assert_list(m->limits.nodes_os, "0");
	assert_int_equal(m->limits.quota_milli.value, 2000);
	assert_string_equal(m->limits.quota_milli.raw, "2");
	assert_true(m->limits.memory_bytes.value == 1 << 30);
	/* Core 0 lost its first thread, core 1 has its first, core 4 nothing. */
	assert_int_equal(machine_core_allowed(m, &m->cores[0], os), 1);
	assert_int_equal(os[0], 8);
	assert_int_equal(machine_core_allowed(m, &m->cores[1], os), 1);
	assert_int_equal(os[0], 1);
	assert_int_equal(machine_core_allowed(m, &m->cores[4], os), 0);
	assert_false(machine_node_has_memory(m, 1));
	assert_summary(
		m, "2 packages x 4 cores x 2 threads, 2 NUMA nodes; you may use 4 cores (4 of 8 threads) of node 0, "
		   "quota 2.0 CPUs, memory limit 1.0 GiB");
}

static void what_cannot_be_narrowed_to_is_refused_and_changes_nothing(void **state)
{
	static const struct {
		struct machine_narrow narrow;
		const char *words;
	} rows[] = {
		{ { .allowed_pus = "0,16" }, "has no CPU 16" },
		{ { .allowed_pus = "zero" }, "--allowed-cpus" },
		{ { .allowed_pus = "" }, "leaves no CPU" },
		{ { .allowed_nodes = "2" }, "has no node 2" },
		{ { .quota_cpus = "0" }, "--cpu-quota" },
		{ { .quota_cpus = "-1" }, "--cpu-quota" },
		{ { .allowed_pus = "0", .memory_limit = "16Q" }, "--memory-limit" },
		{ { .memory_limit = "0" }, "--memory-limit" },
	};
	cleanup_machine struct machine *m = read_capture("two-nodes-smt.xml");
	const struct machine_narrow half = { .allowed_pus = "0-7" }, other_half = { .allowed_pus = "8-15" };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(machine_narrow(m, &rows[i].narrow, &err), -EINVAL);
		assert_non_null(strstr(err.text, rows[i].words));
		assert_list(m->limits.pus_os, "0-15");
		assert_list(m->limits.nodes_os, "0-1");
		assert_int_equal(m->limits.quota_milli.state, FACT_UNKNOWN);
	}
	assert_int_equal(machine_narrow(m, &half, &err), 0);
	assert_int_equal(machine_narrow(m, &other_half, &err), -EINVAL);
	assert_non_null(strstr(err.hint, "0-7"));
}

static void summaries_say_what_is_left(void **state)
{
	static const struct {
		const char *spec;
		struct machine_narrow narrow;
		const char *want;
	} rows[] = {
		{ "synthetic:numa:2 core:28 pu:2",
		  { .allowed_pus = "0-15", .quota_cpus = "4" },
		  "56 cores x 2 threads, 2 NUMA nodes; you may use 8 cores of node 0, quota 4.0 CPUs" },
		{ "synthetic:pack:1 core:1 pu:1",
		  { 0 },
		  "1 package x 1 core x 1 thread, 1 NUMA node; you may use all of it" },
		{ "synthetic:pack:2 [numa] core:2 pu:1",
		  { .allowed_pus = "0", .allowed_nodes = "1" },
		  "2 packages x 2 cores x 1 thread, 2 NUMA nodes; you may use 1 core of node 0, memory of node 1" },
		{ "synthetic:pack:2 core:2 pu:1",
		  { .quota_cpus = "0.04" },
		  "2 packages x 2 cores x 1 thread, 1 NUMA node; you may use all cores, quota 0.040 CPUs" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_machine struct machine *m = read_spec(rows[i].spec);
		struct err err = { 0 };

		assert_int_equal(machine_narrow(m, &rows[i].narrow, &err), 0);
		assert_summary(m, rows[i].want);
	}
}

static bool is_unknown(const json_t *document, const char *name)
{
	const json_t *unknown = json_object_get(document, "unknown"), *item;
	size_t i;

	json_array_foreach(unknown, i, item)
	{
		if (strcmp(json_string_value(item), name) == 0)
			return true;
	}
	return false;
}

static void json_tells_null_from_zero(void **state)
{
	cleanup_machine struct machine *m = read_capture("memory-only-node.xml");
	json_t *document = machine_to_json(m);
	const json_t *allowed = json_object_get(document, "allowed");
	const json_t *nodes = json_object_get(document, "nodes");

	(void)state;
	assert_string_equal(json_string_value(json_object_get(document, "schema")), "fettle.machine/1");
	assert_true(json_is_null(json_object_get(allowed, "cpu_quota")));
	assert_true(is_unknown(document, "cpu_quota"));
	assert_true(json_is_null(json_object_get(document, "model")));
	assert_true(is_unknown(document, "model"));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(nodes, 1), "memory_bytes")), 0);
	assert_true(json_is_integer(json_object_get(json_array_get(nodes, 1), "memory_bytes")));
	assert_false(is_unknown(document, "memory_bytes"));
	assert_false(is_unknown(document, "distances"));
	assert_string_equal(json_string_value(json_object_get(json_array_get(nodes, 2), "pus_os")), "");
	assert_string_equal(json_string_value(json_array_get(json_object_get(document, "cores_os"), 3)), "3");
	assert_int_equal(json_integer_value(json_object_get(allowed, "usable_threads")), 4);
	json_decref(document);
}

static void the_running_machine_allows_what_the_kernel_says(void **state)
{
	cleanup_machine struct machine *m = NULL;
	cpu_set_t mask, one;
	struct err err = { 0 };
	size_t known = 0;

	(void)state;
	if (sched_getaffinity(0, sizeof(mask), &mask) < 0)
		skip(); /* more than 1024 CPUs */
	CPU_ZERO(&one);
	for (int os = 0; os < CPU_SETSIZE && !CPU_COUNT(&one); os++) {
		if (CPU_ISSET(os, &mask))
			CPU_SET(os, &one);
	}
	for (const cpu_set_t *set = &mask; set; set = set == &mask ? &one : NULL) {
		assert_int_equal(sched_setaffinity(0, sizeof(*set), set), 0);
		assert_int_equal(machine_read(set == &mask ? NULL : "live", &m, &err), 0);
		assert_int_equal(hwloc_bitmap_weight(m->limits.pus_os), CPU_COUNT(set));
		known = 0;
		for (size_t i = 0; i < m->pu_count; i++) {
			assert_int_equal(hwloc_bitmap_isset(m->limits.pus_os, m->pus[i].os) != 0,
					 CPU_ISSET(m->pus[i].os, set) != 0);
			known++;
		}
		assert_true(known >= (size_t)CPU_COUNT(&mask));
		machine_free(TAKE(m));
	}
	assert_int_equal(sched_setaffinity(0, sizeof(mask), &mask), 0);
}

static void variables_of_hwloc_do_not_reach_us(void **state)
{
	cleanup_machine struct machine *before = read_spec("live"), *after = NULL;

	(void)state;
	assert_int_equal(setenv("HWLOC_SYNTHETIC", "pu:77", 1), 0);
	assert_int_equal(setenv("HWLOC_FSROOT", "/nowhere", 1), 0);
	assert_int_equal(setenv("HWLOC_COMPONENTS", "synthetic,stop", 1), 0);
	after = read_spec("live");
	assert_string_equal(getenv("HWLOC_SYNTHETIC"), "pu:77");
	assert_int_equal(after->pu_count, before->pu_count);
	assert_int_equal(after->package_count, before->package_count);
	assert_int_equal(unsetenv("HWLOC_SYNTHETIC") | unsetenv("HWLOC_FSROOT") | unsetenv("HWLOC_COMPONENTS"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_nodes_with_siblings_eight_apart),
		cmocka_unit_test(efficiency_cores_are_small_and_come_first),
		cmocka_unit_test(a_node_without_memory_uses_the_nearest_that_has_some),
		cmocka_unit_test(a_quota_takes_whole_threads_and_at_least_one),
		cmocka_unit_test(narrowing_never_widens),
		cmocka_unit_test(what_cannot_be_narrowed_to_is_refused_and_changes_nothing),
		cmocka_unit_test(summaries_say_what_is_left),
		cmocka_unit_test(json_tells_null_from_zero),
		cmocka_unit_test(the_running_machine_allows_what_the_kernel_says),
		cmocka_unit_test(variables_of_hwloc_do_not_reach_us),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

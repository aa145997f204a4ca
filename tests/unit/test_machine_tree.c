/* SPDX-License-Identifier: Apache-2.0 */
/* The tree people read: folded, marked, and never wider than a terminal. */
#include "machine_help.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "cli/cmd_machine_tree.h"
#include "cli/colour.h"
#include "machine/machine.h"
#include "machine/narrow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static char *tree_of(const char *spec, const struct machine_narrow *narrow)
{
	cleanup_machine struct machine *machine = NULL;
	struct err err = { 0 };
	char *tree;

	if (machine_read(spec, &machine, &err) < 0)
		fail_msg("%s: %s", spec, err.text);
	if (narrow)
		assert_int_equal(machine_narrow(machine, narrow, &err), 0);
	tree = machine_tree(machine, &colour_none);
	assert_non_null(tree);
	return tree;
}

static char *tree_of_capture(const char *name, const struct machine_narrow *narrow)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/machines/%s.xml", getenv("FETTLE_TEST_DATA"), name);
	return tree_of(path, narrow);
}

static void assert_fits(const char *name, const char *tree)
{
	for (const char *line = tree; *line; line += strcspn(line, "\n") + 1) {
		const size_t length = strcspn(line, "\n");

		assert_int_equal(line[length], '\n');
		if (length > 80 || (length && line[length - 1] == ' '))
			fail_msg("%s: '%.*s'", name, (int)length, line);
	}
}

static size_t count_lines(const char *tree)
{
	size_t count = 0;

	for (; *tree; tree++)
		count += *tree == '\n';
	return count;
}

static void equal_things_are_one_line(void **state)
{
	cleanup_free char *server = tree_of_capture("two-nodes-smt", NULL);
	cleanup_free char *hybrid = tree_of_capture("hybrid", NULL);

	(void)state;
	assert_string_equal(server, "Example Server CPU, architecture unknown\n"
				    "package 0\n"
				    "  node 0  16.0 GiB  CPUs 0-3,8-11\n"
				    "    L3 16.0 MiB: 4 cores x 2 threads\n"
				    "package 1\n"
				    "  node 1  16.0 GiB  CPUs 4-7,12-15\n"
				    "    L3 16.0 MiB: 4 cores x 2 threads\n"
				    "distances 10 local, 21 remote\n");
	assert_string_equal(hybrid, "model unknown, architecture unknown\n"
				    "package 0\n"
				    "  node 0  8.0 GiB  CPUs 0-7\n"
				    "    L3 12.0 MiB:\n"
				    "      2 cores x 2 threads, up to 4700 MHz\n"
				    "      4 efficiency cores x 1 thread, up to 3400 MHz\n");
}

static void what_is_not_allowed_is_marked(void **state)
{
	const struct machine_narrow narrow = { .allowed_pus = "0-2,8", .allowed_nodes = "1" };
	cleanup_free char *tree = tree_of_capture("two-nodes-smt", &narrow);

	(void)state;
	assert_string_equal(tree, "Example Server CPU, architecture unknown\n"
				  "package 0\n"
				  "  node 0  16.0 GiB (memory not allowed)  CPUs 0-3,8-11\n"
				  "    allowed CPUs 0-2,8\n"
				  "    L3 16.0 MiB:\n"
				  "      1 core x 2 threads\n"
				  "      2 cores x 2 threads, 1 of 2 threads allowed\n"
				  "      1 core x 2 threads, not allowed\n"
				  "package 1\n"
				  "  node 1  16.0 GiB  CPUs 4-7,12-15\n"
				  "    none of its CPUs allowed\n"
				  "    L3 16.0 MiB: 4 cores x 2 threads, not allowed\n"
				  "distances 10 local, 21 remote\n");
}

static void memory_without_cpus_is_shown(void **state)
{
	cleanup_free char *tree = tree_of_capture("memory-only-node", NULL);

	(void)state;
	assert_non_null(strstr(tree, "  node 1  no memory  CPUs 2-3\n"));
	assert_non_null(strstr(tree, "node 4  16.0 GiB  no CPUs\n"));
	assert_non_null(strstr(tree, "        4  15  12  10\n"));
}

/* A GPU's memory partitions: nodes without CPUs, all alike. */
static void equal_memory_without_cpus_is_one_line(void **state)
{
	cleanup_machine struct machine *machine = NULL;
	cleanup_free char *folded = NULL, *apart = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(machine_read("synthetic:numa:5 core:1 pu:1", &machine, &err), 0);
	for (size_t i = 2; i < 5; i++)
		hwloc_bitmap_zero(machine->nodes[i].pus_os);
	for (size_t c = 2; c < 5; c++)
		machine->cores[c].node_idx = 0;
	folded = machine_tree(machine, &colour_none);
	assert_non_null(folded);
	assert_non_null(strstr(folded, "\nnodes 2-4, each  1.0 GiB  no CPUs\n"));
	hwloc_bitmap_clr(machine->limits.nodes_os, 4);
	apart = machine_tree(machine, &colour_none);
	assert_non_null(apart);
	assert_non_null(
		strstr(apart, "\nnodes 2-3, each  1.0 GiB  no CPUs\nnode 4  1.0 GiB (memory not allowed)  no CPUs\n"));
}

static void big_machines_fit_a_terminal(void **state)
{
	/* 576 PUs, then every third of them allowed. */
	static const char plain[] = "synthetic:package:8 numa:2 l3:3 core:6 pu:2";
	const struct machine_narrow thirds = { .allowed_pus = "0-575:3" };
	cleanup_free char *all = tree_of(plain, NULL), *some = tree_of(plain, &thirds);

	(void)state;
	assert_fits("all", all);
	assert_fits("thirds", some);
	assert_true(count_lines(all) <= 60);
	assert_non_null(strstr(all, "    3 x L3"));
	assert_non_null(strstr(some, ":3"));
}

/* Emphasis is between the words, never instead of one: what is not allowed still says so, and columns stay. */
static void emphasis_changes_no_word(void **state)
{
	static const struct colour loud = { "<", "{", ">" };
	const struct machine_narrow narrow = { .allowed_pus = "0-287:3", .allowed_nodes = "0" };
	cleanup_machine struct machine *machine = NULL;
	cleanup_free char *plain = NULL, *marked = NULL;
	struct err err = { 0 };
	size_t kept = 0;

	(void)state;
	assert_int_equal(machine_read("synthetic:package:8 numa:2 l3:3 core:6 pu:2", &machine, &err), 0);
	assert_int_equal(machine_narrow(machine, &narrow, &err), 0);
	plain = machine_tree(machine, &colour_none);
	marked = machine_tree(machine, &loud);
	assert_non_null(plain);
	assert_non_null(marked);
	assert_non_null(strstr(marked, "\n<package 7>\n"));
	assert_non_null(strstr(marked, "{none of its CPUs allowed>\n"));
	assert_non_null(strstr(marked, "{6 cores x 2 threads, not allowed>\n"));
	for (const char *c = marked; *c; c++) {
		if (!strchr("<{>", *c))
			marked[kept++] = *c;
	}
	marked[kept] = '\0';
	assert_string_equal(marked, plain);
}

static void print_within_a_terminal(const char *path)
{
	cleanup_free char *tree = tree_of(path, NULL);

	assert_fits(path, tree);
	assert_true(count_lines(tree) <= 60);
}

static void every_captured_machine_fits_a_terminal(void **state)
{
	(void)state;
	each_captured_machine(print_within_a_terminal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_things_are_one_line),
		cmocka_unit_test(what_is_not_allowed_is_marked),
		cmocka_unit_test(memory_without_cpus_is_shown),
		cmocka_unit_test(equal_memory_without_cpus_is_one_line),
		cmocka_unit_test(big_machines_fit_a_terminal),
		cmocka_unit_test(emphasis_changes_no_word),
		cmocka_unit_test(every_captured_machine_fits_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

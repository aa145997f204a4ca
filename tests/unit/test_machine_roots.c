/* SPDX-License-Identifier: Apache-2.0 */
/* Captured roots: where they are found, whose limits count, and what hostile ones cannot do. */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "machine/machine.h"
#include "root_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

static struct machine *read_root(const char *dir)
{
	struct machine *machine = NULL;
	struct err err = { 0 };

	if (machine_read(dir, &machine, &err) < 0)
		fail_msg("%s: %s", dir, err.text);
	assert_int_equal(machine->source, MACHINE_ROOT);
	assert_string_equal(machine->source_name, dir);
	return machine;
}

static void assert_list(hwloc_const_bitmap_t set, const char *wanted)
{
	cleanup_free char *list = cpulist_text(set);

	assert_string_equal(list, wanted);
}

static void assert_refused(const char *dir, const char *why)
{
	struct machine *machine = NULL;
	struct err err = { 0 };
	int r = machine_read(dir, &machine, &err);

	machine_free(machine);
	assert_true(r < 0);
	if (!strstr(err.text, why))
		fail_msg("'%s' for %s", err.text, why);
	assert_null(strchr(err.text, '\n'));
}

static void a_root_is_found_where_captures_have_it(void **state)
{
	static const char *const places[] = { "", "/name", "/name/below" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char *const dir = root_make();
		char where[64];

		(void)snprintf(where, sizeof(where), "%s%s", dir, places[i]);
		root_put(where, "beside", "");
		root_put_machine(where, 2, 4);
		{
			cleanup_machine struct machine *m = read_root(dir);

			assert_int_equal(m->core_count, 4);
			assert_int_equal(m->pu_count, 8);
			assert_int_equal(m->node_count, 2);
			assert_int_equal(m->nodes[1].memory_bytes.value, 1 << 30);
			assert_list(m->limits.pus_os, "0-7");
			assert_int_equal(m->limits.quota_milli.state, FACT_UNKNOWN);
		}
		root_remove(dir);
	}
}

static void what_holds_no_capture_or_several_is_refused(void **state)
{
	char *const dir = root_make();

	(void)state;
	assert_refused(dir, "no 'sys/devices/system/cpu' in it");
	root_put(dir, "proc/cpuinfo", "processor: 0\n");
	assert_refused(dir, "no 'sys/devices/system/cpu' in it");
	root_put_machine(dir, 1, 1);
	root_put(dir, "a/x", "");
	root_remove(dir);
}

static void two_captures_in_one_folder_are_not_chosen_from(void **state)
{
	char *const dir = root_make();
	char where[64];

	(void)state;
	(void)snprintf(where, sizeof(where), "%s/one", dir);
	root_put_machine(where, 1, 1);
	(void)snprintf(where, sizeof(where), "%s/two", dir);
	root_put_machine(where, 1, 2);
	assert_refused(dir, "it holds 2 captures");
	root_remove(dir);
}

static void limits_are_those_of_the_captured_process(void **state)
{
	char *const dir = root_make();

	(void)state;
	root_put_machine(dir, 2, 4);
	root_put(dir, "proc/self/status", "Name:\tx\nPid:\t77\nCpus_allowed_list:\t1-2,5\nMems_allowed_list:\t1\n");
	root_put(dir, "proc/self/cgroup", "0::/a/b\n");
	root_put(dir, "proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
	root_put(dir, "sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
	root_put(dir, "sys/fs/cgroup/a/b/memory.max", "1073741824\n");
	root_put(dir, "sys/fs/cgroup/a/cpu.max", "150000 100000\n");
	{
		cleanup_machine struct machine *m = read_root(dir);

		assert_list(m->limits.pus_os, "1-2,5");
		assert_list(m->limits.nodes_os, "1");
		assert_int_equal(m->limits.quota_milli.value, 1500);
		assert_string_equal(m->limits.quota_milli.source, "/sys/fs/cgroup/a/cpu.max");
		assert_int_equal(m->limits.memory_bytes.value, 1 << 30);
		assert_string_equal(m->limits.pus.source, "/proc/self/status");
	}
	/* What we wrote ourselves is the system call's answer. */
	root_put(dir, "fettle/affinity", "0,3\n");
	{
		cleanup_machine struct machine *m = read_root(dir);

		assert_list(m->limits.pus_os, "0,3");
		assert_string_equal(m->limits.pus.source, "sched_getaffinity");
	}
	root_put(dir, "fettle/affinity", "9\n");
	assert_refused(dir, "allows us no CPU");
	root_remove(dir);
}

static void replace(const char *dir, const char *path, const char *target)
{
	char whole[256];

	(void)snprintf(whole, sizeof(whole), "%s/%s", dir, path);
	(void)unlink(whole);
	if (target)
		assert_int_equal(symlink(target, whole), 0);
	else
		assert_int_equal(mkfifo(whole, 0600), 0);
}

static void hostile_files_cost_a_refusal_at_most(void **state)
{
	char *const dir = root_make();
	struct machine *machine = NULL;
	struct err err = { 0 };

	(void)state;
	root_put_machine(dir, 2, 4);
	/* Links in circles, and out of the root: the limits come from inside it or from nowhere. */
	replace(dir, "sys/devices/system/cpu/cpu1/loop", "..");
	replace(dir, "sys/devices/system/node/node1/cpumap", "cpumap");
	root_put(dir, "proc/self/x", "");
	replace(dir, "proc/self/status", "/proc/self/status");
	replace(dir, "proc/self/cgroup", "../../../../../../proc/self/cgroup");
	if (machine_read(dir, &machine, &err) == 0) {
		assert_int_equal(machine->limits.quota_milli.state, FACT_UNKNOWN);
		assert_string_equal(machine->limits.pus.source, dir);
		machine_free(machine);
	}
	/* A CPU in two cores, in two nodes; masks without end. */
	root_put(dir, "sys/devices/system/cpu/cpu1/topology/thread_siblings", "ffffffff,ffffffff\n");
	root_put(dir, "sys/devices/system/node/node0/cpumap", "ff\n");
	root_put(dir, "sys/devices/system/cpu/online", "0-99999999999\n");
	machine = NULL;
	if (machine_read(dir, &machine, &err) == 0)
		machine_free(machine);
	root_put(dir, "sys/devices/system/cpu/online", "\xff\xfe\n\n,,--");
	machine = NULL;
	if (machine_read(dir, &machine, &err) == 0)
		machine_free(machine);
	root_remove(dir);
}

/* hwloc would wait for the first, and take the second for a file that is not there. */
static void what_is_no_file_is_refused_by_name(void **state)
{
	static const char *const paths[] = { "sys/devices/system/cpu/online",
					     "sys/devices/system/cpu/cpu1/topology/thread_siblings",
					     "sys/devices/system/node/node1/cpumap", "proc/cpuinfo" };
	static const char *const targets[] = { NULL, "/dev/zero" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths) * ARRAY_SIZE(targets); i++) {
		char *const dir = root_make();
		const char *const path = paths[i / ARRAY_SIZE(targets)];
		cleanup_machine struct machine *machine = NULL;
		struct err err = { 0 };
		char why[128];

		root_put_machine(dir, 2, 4);
		root_put(dir, "proc/cpuinfo", "");
		/* Links to what is not there, to folders and in circles are in every capture. */
		replace(dir, "sys/devices/system/cpu/cpu1/subsystem", "../../../../bus/cpu");
		replace(dir, "sys/devices/system/cpu/cpu1/node1", "../../node/node1");
		replace(dir, "sys/devices/system/cpu/cpu1/loop", "loop");
		if (machine_read(dir, &machine, &err) < 0)
			fail_msg("%s", err.text);
		replace(dir, path, targets[i % ARRAY_SIZE(targets)]);
		(void)snprintf(why, sizeof(why), "'%s' in it is no regular file", path);
		assert_refused(dir, why);
		root_remove(dir);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_root_is_found_where_captures_have_it),
		cmocka_unit_test(what_holds_no_capture_or_several_is_refused),
		cmocka_unit_test(two_captures_in_one_folder_are_not_chosen_from),
		cmocka_unit_test(limits_are_those_of_the_captured_process),
		cmocka_unit_test(hostile_files_cost_a_refusal_at_most),
		cmocka_unit_test(what_is_no_file_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

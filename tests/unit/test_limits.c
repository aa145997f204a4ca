/* SPDX-License-Identifier: Apache-2.0 */
/* Limits read from prepared roots: each test lays out the files of one kind of host. */
#include "root_help.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "machine/limits.h"
#include "machine/machine.h"
#include "machine/mounts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { OUR_PID = 4711 };

struct file {
	const char *path, *content;
};

struct fixture {
	char *dir;
	struct sysroot root;
	struct machine machine;
};

static void put_file(const struct fixture *fixture, const char *path, const char *content)
{
	root_put(fixture->dir, path, content);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct err err = { 0 };

	assert_non_null(fixture);
	fixture->dir = root_make();
	assert_int_equal(sysroot_open(&fixture->root, fixture->dir, &err), 0);
	fixture->machine.limits.pus_os = hwloc_bitmap_alloc();
	assert_non_null(fixture->machine.limits.pus_os);
	assert_int_equal(hwloc_bitmap_set_range(fixture->machine.limits.pus_os, 4, 7), 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	struct machine_limits *limits = &fixture->machine.limits;

	fact_clear(&limits->quota_milli);
	fact_clear(&limits->memory_bytes);
	fact_clear(&limits->isolated);
	hwloc_bitmap_free(limits->pus_os);
	sysroot_close(&fixture->root);
	root_remove(fixture->dir);
	free(fixture);
	return 0;
}

/* Lay the files out and read the cgroup limits. */
#define READ_ROOT(fixture, ...)                                                   \
	do {                                                                      \
		const struct file files_[] = { __VA_ARGS__ };                     \
		for (size_t i_ = 0; i_ < ARRAY_SIZE(files_); i_++)                \
			put_file((fixture), files_[i_].path, files_[i_].content); \
		read_cgroups(fixture);                                            \
	} while (0)

static void read_cgroups(struct fixture *fixture)
{
	struct err err = { 0 };

	cleanup_mounts struct mounts mounts = { NULL };
	const bool known = mounts_read(&fixture->root, &mounts) == 0;

	assert_int_equal(
		cgroup_limits_read(&fixture->root, known ? &mounts : NULL, OUR_PID, &fixture->machine.limits, &err), 0);
}

static void assert_known(const struct fact *fact, uint64_t value, const char *source, const char *raw)
{
	assert_int_equal(fact->state, FACT_KNOWN);
	assert_int_equal(fact->value, value);
	assert_string_equal(fact->source, source);
	assert_string_equal(fact->raw, raw);
}

#define MOUNT_V2   "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n"
#define MOUNT_CPU  "32 31 0:29 / /cg/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
#define MOUNT_MEM  "35 31 0:32 / /cg/memory rw,relatime - cgroup cgroup rw,memory\n"
#define MOUNT_ROOT "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"

static void a_parent_tighter_than_the_group_wins_in_v2(void **state)
{
	struct fixture *f = *state;
	const struct machine_limits *limits = &f->machine.limits;

	READ_ROOT(f, { "/proc/self/cgroup", "0::/pod/app\n" }, { "/proc/self/mountinfo", MOUNT_ROOT MOUNT_V2 },
		  { "/sys/fs/cgroup/pod/app/cpu.max", "800000 100000\n" },
		  { "/sys/fs/cgroup/pod/app/memory.max", "max\n" }, { "/sys/fs/cgroup/pod/cpu.max", "150000 100000\n" },
		  { "/sys/fs/cgroup/pod/memory.max", "1073741824\n" });
	assert_known(&limits->quota_milli, 1500, "/sys/fs/cgroup/pod/cpu.max", "150000 100000");
	assert_known(&limits->memory_bytes, 1 << 30, "/sys/fs/cgroup/pod/memory.max", "1073741824");
}

static void max_everywhere_is_no_limit(void **state)
{
	struct fixture *f = *state;
	const struct machine_limits *limits = &f->machine.limits;

	READ_ROOT(f, { "/proc/self/cgroup", "0::/a\n" }, { "/proc/self/mountinfo", MOUNT_V2 },
		  { "/sys/fs/cgroup/a/cpu.max", "max 100000\n" }, { "/sys/fs/cgroup/a/memory.max", "max\n" });
	assert_int_equal(limits->quota_milli.state, FACT_ABSENT);
	assert_string_equal(limits->quota_milli.source, "/sys/fs/cgroup/a/cpu.max");
	assert_string_equal(limits->quota_milli.raw, "max 100000");
	assert_int_equal(limits->memory_bytes.state, FACT_ABSENT);
}

static void a_group_without_the_controller_inherits_its_parents_limit(void **state)
{
	struct fixture *f = *state;

	READ_ROOT(f, { "/proc/self/cgroup", "0::/a/b\n" }, { "/proc/self/mountinfo", MOUNT_V2 },
		  { "/sys/fs/cgroup/a/b/cgroup.procs", "4711\n" }, { "/sys/fs/cgroup/a/cpu.max", "250000 100000\n" });
	assert_known(&f->machine.limits.quota_milli, 2500, "/sys/fs/cgroup/a/cpu.max", "250000 100000");
	assert_int_equal(f->machine.limits.memory_bytes.state, FACT_ABSENT);
}

static void v1_reads_quota_from_two_files_and_knows_its_words_for_none(void **state)
{
	struct fixture *f = *state;
	const struct machine_limits *limits = &f->machine.limits;

	READ_ROOT(f, { "/proc/self/cgroup", "3:memory:/m\n2:cpuacct,cpu:/q/r\n1:name=systemd:/\n" },
		  { "/proc/self/mountinfo", MOUNT_CPU MOUNT_MEM }, { "/cg/cpu,cpuacct/q/r/cpu.cfs_quota_us", "-1\n" },
		  { "/cg/cpu,cpuacct/q/r/cpu.cfs_period_us", "100000\n" },
		  { "/cg/cpu,cpuacct/q/cpu.cfs_quota_us", "75000\n" },
		  { "/cg/cpu,cpuacct/q/cpu.cfs_period_us", "50000\n" },
		  { "/cg/memory/m/memory.limit_in_bytes", "9223372036854771712\n" });
	assert_known(&limits->quota_milli, 1500, "/cg/cpu,cpuacct/q/cpu.cfs_quota_us", "75000 50000");
	assert_int_equal(limits->memory_bytes.state, FACT_ABSENT);
	assert_string_equal(limits->memory_bytes.raw, "9223372036854771712");
}

static void on_a_hybrid_host_each_controller_is_read_where_it_lives(void **state)
{
	struct fixture *f = *state;
	const struct machine_limits *limits = &f->machine.limits;

	/* The v2 hierarchy has a cpu.max here that governs nothing: v1 took the controller. */
	READ_ROOT(f, { "/proc/self/cgroup", "4:cpu,cpuacct:/q\n0::/u\n" },
		  { "/proc/self/mountinfo", MOUNT_CPU MOUNT_V2 }, { "/cg/cpu,cpuacct/q/cpu.cfs_quota_us", "400000\n" },
		  { "/cg/cpu,cpuacct/q/cpu.cfs_period_us", "100000\n" },
		  { "/sys/fs/cgroup/u/cpu.max", "100000 100000\n" }, { "/sys/fs/cgroup/u/memory.max", "536870912\n" });
	assert_known(&limits->quota_milli, 4000, "/cg/cpu,cpuacct/q/cpu.cfs_quota_us", "400000 100000");
	assert_known(&limits->memory_bytes, 512 << 20, "/sys/fs/cgroup/u/memory.max", "536870912");
}

static void a_container_that_sees_only_its_own_group_maps_the_path(void **state)
{
	struct fixture *f = *state;

	READ_ROOT(f, { "/proc/self/cgroup", "4:cpu:/docker/abc/sub\n" },
		  { "/proc/self/mountinfo", "40 30 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n" },
		  { "/sys/fs/cgroup/cpu/sub/cpu.cfs_quota_us", "-1\n" },
		  { "/sys/fs/cgroup/cpu/sub/cpu.cfs_period_us", "100000\n" },
		  { "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n" },
		  { "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n" });
	assert_known(&f->machine.limits.quota_milli, 3000, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000 100000");
}

static void a_sibling_with_our_path_as_prefix_is_not_ours(void **state)
{
	struct fixture *f = *state;

	READ_ROOT(f, { "/proc/self/cgroup", "4:cpu:/docker/abcdef\n" },
		  { "/proc/self/mountinfo", "40 30 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n" },
		  { "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n" },
		  { "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n" });
	assert_int_equal(f->machine.limits.quota_milli.state, FACT_UNKNOWN);
}

static void inside_a_cgroup_namespace_our_group_is_found_by_our_pid(void **state)
{
	struct fixture *f = *state;

	/* `unshare -C` below /outer/inner, with the host's mounts still in sight. */
	READ_ROOT(f, { "/proc/self/cgroup", "0::/\n" },
		  { "/proc/self/mountinfo", "31 23 0:28 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n" },
		  { "/sys/fs/cgroup/other/inner/cgroup.procs", "1\n47110\n" },
		  { "/sys/fs/cgroup/other/inner/cpu.max", "100000 100000\n" },
		  { "/sys/fs/cgroup/outer/inner/cgroup.procs", "12\n4711\n" },
		  { "/sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n" },
		  { "/sys/fs/cgroup/outer/cpu.max", "700000 100000\n" });
	assert_known(&f->machine.limits.quota_milli, 7000, "/sys/fs/cgroup/outer/cpu.max", "700000 100000");
}

static void a_group_above_the_mount_is_unknown(void **state)
{
	struct fixture *f = *state;

	READ_ROOT(f, { "/proc/self/cgroup", "0::/../elsewhere\n" }, { "/proc/self/mountinfo", MOUNT_V2 },
		  { "/sys/fs/cgroup/cpu.max", "100000 100000\n" });
	assert_int_equal(f->machine.limits.quota_milli.state, FACT_UNKNOWN);
}

static void mount_points_are_unescaped_and_may_be_anywhere(void **state)
{
	struct fixture *f = *state;

	READ_ROOT(f, { "/proc/self/cgroup", "0::/my group\n" },
		  { "/proc/self/mountinfo", "31 23 0:28 / /mnt/a\\040b\\134c rw - cgroup2 none rw\n" },
		  { "/mnt/a b\\c/my group/cpu.max", "120000 100000\n" });
	assert_known(&f->machine.limits.quota_milli, 1200, "/mnt/a b\\c/my group/cpu.max", "120000 100000");
}

static void the_latest_mount_of_a_place_counts(void **state)
{
	struct fixture *f = *state;

	READ_ROOT(f, { "/proc/self/cgroup", "0::/in\n" },
		  { "/proc/self/mountinfo", "31 23 0:28 / /cgroup rw - cgroup2 none rw\n"
					    "50 31 0:28 /in /cgroup rw - cgroup2 none rw\n" },
		  { "/cgroup/cpu.max", "200000 100000\n" }, { "/cgroup/in/cpu.max", "100000 100000\n" });
	assert_known(&f->machine.limits.quota_milli, 2000, "/cgroup/cpu.max", "200000 100000");
}

static void without_proc_or_mounts_limits_are_unknown_not_absent(void **state)
{
	struct fixture *f = *state;
	const struct machine_limits *limits = &f->machine.limits;

	read_cgroups(f);
	assert_int_equal(limits->quota_milli.state, FACT_UNKNOWN);
	assert_string_equal(limits->quota_milli.source, "/proc/self/cgroup");
	put_file(f, "/proc/self/cgroup", "4:cpu:/q\n0::/\n");
	read_cgroups(f);
	assert_string_equal(limits->quota_milli.source, "/proc/self/mountinfo");
	put_file(f, "/proc/self/mountinfo", MOUNT_ROOT "nonsense\n\n1 2 3 - \n");
	read_cgroups(f);
	assert_int_equal(limits->quota_milli.state, FACT_UNKNOWN);
	assert_int_equal(limits->memory_bytes.state, FACT_UNKNOWN);
}

static void a_controller_no_hierarchy_has_cannot_limit(void **state)
{
	struct fixture *f = *state;

	READ_ROOT(f, { "/proc/self/cgroup", "4:cpuset:/\n3:cpuacct:/\n" }, { "/proc/self/mountinfo", MOUNT_ROOT });
	assert_int_equal(f->machine.limits.quota_milli.state, FACT_ABSENT);
	assert_int_equal(f->machine.limits.memory_bytes.state, FACT_ABSENT);
}

static void garbage_is_unknown_and_shown(void **state)
{
	static const char *const garbage[] = { "",         "100000",       "abc 100000", "100000 0",
					       "0 100000", "-2 100000",    "1e5 100000", "99999999999999999999 100000",
					       "100 -100", "100000 1000 1" };
	struct fixture *f = *state;
	const struct machine_limits *limits = &f->machine.limits;

	put_file(f, "/proc/self/cgroup", "0::/a\n");
	put_file(f, "/proc/self/mountinfo", MOUNT_V2);
	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		put_file(f, "/sys/fs/cgroup/a/cpu.max", garbage[i]);
		put_file(f, "/sys/fs/cgroup/a/memory.max", "lots\n");
		read_cgroups(f);
		assert_int_equal(limits->quota_milli.state, FACT_UNKNOWN);
		assert_string_equal(limits->quota_milli.source, "/sys/fs/cgroup/a/cpu.max");
		assert_string_equal(limits->quota_milli.raw, garbage[i]);
		assert_int_equal(limits->memory_bytes.state, FACT_UNKNOWN);
	}
	/* What is known of a higher group still holds. */
	put_file(f, "/sys/fs/cgroup/cpu.max", "300000 100000\n");
	read_cgroups(f);
	assert_known(&limits->quota_milli, 3000, "/sys/fs/cgroup/cpu.max", "300000 100000");
}

static void a_tiny_quota_is_not_zero(void **state)
{
	struct fixture *f = *state;

	READ_ROOT(f, { "/proc/self/cgroup", "0::/\n" }, { "/proc/self/mountinfo", MOUNT_V2 },
		  { "/sys/fs/cgroup/cpu.max", "1000 10000000\n" });
	assert_known(&f->machine.limits.quota_milli, 1, "/sys/fs/cgroup/cpu.max", "1000 10000000");
}

/* Limits of a machine with nodes 0 and 2 and CPUs 0-3, read through `limits_read`. */
static void read_nodes(struct fixture *f, const char *affinity_text, const char *want_pus, const char *want_nodes,
		       enum fact_state want_state)
{
	struct machine_pu pus[] = { { .os = 0 }, { .os = 1 }, { .os = 2 }, { .os = 3 } };
	struct machine_node nodes[] = { { .os = 0 }, { .os = 2 } };
	struct machine *machine = &f->machine;
	cleanup_bitmap hwloc_bitmap_t affinity = NULL;
	cleanup_free char *got_pus = NULL, *got_nodes = NULL;
	struct err err = { 0 };

	if (affinity_text)
		assert_int_equal(cpulist_parse(affinity_text, &affinity, &err), 0);
	machine->pus = pus;
	machine->pu_count = ARRAY_SIZE(pus);
	machine->nodes = nodes;
	machine->node_count = ARRAY_SIZE(nodes);
	hwloc_bitmap_free(machine->limits.pus_os);
	machine->limits.pus_os = hwloc_bitmap_alloc();
	machine->limits.nodes_os = hwloc_bitmap_alloc();
	assert_int_equal(limits_read(&f->root, NULL, affinity, machine, &err), 0);
	got_pus = cpulist_text(machine->limits.pus_os);
	got_nodes = cpulist_text(machine->limits.nodes_os);
	assert_string_equal(got_pus, want_pus);
	assert_string_equal(got_nodes, want_nodes);
	assert_int_equal(machine->limits.nodes.state, want_state);
	assert_int_equal(machine->limits.pus.state, affinity_text ? FACT_KNOWN : FACT_UNKNOWN);
	hwloc_bitmap_free(TAKE(machine->limits.pus_os));
	hwloc_bitmap_free(TAKE(machine->limits.nodes_os));
	fact_clear(&machine->limits.pus);
	fact_clear(&machine->limits.nodes);
}

static void allowed_nodes_are_those_that_exist_and_are_listed(void **state)
{
	struct fixture *f = *state;
	char status[128];

	read_nodes(f, "1-9", "1-3", "0,2", FACT_UNKNOWN);
	put_file(f, "/proc/self/status", "Name:\tx\nMems_allowed:\t3\nMems_allowed_list:\t2-1023\nThreads:\t1\n");
	read_nodes(f, "0,2", "0,2", "2", FACT_KNOWN);
	read_nodes(f, NULL, "0-3", "2", FACT_KNOWN);
	put_file(f, "/proc/self/status", "Name:\tMems_allowed_list:\nThreads:\t1\n");
	read_nodes(f, "0", "0", "0,2", FACT_ABSENT);
	put_file(f, "/proc/self/status", "Mems_allowed_list:\tall\n");
	read_nodes(f, "0", "0", "0,2", FACT_UNKNOWN);
	(void)snprintf(status, sizeof(status), "%s/proc/self/status", f->dir);
	assert_int_equal(unlink(status), 0);
	put_file(f, "/proc/thread-self/status", "Mems_allowed_list:\t0\n");
	read_nodes(f, "0", "0", "0", FACT_KNOWN);
}

static void the_nearest_partition_says_whether_we_are_isolated(void **state)
{
	struct fixture *f = *state;
	const struct fact *isolated = &f->machine.limits.isolated;

	READ_ROOT(f, { "/proc/self/cgroup", "0::/a/b\n" }, { "/proc/self/mountinfo", MOUNT_V2 },
		  { "/sys/fs/cgroup/a/b/cpuset.cpus.partition", "member\n" },
		  { "/sys/fs/cgroup/a/cpuset.cpus.partition", "isolated\n" });
	assert_known(isolated, 1, "/sys/fs/cgroup/a/cpuset.cpus.partition", "isolated");
	READ_ROOT(f, { "/sys/fs/cgroup/a/b/cpuset.cpus.partition", "root\n" });
	assert_int_equal(isolated->state, FACT_ABSENT);
	READ_ROOT(f, { "/sys/fs/cgroup/a/b/cpuset.cpus.partition", "isolated\n" },
		  { "/sys/fs/cgroup/a/cpuset.cpus.partition", "root\n" });
	assert_known(isolated, 1, "/sys/fs/cgroup/a/b/cpuset.cpus.partition", "isolated");
	READ_ROOT(f, { "/sys/fs/cgroup/a/b/cpuset.cpus.partition", "isolated invalid (Cpu list not exclusive)\n" });
	assert_int_equal(isolated->state, FACT_ABSENT);
}

static void v1_is_isolated_where_nothing_above_balances(void **state)
{
	struct fixture *f = *state;
	const struct fact *isolated = &f->machine.limits.isolated;

	READ_ROOT(f, { "/proc/self/cgroup", "4:cpuset:/a/b\n" },
		  { "/proc/self/mountinfo", "32 31 0:29 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n" },
		  { "/cg/cpuset/cpuset.sched_load_balance", "0\n" },
		  { "/cg/cpuset/a/cpuset.sched_load_balance", "0\n" },
		  { "/cg/cpuset/a/b/cpuset.sched_load_balance", "0\n" });
	assert_known(isolated, 1, "/cg/cpuset/a/b/cpuset.sched_load_balance", "0");
	READ_ROOT(f, { "/cg/cpuset/cpuset.sched_load_balance", "1\n" });
	assert_int_equal(isolated->state, FACT_ABSENT);
	READ_ROOT(f, { "/cg/cpuset/a/b/cpuset.sched_load_balance", "1\n" },
		  { "/cg/cpuset/cpuset.sched_load_balance", "0\n" });
	assert_int_equal(isolated->state, FACT_ABSENT);
}

static void the_kernels_list_isolates_only_what_we_may_use(void **state)
{
	static const char path[] = "/sys/devices/system/cpu/isolated";
	struct fixture *f = *state;
	const struct fact *isolated = &f->machine.limits.isolated;

	READ_ROOT(f, { "/proc/self/cgroup", "0::/\n" }, { "/proc/self/mountinfo", MOUNT_V2 }, { path, "2-4,9\n" });
	assert_known(isolated, 1, path, "2-4,9");
	READ_ROOT(f, { path, "0-3\n" });
	assert_int_equal(isolated->state, FACT_ABSENT);
	READ_ROOT(f, { path, "\n" });
	assert_int_equal(isolated->state, FACT_ABSENT);
}

#define ROOT_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOT_TEST(a_parent_tighter_than_the_group_wins_in_v2),
		ROOT_TEST(max_everywhere_is_no_limit),
		ROOT_TEST(a_group_without_the_controller_inherits_its_parents_limit),
		ROOT_TEST(v1_reads_quota_from_two_files_and_knows_its_words_for_none),
		ROOT_TEST(on_a_hybrid_host_each_controller_is_read_where_it_lives),
		ROOT_TEST(a_container_that_sees_only_its_own_group_maps_the_path),
		ROOT_TEST(a_sibling_with_our_path_as_prefix_is_not_ours),
		ROOT_TEST(inside_a_cgroup_namespace_our_group_is_found_by_our_pid),
		ROOT_TEST(a_group_above_the_mount_is_unknown),
		ROOT_TEST(mount_points_are_unescaped_and_may_be_anywhere),
		ROOT_TEST(the_latest_mount_of_a_place_counts),
		ROOT_TEST(without_proc_or_mounts_limits_are_unknown_not_absent),
		ROOT_TEST(a_controller_no_hierarchy_has_cannot_limit),
		ROOT_TEST(garbage_is_unknown_and_shown),
		ROOT_TEST(a_tiny_quota_is_not_zero),
		ROOT_TEST(the_nearest_partition_says_whether_we_are_isolated),
		ROOT_TEST(v1_is_isolated_where_nothing_above_balances),
		ROOT_TEST(the_kernels_list_isolates_only_what_we_may_use),
		ROOT_TEST(allowed_nodes_are_those_that_exist_and_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/observe.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "observe/floats.h"
#include "observe/objects.h"
#include "observe/stat_line.h"
#include "observe_scene.h"
#include "root_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define SECOND 1000000000ULL

struct fixture {
	char *dir;
	struct sysroot root;
	struct observe_request request;
	struct observation *observation;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->dir = root_make();
	fixture->root = (struct sysroot)SYSROOT_INIT;
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	observation_free(fixture->observation);
	sysroot_close(&fixture->root);
	root_remove(fixture->dir);
	free(fixture);
	return 0;
}

static void start(struct fixture *fixture, const int *pids, size_t count)
{
	struct err err = { 0 };

	scene_open(fixture->dir, pids, count, &fixture->root, &fixture->request);
	assert_int_equal(observe_start(&fixture->request, 5 * SECOND, &fixture->observation, &err), 0);
}

static void look(struct fixture *fixture)
{
	struct err err = { 0 };

	assert_int_equal(observe_look(&fixture->request, 6 * SECOND, fixture->observation, &err), 0);
}

static void finish(struct fixture *fixture)
{
	struct err err = { 0 };

	assert_int_equal(observe_finish(&fixture->request, fixture->observation, &err), 0);
}

static const struct observed_process *process(const struct fixture *fixture, pid_t pid)
{
	for (size_t i = 0; i < fixture->observation->process_count; i++) {
		if (fixture->observation->processes[i].pid == pid)
			return &fixture->observation->processes[i];
	}
	return NULL;
}

static void a_thread_name_may_hold_brackets_and_blanks(void **state)
{
	static const char text[] =
		"77 (a) R (b c) S 5 1 1 0 -1 0 0 0 0 0 3 4 5 6 20 0 1 0 900 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 "
		"17 12 0 0 0 0 0";
	struct stat_line line;

	(void)state;
	assert_int_equal(stat_line_parse(text, &line), 0);
	assert_string_equal(line.name, "a) R (b c");
	assert_int_equal(line.id, 77);
	assert_int_equal(line.state, 'S');
	assert_int_equal(line.parent, 5);
	assert_int_equal(line.ticks, 7);
	assert_int_equal(line.child_ticks, 11);
	assert_int_equal(line.started, 900);
	assert_int_equal(line.cpu_os, 12);
	assert_int_equal(stat_line_parse("77 (short) S 5 1", &line), -EINVAL);
	assert_int_equal(stat_line_parse("77 no brackets", &line), -EINVAL);
	assert_int_equal(stat_line_parse("", &line), -EINVAL);
}

static void the_whole_tree_is_seen_and_no_stranger(void **state)
{
	struct fixture *fixture = *state;
	const int pids[] = { 20 };

	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 20, .name = "sh" });
	scene_process(fixture->dir, 20, &(struct scene_thread){ .tid = 40, .name = "python3" });
	/* Numbers wrap around: a child may have a lower one than its parent. */
	scene_process(fixture->dir, 40, &(struct scene_thread){ .tid = 7, .name = "worker" });
	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 50, .name = "stranger", .ticks = 3 });
	start(fixture, pids, 1);
	assert_int_equal(fixture->observation->process_count, 3);
	assert_non_null(process(fixture, 7));
	assert_null(process(fixture, 50));
	assert_int_equal(fixture->observation->neighbour_count, 1);
	assert_string_equal(fixture->observation->neighbours[0].name, "stranger");
}

static void what_a_thread_did_is_the_difference_of_two_looks(void **state)
{
	struct fixture *fixture = *state;
	const int pids[] = { 20 };
	struct scene_thread main = { .tid = 20, .name = "prog", .ticks = 100, .run_ns = SECOND, .wait_ns = 1000 };
	struct scene_thread idle = { .tid = 21, .name = "prog", .ticks = 9 };
	const struct observed_thread *threads;

	scene_process(fixture->dir, 1, &main);
	scene_thread(fixture->dir, 20, &idle);
	start(fixture, pids, 1);
	main.ticks = 140;
	main.run_ns = SECOND + 400000000;
	main.wait_ns = 300001000;
	main.voluntary = 6;
	main.migrations = 2;
	main.allowed = "1";
	main.cpu = 1;
	scene_process(fixture->dir, 1, &main);
	look(fixture);
	threads = process(fixture, 20)->threads;
	assert_int_equal(thread_ran_milli(fixture->observation, &threads[0]), 400);
	assert_int_equal(thread_wanted_milli(fixture->observation, &threads[0]), 700);
	assert_true(thread_computes(fixture->observation, &threads[0]));
	assert_false(thread_computes(fixture->observation, &threads[1]));
	assert_int_equal(threads[0].last.voluntary - threads[0].first.voluntary, 6);
	assert_int_equal(threads[0].last.migrations - threads[0].first.migrations, 2);
	assert_int_equal(threads[0].last.cpu_os, 1);
	assert_int_equal(hwloc_bitmap_weight(threads[0].before_os), 4);
	assert_null(threads[1].before_os);
	assert_int_equal(hwloc_bitmap_weight(threads[0].allowed_os), 1);
	/* One that waited and never ran was not seen to compute. */
	assert_false(threads[1].has_wait);
}

static void what_comes_and_goes_is_marked(void **state)
{
	struct fixture *fixture = *state;
	const int pids[] = { 20 };
	char path[256];

	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 20, .name = "prog" });
	scene_thread(fixture->dir, 20, &(struct scene_thread){ .tid = 21, .name = "old" });
	scene_process(fixture->dir, 20, &(struct scene_thread){ .tid = 30, .name = "child" });
	start(fixture, pids, 1);
	(void)snprintf(path, sizeof(path), "%s/proc/20/task/21/stat", fixture->dir);
	assert_int_equal(remove(path), 0);
	(void)snprintf(path, sizeof(path), "%s/proc/30/stat", fixture->dir);
	assert_int_equal(remove(path), 0);
	scene_thread(fixture->dir, 20,
		     &(struct scene_thread){ .tid = 25, .name = "new", .ticks = 50, .started = 2000 });
	look(fixture);
	assert_true(process(fixture, 30)->gone);
	assert_false(process(fixture, 20)->gone);
	assert_int_equal(process(fixture, 20)->thread_count, 3);
	assert_true(process(fixture, 20)->threads[1].gone);
	/* All that a new thread ever did it did in the window. */
	assert_true(process(fixture, 20)->threads[2].fresh);
	assert_int_equal(thread_ran_milli(fixture->observation, &process(fixture, 20)->threads[2]), 500);
	finish(fixture);
}

static void a_number_used_again_is_another_process(void **state)
{
	struct fixture *fixture = *state;
	const int pids[] = { 20 };

	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 20, .name = "prog" });
	scene_process(fixture->dir, 20, &(struct scene_thread){ .tid = 30, .name = "child", .ticks = 500 });
	start(fixture, pids, 1);
	scene_process(fixture->dir, 1,
		      &(struct scene_thread){ .tid = 30, .name = "other", .ticks = 3, .started = 5000 });
	look(fixture);
	assert_int_equal(fixture->observation->process_count, 2);
	assert_true(process(fixture, 30)->gone);
	assert_string_equal(fixture->observation->neighbours[0].name, "other");
}

static void nobody_there_is_an_error_and_a_file_that_is_refused_is_a_gap(void **state)
{
	struct fixture *fixture = *state;
	const int pids[] = { 20 }, missing[] = { 99 };
	struct observation *none = NULL;
	struct err err = { 0 };
	bool environment = false, maps = false;

	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 20, .name = "prog" });
	scene_open(fixture->dir, missing, 1, &fixture->root, &fixture->request);
	assert_int_equal(observe_start(&fixture->request, 0, &none, &err), -ESRCH);
	assert_null(none);
	sysroot_close(&fixture->root);
	start(fixture, pids, 1);
	look(fixture);
	finish(fixture);
	for (size_t i = 0; i < fixture->observation->gap_count; i++) {
		environment |= strcmp(fixture->observation->gaps[i].path, "/proc/20/environ") == 0;
		maps |= strcmp(fixture->observation->gaps[i].path, "/proc/20/maps") == 0;
		assert_int_equal(fixture->observation->gaps[i].code, -ENOENT);
	}
	assert_true(environment);
	assert_true(maps);
	assert_false(process(fixture, 20)->objects_known);
	assert_false(process(fixture, 20)->owners[SYMBOL_MALLOC].known);
}

#define PLAN_A "FETTLE_PLAN=1;i=0/2;cpus=0-1;mask=0-1;pin=threads;mem=preferred:0;set=OMP_NUM_THREADS"
#define PLAN_B "FETTLE_PLAN=1;i=1/2;cpus=2-3;mask=2-3;pin=threads;mem=none;pre=libjemalloc.so.2;set="

static void instances_are_told_apart_by_the_plan_they_carry(void **state)
{
	static const char a[] = "HOME=/\0" PLAN_A, b[] = PLAN_B;
	struct fixture *fixture = *state;
	const int pids[] = { 10 };
	const struct observed_instance *instances;

	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 10, .name = "fettle" });
	scene_process(fixture->dir, 10, &(struct scene_thread){ .tid = 20, .name = "prog" });
	scene_process(fixture->dir, 10, &(struct scene_thread){ .tid = 30, .name = "prog" });
	scene_process(fixture->dir, 30, &(struct scene_thread){ .tid = 31, .name = "child" });
	scene_process(fixture->dir, 20, &(struct scene_thread){ .tid = 21, .name = "scrubbed" });
	scene_file(fixture->dir, 20, "environ", a, sizeof(a));
	scene_file(fixture->dir, 30, "environ", b, sizeof(b));
	scene_file(fixture->dir, 31, "environ", b, sizeof(b));
	scene_file(fixture->dir, 21, "environ", "HOME=/", sizeof("HOME=/"));
	start(fixture, pids, 1);
	instances = fixture->observation->instances;
	assert_int_equal(fixture->observation->instance_count, 2);
	assert_int_equal(process(fixture, 10)->instance_idx, -1);
	assert_int_equal(process(fixture, 20)->instance_idx, process(fixture, 21)->instance_idx);
	assert_int_equal(process(fixture, 30)->instance_idx, process(fixture, 31)->instance_idx);
	assert_int_equal(instances[0].planned.index, 0);
	assert_int_equal(instances[0].planned.count, 2);
	assert_int_equal(instances[0].planned.pin, PIN_THREADS);
	assert_int_equal(instances[0].planned.memory_policy, MEMORY_PREFERRED);
	assert_true(planned_has(&instances[0].planned.set, "OMP_NUM_THREADS"));
	assert_true(planned_has(&instances[1].planned.preloads, "libjemalloc.so.2"));
	assert_int_equal(instances[1].planned.threads, 2);
}

/* glibc's loader ends each tunable where the ':' was; the file is as it leaves it. */
static void tunables_are_one_variable_again(void **state)
{
	static const char cut[] = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1\0glibc.malloc.top_pad=2\0HOME=/";
	struct fixture *fixture = *state;
	const int pids[] = { 20 };

	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 20, .name = "prog" });
	scene_file(fixture->dir, 20, "environ", cut, sizeof(cut));
	start(fixture, pids, 1);
	assert_string_equal(process(fixture, 20)->environment[0],
			    "GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.top_pad=2");
	assert_string_equal(process(fixture, 20)->environment[1], "HOME=/");
	assert_null(process(fixture, 20)->environment[2]);
}

static void flags_say_who_met_denormals_and_who_flushes(void **state)
{
#if defined(__x86_64__)
	/* As after start, DE and UE, DE; UE of what was flushed; FTZ and DAZ alone. */
	static const struct {
		uint32_t mxcsr;
		bool met, flushes;
	} rows[] = {
		{ 0x1f80, false, false }, { 0x1fa0, false, false }, { 0x1fb2, true, false }, { 0x1f82, true, false },
		{ 0x9ff0, false, true },  { 0x9f90, false, false }, { 0x1fd0, true, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct observed_float one = { .control = rows[i].mxcsr, .status = rows[i].mxcsr };

		float_judge(&one);
		assert_int_equal(one.met, rows[i].met);
		assert_int_equal(one.flushes, rows[i].flushes);
	}
#endif
	(void)state;
}

static void a_tree_without_a_plan_is_one_instance_yet_to_be_inferred(void **state)
{
	struct fixture *fixture = *state;
	const int pids[] = { 10, 50 };

	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 10, .name = "sh" });
	scene_process(fixture->dir, 10, &(struct scene_thread){ .tid = 20, .name = "prog" });
	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 50, .name = "prog" });
	scene_file(fixture->dir, 10, "environ", "FETTLE_PLAN=9;of=the future", sizeof("FETTLE_PLAN=9;of=the future"));
	start(fixture, pids, 2);
	assert_int_equal(fixture->observation->instance_count, 2);
	assert_false(fixture->observation->instances[0].planned.known);
	assert_int_equal(process(fixture, 20)->instance_idx, 0);
	assert_int_equal(process(fixture, 50)->instance_idx, 1);
}

static void libraries_are_what_is_mapped_to_be_run(void **state)
{
	static const char maps[] =
		"55d000000000-55d000001000 r--p 00000000 fd:01 11 /usr/bin/prog\n"
		"55d000001000-55d000002000 r-xp 00001000 fd:01 11 /usr/bin/prog\n"
		"55d100000000-55d100021000 rw-p 00000000 00:00 0 [heap]\n"
		"7f0000000000-7f0000001000 r--p 00000000 fd:01 12 /data/weights with blanks.bin\n"
		"7f0000100000-7f0000101000 r-xp 00000000 fd:01 13 /lib/libgomp.so.1.0.0\n"
		"7f0000101000-7f0000102000 rw-p 00001000 fd:01 13 /lib/libgomp.so.1.0.0\n"
		"7f0000200000-7f0000201000 r-xp 00000000 fd:01 14 /wheel/libgomp-a34b3233.so.1.0.0 (deleted)\n";
	struct fixture *fixture = *state;
	const int pids[] = { 20 };
	const struct observed_process *seen;

	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 20, .name = "prog" });
	scene_file(fixture->dir, 20, "maps", maps, 0);
	start(fixture, pids, 1);
	look(fixture);
	finish(fixture);
	seen = process(fixture, 20);
	assert_true(seen->objects_known);
	assert_int_equal(seen->object_count, 3);
	assert_string_equal(seen->objects[1].library->name, "libgomp");
	assert_int_equal(seen->objects[1].inode, 13);
	assert_int_equal(seen->objects[1].high, 0x7f0000102000);
	assert_int_equal(seen->objects[1].code_end, 0x7f0000101000);
	assert_string_equal(seen->objects[2].path, "/wheel/libgomp-a34b3233.so.1.0.0");
	assert_true(seen->objects[2].deleted);
	assert_int_equal(object_find(seen, "/elsewhere/libgomp.so.1.0.0"), 1);
	assert_int_equal(object_find(seen, "libiomp5.so"), -1);
}

/* A process of a program and libraries, each with the functions in `has`. */
struct owner_scene {
	const char *name;
	bool at_start, gomp, kmpc;
	int order;
};

static struct observed_owner owner(const struct owner_scene *scene, size_t count, bool link_map,
				   enum observed_symbol symbol)
{
	struct observed_object objects[8] = { 0 };
	struct observed_process process = { .objects = objects,
					    .object_count = count,
					    .objects_known = true,
					    .link_map_known = link_map,
					    .program = (char *)"/prog" };
	char *needed[8];
	size_t needs = 0;

	for (size_t i = 0; i < count; i++) {
		objects[i] = (struct observed_object){
			.path = (char *)scene[i].name,
			.order = scene[i].order,
			.symbols_known = true,
			.defines = { [SYMBOL_GOMP] = scene[i].gomp, [SYMBOL_KMPC] = scene[i].kmpc }
		};
		if (i && scene[i].at_start)
			needed[needs++] = (char *)scene[i].name;
	}
	objects[0].needed = (struct words){ .items = needed, .count = needs };
	owners_decide(&process);
	return process.owners[symbol];
}

static void the_first_in_the_loaders_order_answers(void **state)
{
	const struct owner_scene both[] = { { "/prog", true, false, false, 0 },
					    { "/libgomp.so.1", true, true, false, 3 },
					    { "/libiomp5.so", true, true, true, 1 } };
	const struct owner_scene later[] = { { "/prog", true, false, false, 0 },
					     { "/libgomp.so.1", false, true, false, 5 },
					     { "/libc.so.6", true, false, false, 1 } };
	const struct owner_scene two_later[] = { { "/prog", true, false, false, 0 },
						 { "/a/libgomp.so.1", false, true, false, 5 },
						 { "/b/libgomp.so.1", false, true, false, 9 } };
	struct observed_owner found;

	(void)state;
	found = owner(both, 3, true, SYMBOL_GOMP);
	assert_int_equal(found.object_idx, 2);
	assert_true(found.known && found.for_all);
	assert_int_equal(found.definers, 2);
	found = owner(both, 3, false, SYMBOL_GOMP); /* the order may not be read */
	assert_false(found.known);
	assert_int_equal(found.object_idx, -1);
	assert_int_equal(owner(both, 3, false, SYMBOL_KMPC).object_idx, 2);
	found = owner(later, 3, true, SYMBOL_GOMP); /* opened by Python */
	assert_int_equal(found.object_idx, 1);
	assert_false(found.for_all);
	found = owner(two_later, 3, true, SYMBOL_GOMP);
	assert_false(found.known);
	assert_non_null(strstr(found.why, "each for those"));
	found = owner(later, 3, true, SYMBOL_KMPC);
	assert_true(found.known);
	assert_int_equal(found.object_idx, -1);
}

static void pages_are_counted_by_node_and_huge_ones_apart(void **state)
{
	static const char numa[] = "55d0 default heap anon=300 dirty=300 active=0 N0=200 N1=100 kernelpagesize_kB=4\n"
				   "7f00 default file=/lib/x mapped=8 N0=8 kernelpagesize_kB=4\n"
				   "7f10 bind:1 huge anon=2 dirty=2 N1=2 kernelpagesize_kB=2048\n"
				   "7f20 default stack N3\n";
	struct fixture *fixture = *state;
	const int pids[] = { 20 };
	const struct observed_process *seen;

	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 20, .name = "prog" });
	scene_file(fixture->dir, 20, "numa_maps", numa, 0);
	scene_file(fixture->dir, 20, "smaps_rollup",
		   "55d0-7ff0 ---p 0 00:00 0 [rollup]\nAnonHugePages:      4096 kB\nShared_Hugetlb:        0 kB\n"
		   "Private_Hugetlb:     4096 kB\n",
		   0);
	start(fixture, pids, 1);
	finish(fixture);
	seen = process(fixture, 20);
	assert_true(seen->pages_known);
	assert_string_equal(seen->memory_policy, "default");
	assert_int_equal(seen->page_count, 2);
	assert_int_equal(seen->pages[0].anonymous_bytes, 200 * 4096);
	assert_int_equal(seen->pages[0].file_bytes, 8 * 4096);
	assert_int_equal(seen->pages[1].anonymous_bytes, 100 * 4096);
	assert_int_equal(seen->pages[1].huge_bytes, 4 << 20);
	assert_int_equal(seen->huge_bytes.value, 8 << 20);
	assert_int_equal(seen->peak_bytes.value, 300000 * 1024ULL);
}

static void put_cgroup(const struct fixture *fixture, const char *mountinfo, const char *memberships)
{
	root_put(fixture->dir, "proc/self/mountinfo", mountinfo);
	scene_file(fixture->dir, 20, "cgroup", memberships, 0);
	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 20, .name = "prog" });
}

static void throttling_is_read_from_the_processs_own_group_v2(void **state)
{
	static const char mounts[] = "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
	struct fixture *fixture = *state;
	const int pids[] = { 20 };
	const struct observed_cgroup *cgroup;

	put_cgroup(fixture, mounts, "0::/pod/box\n");
	root_put(fixture->dir, "sys/fs/cgroup/pod/box/cpu.max", "max 100000\n");
	root_put(fixture->dir, "sys/fs/cgroup/pod/box/memory.events", "low 0\noom_kill 1\n");
	root_put(fixture->dir, "sys/fs/cgroup/pod/box/memory.stat", "anon 5000\nfile 90000\n");
	root_put(fixture->dir, "sys/fs/cgroup/pod/box/memory.max", "6000\n");
	root_put(fixture->dir, "sys/fs/cgroup/pod/cpu.max", "150000 100000\n");
	root_put(fixture->dir, "sys/fs/cgroup/pod/cpu.stat", "nr_periods 10\nnr_throttled 4\nthrottled_usec 7\n");
	start(fixture, pids, 1);
	root_put(fixture->dir, "sys/fs/cgroup/pod/cpu.stat", "nr_periods 20\nnr_throttled 9\nthrottled_usec 50\n");
	look(fixture);
	finish(fixture);
	cgroup = &fixture->observation->instances[0].cgroup;
	assert_int_equal(cgroup->quota_milli.value, 1500);
	assert_int_equal(cgroup->periods[1].value - cgroup->periods[0].value, 10);
	assert_int_equal(cgroup->throttled[1].value - cgroup->throttled[0].value, 5);
	assert_int_equal(cgroup->throttled_ns[1].value - cgroup->throttled_ns[0].value, 43000);
	assert_int_equal(cgroup->used_bytes.value, 5000);
	assert_int_equal(cgroup->memory_limit_bytes.value, 6000);
	assert_int_equal(cgroup->ooms[0].value, 1);
}

static void throttling_is_read_from_the_processs_own_group_v1(void **state)
{
	static const char mounts[] = "30 20 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
				     "31 20 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
	struct fixture *fixture = *state;
	const int pids[] = { 20 };
	const struct observed_cgroup *cgroup;

	put_cgroup(fixture, mounts, "2:memory:/box\n1:cpu,cpuacct:/box\n");
	root_put(fixture->dir, "sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "100000\n");
	root_put(fixture->dir, "sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
	root_put(fixture->dir, "sys/fs/cgroup/cpu/box/cpu.stat", "nr_periods 10\nnr_throttled 0\nthrottled_time 0\n");
	root_put(fixture->dir, "sys/fs/cgroup/memory/box/memory.stat", "rss 1\ntotal_rss 77\n");
	start(fixture, pids, 1);
	root_put(fixture->dir, "sys/fs/cgroup/cpu/box/cpu.stat", "nr_periods 20\nnr_throttled 9\nthrottled_time 50\n");
	look(fixture);
	finish(fixture);
	cgroup = &fixture->observation->instances[0].cgroup;
	assert_int_equal(cgroup->quota_milli.value, 1000);
	assert_int_equal(cgroup->throttled[1].value - cgroup->throttled[0].value, 9);
	assert_int_equal(cgroup->throttled_ns[1].value, 50);
	assert_int_equal(cgroup->used_bytes.value, 77);
}

static void cpu_times_clocks_and_the_online_mask_are_read(void **state)
{
	static const char plan[] = PLAN_A;
	struct fixture *fixture = *state;
	const int pids[] = { 20 };
	const struct observation *seen;

	scene_cpus(fixture->dir, 4, 100, 200, 5);
	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 20, .name = "prog" });
	scene_file(fixture->dir, 20, "environ", plan, sizeof(plan));
	root_put(fixture->dir, "sys/devices/system/cpu/online", "0,2-3\n");
	root_put(fixture->dir, "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "1200000\n");
	root_put(fixture->dir, "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
	root_put(fixture->dir, "sys/devices/system/cpu/cpu2/cpufreq/scaling_max_freq", "1\n");
	root_put(fixture->dir, "proc/sys/kernel/numa_balancing", "1\n");
	root_put(fixture->dir, "proc/pressure/cpu", "some avg10=1.25 avg60=0.00 avg300=0.00 total=7\n");
	start(fixture, pids, 1);
	scene_cpus(fixture->dir, 3, 190, 205, 10);
	look(fixture);
	finish(fixture);
	seen = fixture->observation;
	assert_int_equal(seen->cpu_count, 4);
	assert_int_equal(seen->cpus[0].busy[1] - seen->cpus[0].busy[0], 90);
	assert_int_equal(seen->cpus[0].steal[1] - seen->cpus[0].steal[0], 5);
	assert_false(seen->cpus[3].seen[1]);
	assert_int_equal(seen->cpus[0].cap_khz.value, 1200000);
	assert_string_equal(seen->cpus[0].governor, "powersave");
	assert_int_equal(seen->cpus[0].now_khz.state, FACT_ABSENT);
	assert_int_equal(seen->cpus[2].cap_khz.state, FACT_UNKNOWN); /* in no plan: not read */
	assert_false(hwloc_bitmap_isset(seen->online_os, 1));
	assert_int_equal(seen->numa_balancing.value, 1);
	assert_int_equal(seen->pressure_cpu.value, 1250);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_name_may_hold_brackets_and_blanks),
		TEST(the_whole_tree_is_seen_and_no_stranger),
		TEST(what_a_thread_did_is_the_difference_of_two_looks),
		TEST(what_comes_and_goes_is_marked),
		TEST(a_number_used_again_is_another_process),
		TEST(nobody_there_is_an_error_and_a_file_that_is_refused_is_a_gap),
		TEST(instances_are_told_apart_by_the_plan_they_carry),
		TEST(a_tree_without_a_plan_is_one_instance_yet_to_be_inferred),
		TEST(tunables_are_one_variable_again),
		cmocka_unit_test(flags_say_who_met_denormals_and_who_flushes),
		TEST(libraries_are_what_is_mapped_to_be_run),
		cmocka_unit_test(the_first_in_the_loaders_order_answers),
		TEST(pages_are_counted_by_node_and_huge_ones_apart),
		TEST(throttling_is_read_from_the_processs_own_group_v2),
		TEST(throttling_is_read_from_the_processs_own_group_v1),
		TEST(cpu_times_clocks_and_the_online_mask_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Looking on, window after window, at instances that somebody started and told of. */
#include "observe/observe.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "observe_scene.h"
#include "root_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define SECOND 1000000000ULL

enum { OBSERVER = 5, INSTANCES = 2 };

struct fixture {
	char *dir;
	struct sysroot root;
	pid_t pids[INSTANCES];
	struct planned planned[INSTANCES];
	struct observe_request request;
	struct observation *observation;
	unsigned looks;
};

static hwloc_bitmap_t set_of(const char *list)
{
	hwloc_bitmap_t set = NULL;
	struct err err = { 0 };

	assert_int_equal(cpulist_parse(list, &set, &err), 0);
	return set;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->dir = root_make();
	for (unsigned i = 0; i < INSTANCES; i++)
		fixture->planned[i] = (struct planned){ .known = true,
							.index = i + 3,
							.count = 9,
							.threads = 2,
							.pus_os = set_of("0-1"),
							.mask_os = set_of("0-1"),
							.nodes_os = hwloc_bitmap_alloc() };
	scene_open(fixture->dir, fixture->pids, INSTANCES, &fixture->root, &fixture->request);
	fixture->request.planned = fixture->planned;
	fixture->request.observer = OBSERVER;
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	observation_free(fixture->observation);
	for (unsigned i = 0; i < INSTANCES; i++)
		planned_clear(&fixture->planned[i]);
	sysroot_close(&fixture->root);
	root_remove(fixture->dir);
	free(fixture);
	return 0;
}

/* Each look is a second after the one before. */
static void look(struct fixture *fixture)
{
	const uint64_t now_ns = ++fixture->looks * SECOND;
	struct err err = { 0 };

	if (fixture->observation)
		assert_int_equal(observe_look(&fixture->request, now_ns, fixture->observation, &err), 0);
	else
		assert_int_equal(observe_start(&fixture->request, now_ns, &fixture->observation, &err), 0);
}

static void end(const struct fixture *fixture, int pid)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -r %s/proc/%d", fixture->dir, pid);
	assert_int_equal(system(command), 0);
}

static const struct observed_process *process(const struct fixture *fixture, pid_t pid)
{
	for (size_t i = 0; i < fixture->observation->process_count; i++) {
		if (fixture->observation->processes[i].pid == pid)
			return &fixture->observation->processes[i];
	}
	return NULL;
}

static const struct observed_instance *instance_of(const struct fixture *fixture, pid_t pid)
{
	return &fixture->observation->instances[process(fixture, pid)->instance_idx];
}

static void an_instance_is_what_it_was_told_to_be(void **state)
{
	static const char other[] = "FETTLE_PLAN=1;i=7/8;cpus=4;mask=4;pin=threads;mem=none;set=";
	struct fixture *fixture = *state;

	fixture->pids[0] = 20;
	fixture->pids[1] = 30;
	scene_process(fixture->dir, OBSERVER, &(struct scene_thread){ .tid = 20, .name = "one" });
	scene_process(fixture->dir, OBSERVER, &(struct scene_thread){ .tid = 30, .name = "two" });
	/* A nested fettle's plan is within its instance's. */
	scene_process(fixture->dir, 20, &(struct scene_thread){ .tid = 21, .name = "nested" });
	scene_file(fixture->dir, 21, "environ", other, sizeof(other));
	look(fixture);
	assert_int_equal(fixture->observation->instance_count, 2);
	assert_int_equal(instance_of(fixture, 20)->planned.index, 3);
	assert_int_equal(instance_of(fixture, 30)->planned.index, 4);
	assert_int_equal(instance_of(fixture, 21)->planned.index, 3);
	assert_true(hwloc_bitmap_isequal(instance_of(fixture, 20)->planned.mask_os, fixture->planned[0].mask_os));
}

static void who_came_to_the_observer_tells_its_instance_itself(void **state)
{
	static const char record[] = "FETTLE_PLAN=1;i=4/9;cpus=0;mask=0;pin=threads;mem=none;set=";
	struct fixture *fixture = *state;

	fixture->pids[1] = 30;
	scene_process(fixture->dir, OBSERVER, &(struct scene_thread){ .tid = 30, .name = "two" });
	scene_process(fixture->dir, OBSERVER, &(struct scene_thread){ .tid = 44, .name = "orphan" });
	scene_file(fixture->dir, 44, "environ", record, sizeof(record));
	scene_process(fixture->dir, OBSERVER, &(struct scene_thread){ .tid = 45, .name = "hidden" });
	look(fixture);
	assert_int_equal(fixture->observation->instance_count, 1);
	assert_int_equal(instance_of(fixture, 44)->planned.index, 4);
	assert_int_equal(process(fixture, 45)->instance_idx, -1);
}

static void another_life_is_the_same_instance(void **state)
{
	struct fixture *fixture = *state;

	fixture->pids[0] = 20;
	scene_process(fixture->dir, OBSERVER, &(struct scene_thread){ .tid = 20, .name = "one" });
	look(fixture);
	end(fixture, 20);
	fixture->pids[0] = 0;
	look(fixture);
	assert_true(fixture->observation->instances[0].ended);
	observe_roll(fixture->observation);
	fixture->pids[0] = 33;
	scene_process(fixture->dir, OBSERVER, &(struct scene_thread){ .tid = 33, .name = "one" });
	look(fixture);
	assert_int_equal(fixture->observation->instance_count, 1);
	assert_false(fixture->observation->instances[0].ended);
	assert_int_equal(fixture->observation->processes[fixture->observation->instances[0].root_idx].pid, 33);
	observe_roll(fixture->observation);
	look(fixture);
	assert_null(process(fixture, 20)); /* nobody stands on it any more */
	assert_int_equal(instance_of(fixture, 33)->planned.index, 3);
}

/* oneMKL goes to each CPU in turn and returns; a program that binds itself stays. */
static void cpus_settle_when_they_stay(void **state)
{
	struct fixture *fixture = *state;
	struct scene_thread main = { .tid = 20, .name = "one", .run_ns = SECOND, .wait_ns = 1 };
	const struct observed_thread *thread;

	fixture->pids[0] = 20;
	scene_process(fixture->dir, OBSERVER, &main);
	look(fixture);
	assert_false(thread_is_settled(&process(fixture, 20)->threads[0]));
	main.allowed = "1";
	main.run_ns += SECOND / 2;
	main.state = 'R';
	scene_process(fixture->dir, OBSERVER, &main);
	look(fixture);
	assert_true(observation_is_unsettled(fixture->observation));
	observe_roll(fixture->observation);
	look(fixture); /* it waits for a CPU, on its way */
	thread = &process(fixture, 20)->threads[0];
	assert_non_null(thread->before_os);
	assert_false(thread_is_settled(thread));
	main.state = 'S';
	main.run_ns += SECOND / 2;
	scene_process(fixture->dir, OBSERVER, &main);
	look(fixture);
	thread = &process(fixture, 20)->threads[0];
	assert_non_null(thread->before_os);
	assert_true(thread_is_settled(thread));
	assert_false(observation_is_unsettled(fixture->observation));
	observe_roll(fixture->observation);
	assert_null(process(fixture, 20)->threads[0].before_os);
	look(fixture); /* it sleeps: it stays where it is */
	assert_true(thread_is_settled(&process(fixture, 20)->threads[0]));
}

static void a_new_window_begins_where_the_last_ended(void **state)
{
	struct fixture *fixture = *state;
	struct scene_thread main = { .tid = 20, .name = "one", .run_ns = SECOND, .wait_ns = 1 };
	struct scene_thread worker = { .tid = 22, .name = "one", .run_ns = SECOND, .wait_ns = 1 };
	char path[64];

	fixture->pids[0] = 20;
	scene_process(fixture->dir, OBSERVER, &main);
	scene_thread(fixture->dir, 20, &worker);
	scene_process(fixture->dir, 20, &(struct scene_thread){ .tid = 21, .name = "child" });
	scene_process(fixture->dir, 1, &(struct scene_thread){ .tid = 60, .name = "stranger", .ticks = 3 });
	look(fixture);
	main.run_ns = 2 * SECOND;
	scene_process(fixture->dir, OBSERVER, &main);
	end(fixture, 21);
	end(fixture, 60);
	(void)snprintf(path, sizeof(path), "rm -r %.40s/proc/20/task/22", fixture->dir);
	assert_int_equal(system(path), 0);
	look(fixture);
	assert_int_equal(thread_ran_milli(fixture->observation, &process(fixture, 20)->threads[0]), 1000);
	assert_int_equal(process(fixture, 20)->thread_count, 2);
	observe_roll(fixture->observation);
	assert_null(process(fixture, 21));
	assert_int_equal(process(fixture, 20)->thread_count, 1);
	assert_int_equal(fixture->observation->neighbour_count, 0);
	assert_int_equal(observation_window_ns(fixture->observation), 0);
	main.run_ns += SECOND / 4;
	scene_process(fixture->dir, OBSERVER, &main);
	look(fixture);
	assert_int_equal(observation_window_ns(fixture->observation), SECOND);
	assert_int_equal(thread_ran_milli(fixture->observation, &process(fixture, 20)->threads[0]), 250);
}

static void what_is_known_of_an_ended_process_is_kept(void **state)
{
	static const char command[] = "prog\0--serve";
	struct fixture *fixture = *state;
	struct err err = { 0 };
	bool read = false;
	size_t gaps;

	fixture->pids[0] = 20;
	scene_process(fixture->dir, OBSERVER, &(struct scene_thread){ .tid = 20, .name = "prog" });
	scene_file(fixture->dir, 20, "cmdline", command, sizeof(command));
	scene_file(fixture->dir, 20, "environ", "A=1", 4);
	scene_file(fixture->dir, 20, "maps",
		   "1000-2000 r-xp 00000000 fd:01 11 /bin/prog\n3000-4000 r-xp 00000000 fd:01 12 /lib/libgomp.so.1\n",
		   0);
	look(fixture);
	assert_int_equal(observe_refresh(&fixture->request, fixture->observation, 0, &read, &err), 0);
	assert_true(read);
	assert_int_equal(process(fixture, 20)->object_count, 2);
	gaps = fixture->observation->gap_count;
	scene_file(fixture->dir, 20, "cmdline", "", 0); /* a zombie's is empty */
	scene_file(fixture->dir, 20, "maps", "", 0);
	assert_int_equal(observe_refresh(&fixture->request, fixture->observation, 0, &read, &err), 0);
	assert_false(read);
	assert_int_equal(process(fixture, 20)->object_count, 2);
	assert_string_equal(process(fixture, 20)->command, "prog --serve");
	assert_int_equal(fixture->observation->gap_count, gaps);
	/* And again where it goes on. */
	scene_file(fixture->dir, 20, "cmdline", command, sizeof(command));
	scene_file(fixture->dir, 20, "maps", "1000-2000 r-xp 00000000 fd:01 11 /bin/prog\n", 0);
	assert_int_equal(observe_refresh(&fixture->request, fixture->observation, 0, &read, &err), 0);
	assert_true(read);
	assert_int_equal(process(fixture, 20)->object_count, 1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(an_instance_is_what_it_was_told_to_be),
		TEST(who_came_to_the_observer_tells_its_instance_itself),
		TEST(another_life_is_the_same_instance),
		TEST(cpus_settle_when_they_stay),
		TEST(a_new_window_begins_where_the_last_ended),
		TEST(what_is_known_of_an_ended_process_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

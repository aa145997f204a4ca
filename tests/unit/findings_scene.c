/* SPDX-License-Identifier: Apache-2.0 */
#include "findings_scene.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "target/library_names.h"
#include "target/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <assert.h>
#include <string.h>

static hwloc_bitmap_t set_of(const char *list)
{
	hwloc_bitmap_t set = NULL;
	struct err err = { 0 };

	assert_int_equal(cpulist_parse(list, &set, &err), 0);
	return set;
}

void scene_set_thread(struct findings_scene *scene, unsigned process, unsigned thread, const char *allowed,
		      unsigned cpu, unsigned ran, unsigned waited)
{
	struct observed_thread *one = &scene->threads[process][thread];

	hwloc_bitmap_free(one->allowed_os);
	*one = (struct observed_thread){ .tid = (pid_t)(100 * (process + 1) + thread),
					 .name = "prog",
					 .state = 'R',
					 .allowed_os = set_of(allowed),
					 .held_to_ns = 1000000000,
					 .has_wait = true,
					 .has_switches = true,
					 .has_migrations = true,
					 .pool = thread ? POOL_GOMP : POOL_UNKNOWN };
	one->first = (struct thread_counters){ .run_ns = 1000000, .wait_ns = 1000000, .cpu_os = cpu };
	one->last = one->first;
	one->last.run_ns += ran * 1000000ULL;
	one->last.wait_ns += waited * 1000000ULL;
	if (scene->processes[process].thread_count <= thread)
		scene->processes[process].thread_count = thread + 1;
}

void scene_variable(struct findings_scene *scene, char *word)
{
	size_t i = 0;

	while (scene->environment[i])
		i++;
	assert_true(i + 1 < ARRAY_SIZE(scene->environment));
	scene->environment[i] = word;
}

void scene_object(struct findings_scene *scene, unsigned object, char *path, bool has_malloc, bool gomp, bool kmpc)
{
	struct observed_process *main = &scene->processes[0];

	scene->objects[object] = (struct observed_object){
		.path = path,
		.soname = (char *)tree_name(path),
		.device = "fd:01",
		.inode = object + 1,
		.symbols_known = true,
		.defines = { [SYMBOL_MALLOC] = has_malloc, [SYMBOL_GOMP] = gomp, [SYMBOL_KMPC] = kmpc },
		.library = library_name_find(tree_name(path)),
	};
	if (main->object_count <= object)
		main->object_count = object + 1;
}

void scene_owner(struct findings_scene *scene, enum observed_symbol symbol, int object, bool for_all, unsigned definers)
{
	scene->processes[0].owners[symbol] = (struct observed_owner){
		.object_idx = object, .known = true, .for_all = for_all, .definers = definers
	};
}

static void begin_process(struct findings_scene *scene)
{
	struct observed_process *main = &scene->processes[0];

	for (unsigned i = 0; i < SCENE_PROCESSES; i++)
		scene->processes[i] = (struct observed_process){ .pid = (pid_t)(100 * (i + 1)),
								 .parent = i ? 100 : 1,
								 .name = "prog",
								 .threads = scene->threads[i],
								 .instance_idx = 0 };
	main->deep = true;
	main->objects_known = true;
	main->link_map_known = true;
	main->objects = scene->objects;
	main->environment = scene->environment;
	main->preloads = scene->preloads;
	main->pages = scene->pages;
	scene_object(scene, 0, (char *)"/usr/bin/prog", false, false, false);
	scene_object(scene, 1, (char *)"/lib/libc.so.6", true, false, false);
	scene_object(scene, 2, (char *)"/lib/libgomp.so.1", false, true, false);
	scene_owner(scene, SYMBOL_MALLOC, 1, true, 1);
	scene_owner(scene, SYMBOL_GOMP, 2, true, 1);
	scene_owner(scene, SYMBOL_KMPC, -1, false, 0);
	assert_int_equal(fact_set(&main->rss_bytes, FACT_KNOWN, 200 << 20, "/proc/100/status VmRSS", NULL), 0);
	assert_int_equal(fact_set(&main->anonymous_bytes, FACT_KNOWN, 150 << 20, "/proc/100/status RssAnon", NULL), 0);
	assert_int_equal(fact_set(&main->huge_bytes, FACT_KNOWN, 0, "/proc/100/smaps_rollup", NULL), 0);
}

void scene_begin(struct findings_scene *scene)
{
	struct err err = { 0 };

	*scene = (struct findings_scene){ .machine = NULL };
	/*
	 * numa:2 pack:1 would number siblings next to each other; the second threads are 8 to 15. As a list, since
	 * hwloc 2.9 reads "indexes=core:pu" with memory that it has not set.
	 */
	assert_int_equal(machine_read("synthetic:pack:2 numa:1(memory=8GB) core:4 "
				      "pu:2(indexes=0,8,1,9,2,10,3,11,4,12,5,13,6,14,7,15)",
				      &scene->machine, &err),
			 0);
	begin_process(scene);
	scene->observation = (struct observation){ .first_ns = 0,
						   .last_ns = 1000000000,
						   .looks = 2,
						   .ticks_per_s = 100,
						   .processes = scene->processes,
						   .process_count = 1,
						   .instances = scene->instances,
						   .instance_count = 1,
						   .cpus = scene->cpus,
						   .cpu_count = 16,
						   .online_os = set_of("0-15") };
	scene->instances[0].planned = (struct planned){ .known = true,
							.count = 1,
							.pus_os = set_of("0-3"),
							.mask_os = set_of("0-3"),
							.threads = 4,
							.pin = PIN_THREADS,
							.memory_policy = MEMORY_BIND,
							.nodes_os = set_of("0") };
	for (unsigned i = 0; i < 16; i++)
		scene->cpus[i] = (struct observed_cpu){
			.os = i, .seen = { true, true }, .busy = { 0, i < 4 ? 99 : 0 }, .idle = { 0, i < 4 ? 1 : 100 }
		};
	for (unsigned i = 0; i < 4; i++) {
		const char list[] = { (char)('0' + i), '\0' };

		scene_set_thread(scene, 0, i, list, i, 990, 0);
	}
}

static void clear_cgroup(struct observed_cgroup *cgroup)
{
	struct fact *const facts[] = { &cgroup->quota_milli,     &cgroup->memory_limit_bytes,
				       &cgroup->used_bytes,      &cgroup->periods[0],
				       &cgroup->periods[1],      &cgroup->throttled[0],
				       &cgroup->throttled[1],    &cgroup->throttled_ns[0],
				       &cgroup->throttled_ns[1], &cgroup->ooms[0],
				       &cgroup->ooms[1] };

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		fact_clear(facts[i]);
	hwloc_bitmap_free(cgroup->cpuset_os);
}

void scene_end(struct findings_scene *scene)
{
	for (unsigned i = 0; i < SCENE_PROCESSES; i++) {
		struct observed_process *process = &scene->processes[i];

		for (unsigned k = 0; k < SCENE_THREADS; k++)
			hwloc_bitmap_free(scene->threads[i][k].allowed_os);
		fact_clear(&process->rss_bytes);
		fact_clear(&process->peak_bytes);
		fact_clear(&process->swap_bytes);
		fact_clear(&process->anonymous_bytes);
		fact_clear(&process->huge_bytes);
		fact_clear(&process->kept_bytes);
		fact_clear(&process->numa_faults);
	}
	for (unsigned i = 0; i < 2; i++) {
		planned_clear(&scene->instances[i].planned);
		clear_cgroup(&scene->instances[i].cgroup);
	}
	for (unsigned i = 0; i < 16; i++) {
		fact_clear(&scene->cpus[i].now_khz);
		fact_clear(&scene->cpus[i].cap_khz);
		fact_clear(&scene->cpus[i].hardware_khz);
	}
	fact_clear(&scene->observation.cpu_flags);
	fact_clear(&scene->observation.numa_balancing);
	hwloc_bitmap_free(scene->observation.online_os);
	machine_free(scene->machine);
}

const struct finding *scene_judge(const struct findings_scene *scene, const char *id, struct report **ret_report)
{
	const struct report_input input = { .machine = scene->machine, .observation = &scene->observation };
	struct err err = { 0 };

	assert_int_equal(report_make(&input, ret_report, &err), 0);
	for (size_t i = 0; i < (*ret_report)->finding_count; i++) {
		if (strcmp((*ret_report)->findings[i].id, id) == 0)
			return &(*ret_report)->findings[i];
	}
	return NULL;
}

void scene_expect(const struct findings_scene *scene, const char *id, const char *text)
{
	cleanup_report struct report *report = NULL;
	const struct finding *finding = scene_judge(scene, id, &report);

	for (size_t i = 0; i < report->finding_count; i++) {
		if (strcmp(report->findings[i].id, id) != 0)
			fail_msg("%s speaks too: %s", report->findings[i].id, report->findings[i].text);
	}
	if (!finding)
		fail_msg("%s is silent", id);
	assert(finding); /* the analyser does not know that fail_msg() does not return */
	if (!strstr(finding->text, text))
		fail_msg("%s says: %s", id, finding->text);
	assert_true(finding->evidence.count > 0);
	assert_non_null(finding->remedy);
	assert_null(strstr(finding->remedy, "{}"));
}

void scene_expect_nothing(const struct findings_scene *scene)
{
	cleanup_report struct report *report = NULL;

	(void)scene_judge(scene, "", &report);
	for (size_t i = 0; i < report->finding_count; i++)
		fail_msg("%s speaks: %s", report->findings[i].id, report->findings[i].text);
}

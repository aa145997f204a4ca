/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A healthy program of four pinned threads as it would be observed on a machine of two nodes with four cores of two
 * threads each; tests make one thing wrong.
 */
#pragma once

#include "machine/machine.h"
#include "observe/observation.h"
#include "report/findings.h"

#include <stdbool.h>

enum { SCENE_THREADS = 8, SCENE_OBJECTS = 6, SCENE_PROCESSES = 3 };

struct findings_scene {
	struct machine *machine; /* CPUs 0-3 and their siblings 8-11 are node 0, 4-7 and 12-15 node 1 */
	struct observation observation;
	struct observed_process processes[SCENE_PROCESSES]; /* one is there, until `observation.process_count` grows */
	struct observed_thread threads[SCENE_PROCESSES][SCENE_THREADS];
	struct observed_object objects[SCENE_OBJECTS];
	struct observed_instance instances[2];
	struct observed_cpu cpus[16];
	struct observed_preload preloads[2];
	struct observed_pages pages[2];
	struct observed_neighbour neighbour;
	char *environment[8]; /* NULL-terminated; strings are the test's */
};

/* The instance: CPUs 0-3, pinned, memory bound to node 0; threads 100 to 103 compute there under libgomp. */
void scene_begin(struct findings_scene *scene);
void scene_end(struct findings_scene *scene);

/* A thread of a process: which CPUs it may use, and what of the window (a second) it ran and waited, in thousandths. */
void scene_set_thread(struct findings_scene *scene, unsigned process, unsigned thread, const char *allowed,
		      unsigned cpu, unsigned ran, unsigned waited);

/* Give the main process one more variable. */
void scene_variable(struct findings_scene *scene, char *word);

/* The library at `object`: its path, and which functions it has. Who answers is left to the test. */
void scene_object(struct findings_scene *scene, unsigned object, char *path, bool has_malloc, bool gomp, bool kmpc);

/* `symbol` is answered by the object (-1: nobody) for all code, or only for those opened with it. */
void scene_owner(struct findings_scene *scene, enum observed_symbol symbol, int object, bool for_all,
		 unsigned definers);

/* Judge. The finding of this id, or NULL; `*ret_report` is for report_free(). */
const struct finding *scene_judge(const struct findings_scene *scene, const char *id, struct report **ret_report);

/* Nothing at all is found, or nothing but `id`. */
void scene_expect(const struct findings_scene *scene, const char *id, const char *text);
void scene_expect_nothing(const struct findings_scene *scene);

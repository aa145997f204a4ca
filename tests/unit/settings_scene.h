/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine, a plan and a workload made by hand, for tests of src/settings: every
 * test starts from scene_setup() and changes what it is about.
 */
#pragma once

#include "base/err.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "settings/rule.h"
#include "settings/settings.h"
#include "target/target.h"

enum { SCENE_INSTANCES = 4, SCENE_LIST = 12 };

struct scene {
	struct machine machine;
	struct target target; /* a 64-bit glibc program */
	struct workload workload;
	struct plan plan;
	struct plan_instance instances[SCENE_INSTANCES]; /* 0 on CPUs 0-3, 1 on CPUs 4-7 ...; memory from node 0 */
	unsigned places[SCENE_INSTANCES][SCENE_LIST];
	const char *environment[SCENE_LIST + 1];
	const char *set[SCENE_LIST], *unset[SCENE_LIST], *without[SCENE_LIST];
	struct settings *settings;
	struct err err;
};

#define SCENE_AGENT "/opt/fettle/libfettle-agent.so"

int scene_setup(void **state);
int scene_teardown(void **state);

/* How many of the four instances the plan has, and how they are pinned. */
void scene_instances(struct scene *scene, size_t count, enum pin pin);

/* Forget what was decided, keep what it was decided from. */
void scene_forget(struct scene *scene);

/* Decide anew; what settings_make() returns. */
int scene_decide(struct scene *scene);

/* Decide with this environment (NULL: none), which must work out. */
void scene_decide_in(struct scene *scene, const char *first, const char *second);

/* The row that counts for the instance (NULL: none), its value ("(none)"), and how many rows have the name. */
const struct setting *row_of(const struct scene *scene, const char *name, unsigned instance);
const char *value_of(const struct scene *scene, const char *name, unsigned instance);
size_t rows_of(const struct scene *scene, const char *name);

/* The text of the first note with this id, or NULL. */
const char *note(const struct plan_notes *notes, const char *id);

/* The instance's program sees the variable once, with this value; NULL: not at all. */
void assert_seen(const struct scene *scene, unsigned instance, const char *name, const char *expected);

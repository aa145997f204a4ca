/* SPDX-License-Identifier: Apache-2.0 */
#include "settings_scene.h"

#include "base/cleanup.h"
#include "plan/notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

void scene_forget(struct scene *scene)
{
	settings_free(TAKE(scene->settings));
	plan_notes_clear(&scene->plan.reasons);
	plan_notes_clear(&scene->plan.warnings);
	scene->err = (struct err){ 0 };
}

void scene_instances(struct scene *scene, size_t count, enum pin pin)
{
	scene->plan.instance_count = count;
	for (unsigned i = 0; i < count; i++)
		scene->instances[i].pin = pin;
}

int scene_setup(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	if (!scene)
		return -1;
	for (unsigned i = 0; i < SCENE_INSTANCES; i++) {
		struct plan_instance *instance = &scene->instances[i];

		*instance = (struct plan_instance){ .index = i,
						    .cores = 4,
						    .threads = 4,
						    .places_os = scene->places[i],
						    .memory_policy = MEMORY_NONE };
		instance->pus_os = hwloc_bitmap_alloc();
		instance->mask_os = hwloc_bitmap_alloc();
		instance->nodes_os = hwloc_bitmap_alloc();
		if (!instance->pus_os || !instance->mask_os || !instance->nodes_os ||
		    hwloc_bitmap_set_range(instance->pus_os, i * 4, (int)i * 4 + 3) < 0 ||
		    hwloc_bitmap_copy(instance->mask_os, instance->pus_os) < 0 ||
		    hwloc_bitmap_set(instance->nodes_os, 0) < 0)
			return -1;
		for (unsigned k = 0; k < 4; k++)
			scene->places[i][k] = i * 4 + k;
	}
	scene->target = (struct target){ .libc = TARGET_LIBC_GLIBC, .elf_class = 64 };
	scene->plan.instances = scene->instances;
	scene->workload.environment = scene->environment;
	scene->workload.target = &scene->target;
	scene->workload.agent_path = SCENE_AGENT;
	scene->workload.wishes = (struct wishes){ .set = scene->set, .unset = scene->unset, .without = scene->without };
	scene_instances(scene, 1, PIN_INSTANCE);
	*state = scene;
	return 0;
}

int scene_teardown(void **state)
{
	struct scene *scene = *state;

	scene_forget(scene);
	for (unsigned i = 0; i < SCENE_INSTANCES; i++) {
		hwloc_bitmap_free(scene->instances[i].pus_os);
		hwloc_bitmap_free(scene->instances[i].mask_os);
		hwloc_bitmap_free(scene->instances[i].nodes_os);
	}
	free(scene);
	return 0;
}

int scene_decide(struct scene *scene)
{
	scene_forget(scene);
	return settings_make(&scene->machine, &scene->workload, &scene->plan, &scene->settings, &scene->err);
}

void scene_decide_in(struct scene *scene, const char *first, const char *second)
{
	scene->environment[0] = first;
	scene->environment[1] = first ? second : NULL;
	scene->environment[2] = NULL;
	assert_int_equal(scene_decide(scene), 0);
}

const struct setting *row_of(const struct scene *scene, const char *name, unsigned instance)
{
	return settings_find(scene->settings, name, instance);
}

const char *value_of(const struct scene *scene, const char *name, unsigned instance)
{
	const struct setting *row = row_of(scene, name, instance);

	return row && row->value ? row->value : "(none)";
}

size_t rows_of(const struct scene *scene, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < scene->settings->count; i++)
		count += strcmp(scene->settings->items[i].name, name) == 0;
	return count;
}

const char *note(const struct plan_notes *notes, const char *id)
{
	for (size_t i = 0; i < notes->count; i++) {
		if (strcmp(notes->items[i].id, id) == 0)
			return notes->items[i].text;
	}
	return NULL;
}

/* The entry of `name` in the environment the instance gets: its value, or NULL. Counts how often it stands there. */
static char *seen(const struct scene *scene, unsigned instance, const char *name, size_t *ret_times)
{
	char **environment = NULL, *value = NULL;
	struct err err = { 0 };
	const size_t length = strlen(name);

	assert_int_equal(settings_environment(scene->settings, instance, scene->environment, &environment, &err), 0);
	*ret_times = 0;
	for (char **entry = environment; *entry; entry++) {
		if (strncmp(*entry, name, length) != 0 || (*entry)[length] != '=')
			continue;
		if (!value)
			value = strdup(*entry + length + 1);
		++*ret_times;
	}
	environment_free(environment);
	return value;
}

void assert_seen(const struct scene *scene, unsigned instance, const char *name, const char *expected)
{
	size_t times = 0;
	cleanup_free char *value = seen(scene, instance, name, &times);

	assert_int_equal(times, expected ? 1 : 0);
	if (expected)
		assert_string_equal(value, expected);
}

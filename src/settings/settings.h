/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which knobs are turned, to what, and why. Pure: from machine, workload and
 * plan to a list of settings; then from that list to one instance's environment.
 * One file a family; a knob is a row of its family's table.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct machine;
struct plan;
struct workload;

enum origin {
	ORIGIN_PLAN, /* fettle's own choice */
	ORIGIN_USER, /* was set in the environment: stays */
	ORIGIN_PROFILE,
	ORIGIN_OPTION, /* asked for on the command line */
};

enum changes_numbers { NUMBERS_SAME, NUMBERS_ROUNDING, NUMBERS_CHANGED };

enum { EVERY_INSTANCE = -1 };

struct setting {
	const char *family; /* static; "user" for --set and --unset */
	char *name;         /* an environment variable, or "memory-policy", "cpu-affinity" */
	char *value;        /* NULL: the variable is taken out of the environment */
	int instance;       /* index, or EVERY_INSTANCE */
	enum origin origin;
	char *why;
	const char *risk; /* what may go wrong; NULL: nothing known */
	enum changes_numbers changes_numbers;
	int environment; /* an environment variable (1), or carried out by system calls (0) */
};

struct settings {
	struct setting *items;
	size_t count, capacity;
};

/*
 * Decide every setting for `plan`. Conflicts between the user's environment and the plan
 * become warnings in `plan->warnings`; --no affinity, memory and openmp also take the binding they
 * leave out from the plan, so that what is launched is what is listed. Returns 0, -EINVAL for a bad --set/--unset/--no,
 * -ENOMEM. Free with settings_free().
 */
int settings_make(const struct machine *machine, const struct workload *workload, struct plan *plan,
		  struct settings **ret_settings, struct err *err);

void settings_free(struct settings *settings);
static inline void settings_free_(struct settings **settings)
{
	settings_free(*settings);
}
#define cleanup_settings cleanup_(settings_free_)

/*
 * The environment of one instance: `base` with the settings carried out, NULL-terminated, one block
 * for environment_free(). Every variable fettle does not touch keeps its place and bytes.
 */
int settings_environment(const struct settings *settings, unsigned instance, const char *const *base,
			 char ***ret_environment, struct err *err);
void environment_free(char **environment);

/*
 * As settings_environment(), for an instance whose CPUs could not be had: without the variables by which fettle has
 * the OpenMP runtime pin threads, and with affinity turned off where that takes a word. Where the kernel refuses
 * sched_setaffinity, libgomp 12 ends a program that has places at its first parallel region; LLVM's runtime 14 and
 * Intel's end any program, unless KMP_AFFINITY is "disabled".
 */
int settings_environment_unpinned(const struct settings *settings, unsigned instance, const char *const *base,
				  char ***ret_environment, struct err *err);

/* The setting of this name that counts for the instance, or NULL. */
const struct setting *settings_find(const struct settings *settings, const char *name, unsigned instance);

/* Is this row of `settings` the one that counts for the instance? */
bool settings_counts(const struct settings *settings, const struct setting *setting, unsigned instance);

json_t *settings_to_json(const struct settings *settings);
int settings_from_json(const json_t *array, struct settings **ret_settings, struct err *err);

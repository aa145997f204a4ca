/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a knob is written down. A knob is a row of its family's table, a family
 * a file and one line in families.c. Everything that holds for every knob (the
 * user's word wins, equal values make one row, a nested fettle plans its own
 * variables anew) is done once, in settings.c, and never by a rule.
 */
#pragma once

#include "base/text.h"
#include "plan/plan.h"
#include "settings/settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct machine;

struct settings_input {
	const struct machine *machine;
	const struct workload *workload;
	struct plan *plan; /* rules read it; checks add warnings and reasons to it */
};

/*
 * One knob. With `value` it is set unless the user did; with `merge` ours and the user's value become
 * one; with neither it is never set, and shown when the user's value decides something we planned.
 * Building a text cannot fail here: struct text remembers that memory ran out.
 */
struct setting_rule {
	const char *name;
	/* Other names that are read for the same, NULL-terminated, the one that counts first. What the user says by one
	 * is said by `name`. */
	const char *older[3];
	bool (*applies)(const struct settings_input *in, const struct plan_instance *instance); /* NULL: always */
	void (*value)(const struct settings_input *in, const struct plan_instance *instance, struct text *value);
	void (*merge)(const struct settings_input *in, const struct plan_instance *instance, const char *users,
		      struct text *value);
	/* Merged only: what is the user's own in a value an outer fettle had merged. */
	void (*users_part)(const struct settings_input *in, const char *inherited, struct text *users);
	const char *why; /* with its source: guide, manual, measurement */
	void (*explain)(const struct settings_input *in, struct text *why); /* adds to `why`; may be NULL */
	const char *risk;
	enum changes_numbers changes_numbers;
	bool system_call;   /* no variable: launch or the agent carries it out */
	bool asked;         /* applies only on an option's word, which is then its origin */
	const char *option; /* that option, where a profile may give it */
	bool (*by_option)(const struct settings_input *in); /* the same where it depends; may be NULL */
};

struct setting_family {
	const char *name; /* the word for --no */
	const struct setting_rule *rules;
	size_t rule_count;
	/* Conflicts with what the user set, as warnings and reasons; may be NULL. Returns 0 or -ENOMEM. */
	int (*check)(const struct settings_input *in);
	/* A wish that cannot be met: -EINVAL with a line that says why. May be NULL. Runs before any row is made. */
	int (*refuse)(const struct settings_input *in, struct err *err);
	/* --no was given: what else changes with it; may be NULL. Runs before any row is made. */
	int (*left_out)(const struct settings_input *in);
};

extern const struct setting_family family_openmp, family_pools, family_allocator, family_affinity, family_memory,
	family_agent, family_denormal, family_preload, family_onednn, family_huge_pages, family_mkl, family_pytorch;

/* All families in the order of their rows, NULL-terminated. */
extern const struct setting_family *const setting_families[];

/* Families of rows that stand in no table: --set and --unset; what fettle tells its children. */
extern const char family_user[], family_record[];

/* The row that has FETTLE_PLAN tell the agent to flush denormals. */
extern const char setting_flush[];

/* The rule of this name or older name, or NULL. */
const struct setting_rule *setting_rule_find(const char *name);

/* Rows of workers.c: the threads of a pool in each process of the instance, unless they are left to who starts ranks,
 * and a word of it where there are several processes. */
bool setting_threads_apply(const struct settings_input *in, const struct plan_instance *instance);
void setting_threads_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value);
void setting_threads_explain(const struct settings_input *in, struct text *why);

/* The part of the memory limit, in bytes, that one such process has; UINT64_MAX: no limit is known. */
uint64_t setting_memory_each(const struct settings_input *in);

/* Append a row: copies of the texts (`value` NULL: taken out of the environment), all else from `row`. Returns 0 or
 * -ENOMEM. */
int settings_add(struct settings *settings, const char *name, const char *value, const char *why,
		 const struct setting *row);

/* Rows from `first` on are one name's, one an instance: equal values for all instances become one row. */
void settings_collapse(struct settings *settings, size_t first, size_t instance_count);

/*
 * What the user wants a variable to be: --unset (NULL), else --set, else their environment; never
 * what an outer fettle set. For a merged variable see settings_users_part().
 */
const char *settings_user_value(const struct settings_input *in, const char *name);

/* The name by which the user says what the rule is about: its own, else an older one; NULL: by none. */
const char *settings_users_name(const struct settings_input *in, const struct setting_rule *rule);

/* The same for a merged variable, without what an outer fettle had put in. Empty: nothing of the user's. */
void settings_users_part(const struct settings_input *in, const char *name, struct text *users);

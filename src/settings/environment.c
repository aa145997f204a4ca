/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/record.h"
#include "settings/record.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The row that decides this variable for the instance; NULL: untouched, as are variables that stay the user's. */
static const struct setting *deciding_row(const struct settings *settings, const char *entry, unsigned instance)
{
	const size_t length = strcspn(entry, "=");

	if (length == 0 || !entry[length])
		return NULL;
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *row = &settings->items[i];

		if (row->environment && strncmp(row->name, entry, length) == 0 && !row->name[length]) {
			row = settings_find(settings, row->name, instance);
			return row && row->origin != ORIGIN_USER ? row : NULL;
		}
	}
	return NULL;
}

void environment_free(char **environment)
{
	for (char **entry = environment; entry && *entry; entry++)
		free(*entry);
	free(environment);
}

static void cleanup_environment(char ***environment)
{
	environment_free(*environment);
}

/* Put "name=value" at `*slot`. */
static int write_row(const struct setting *row, char **slot)
{
	if (asprintf(slot, "%s=%s", row->name, row->value) < 0) {
		*slot = NULL;
		return -ENOMEM;
	}
	return 0;
}

int settings_environment(const struct settings *settings, unsigned instance, const char *const *base,
			 char ***ret_environment, struct err *err)
{
	cleanup_(cleanup_environment) char **environment = NULL;
	cleanup_free bool *done = calloc(settings->count + 1, sizeof(*done));
	size_t base_count = 0, count = 0;

	while (base && base[base_count])
		base_count++;
	environment = calloc(base_count + settings->count + 1, sizeof(*environment));
	if (!environment || !done)
		return err_nomem(err);
	for (size_t i = 0; i < base_count; i++) {
		const struct setting *row = deciding_row(settings, base[i], instance);
		const size_t index = row ? (size_t)(row - settings->items) : 0;

		if (!row) {
			environment[count] = strdup(base[i]);
			if (!environment[count])
				return err_nomem(err);
			count++;
			continue;
		}
		if (row->value && !done[index] && write_row(row, &environment[count++]) < 0)
			return err_nomem(err);
		done[index] = true;
	}
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *row = &settings->items[i];

		if (!row->environment || !row->value || row->origin == ORIGIN_USER || done[i] ||
		    !settings_counts(settings, row, instance))
			continue;
		if (write_row(row, &environment[count++]) < 0)
			return err_nomem(err);
	}
	*ret_environment = TAKE(environment);
	return 0;
}

/* The variable of ours by which threads are pinned that `entry` sets; NULL: it is another's, or another. */
static const char *pinning_name(const struct settings *settings, unsigned instance, const char *entry)
{
	static const char *const names[] = { "OMP_PLACES", "OMP_PROC_BIND", "KMP_AFFINITY" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const size_t length = strlen(names[i]);
		const struct setting *row;

		if (strncmp(entry, names[i], length) != 0 || entry[length] != '=')
			continue;
		row = settings_find(settings, names[i], instance);
		return row && row->origin == ORIGIN_PLAN ? names[i] : NULL;
	}
	return NULL;
}

/* The entry that sets `name`, or NULL. */
static char **find_entry(char **environment, const char *name)
{
	const size_t length = strlen(name);

	for (; *environment; environment++) {
		if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
			return environment;
	}
	return NULL;
}

/* Take out what fettle pins threads with. */
static void drop_pinning(const struct settings *settings, unsigned instance, char **environment)
{
	char **record = find_entry(environment, RECORD_VARIABLE);
	char **kept = environment;

	for (char **entry = environment; *entry; entry++) {
		const char *name = pinning_name(settings, instance, *entry);

		if (!name) {
			*kept++ = *entry;
			continue;
		}
		if (record)
			record_forget(*record + sizeof(RECORD_VARIABLE), name);
		free(*entry);
	}
	*kept = NULL;
}

/* Name one more variable in the record's "set=". */
static int name_in_record(char **entry, const char *name)
{
	size_t length = 0;
	const char *set = record_field(*entry + sizeof(RECORD_VARIABLE), "set=", &length);
	char *longer;

	if (!set)
		return 0;
	if (asprintf(&longer, "%.*s%s%s%s", (int)(set + length - *entry), *entry, length ? "," : "", name,
		     set + length) < 0)
		return -ENOMEM;
	free(*entry);
	*entry = longer;
	return 0;
}

/* Turn the affinity of LLVM's and Intel's runtimes off, unless the user said something about it. */
static int add_affinity_off(const struct settings *settings, unsigned instance, char ***environment)
{
	static const char name[] = "KMP_AFFINITY";
	const struct setting *row = settings_find(settings, name, instance);
	char **record, **longer;
	size_t count = 0;

	if ((row && row->origin != ORIGIN_PLAN) || find_entry(*environment, name))
		return 0;
	while ((*environment)[count])
		count++;
	longer = reallocarray(*environment, count + 2, sizeof(*longer));
	if (!longer)
		return -ENOMEM;
	*environment = longer;
	longer[count + 1] = NULL;
	if (asprintf(&longer[count], "%s=disabled", name) < 0) {
		longer[count] = NULL;
		return -ENOMEM;
	}
	record = find_entry(longer, RECORD_VARIABLE);
	return record ? name_in_record(record, name) : 0;
}

int settings_environment_unpinned(const struct settings *settings, unsigned instance, const char *const *base,
				  char ***ret_environment, struct err *err)
{
	cleanup_(cleanup_environment) char **environment = NULL;
	int r = settings_environment(settings, instance, base, &environment, err);

	if (r < 0)
		return r;
	drop_pinning(settings, instance, environment);
	if (add_affinity_off(settings, instance, &environment) < 0)
		return err_nomem(err);
	*ret_environment = TAKE(environment);
	return 0;
}

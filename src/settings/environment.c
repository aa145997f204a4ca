/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cleanup.h"
#include "base/err.h"
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

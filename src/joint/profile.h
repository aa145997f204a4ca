/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile: a JSON file of options of a plan and its settings, by their long names (fettle-profile(5)).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct err;
struct layers;
struct option;
struct option_found;
struct option_table;
struct options;

#define PROFILE_SCHEMA "fettle.profile/1"

struct profile {
	char *path;
	char *text; /* the file, for the numbers of its lines */
	json_t *values;
	const char *purpose; /* its "for"; NULL: none */
};

/* Where profiles of a name are: $XDG_CONFIG_HOME/fettle/profiles. The caller frees it; NULL: nowhere, or out of memory.
 */
char *profile_folder(void);

/* The file of a profile: `name` itself where it is a path (it has a '/' or ends in .json), else NAME.json in the
 * folder. -EINVAL: no name of a profile. */
int profile_path(const char *name, char **ret_path, struct err *err);

/* The option that a key of a profile stands for, or NULL. */
const struct option *profile_option(const char *key);

/*
 * Read and check one: every key is known and every value one that the option takes. Returns 0, or -errno with a line
 * that names file, line and key.
 */
int profile_read(const char *name, struct profile **ret_profile, struct err *err);

/* Does it have this key? */
bool profile_names(const struct profile *profile, const char *key);

/* Add its words, but for variables that the command line sets or takes out itself. Returns 0 or -ENOMEM. */
int profile_add(const struct profile *profile, const struct options *command_line, struct layers *layers);

/* Write what profile and command line asked for (not what --for chose) as profile `name`. Returns 0 or -errno; the
 * caller frees `*ret_path`. */
int profile_save(const char *name, const struct options *options, const struct option_found *command_line,
		 char **ret_path, struct err *err);

/*
 * Put a whole number into profile `name`: into the file that is there, which keeps its other keys, or into a new one.
 * Returns 0, or -errno, of a file that is no profile too; the caller frees `*ret_path`.
 */
int profile_save_number(const char *name, const char *key, unsigned number, char **ret_path, struct err *err);

void profile_free(struct profile *profile);

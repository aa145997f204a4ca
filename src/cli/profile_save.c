/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a profile. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "cli/output.h"
#include "joint/layers.h"
#include "joint/options.h"
#include "joint/profile.h"

#include <string.h>
#include <sys/stat.h>

/* All folders on the way to a file. Those that are there already are left alone. */
static int make_folders(const char *path, struct err *err)
{
	cleanup_free char *folder = strdup(path);

	if (!folder)
		return err_nomem(err);
	for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(folder, 0777) < 0 && errno != EEXIST)
			return err_errno(err, -errno, "cannot make folder '%s'", folder);
		*slash = '/';
	}
	return 0;
}

static bool is_number(const char *value)
{
	return *value && !value[*value == '-' ? 1 + strspn(value + 1, "0123456789") : strspn(value, "0123456789")];
}

/* A given option's value as a profile holds it. */
static json_t *value_of(const struct option_given *given)
{
	switch (given->option->kind) {
	case OPTION_FLAG:
		return json_true();
	case OPTION_COUNT:
	case OPTION_NUMBER:
	case OPTION_CORES:
	case OPTION_PART:
		return is_number(given->value) ? json_integer(strtoll(given->value, NULL, 10))
					       : json_string(given->value);
	default:
		return json_string(given->value);
	}
}

static json_t *names_of(const struct option_texts *texts)
{
	json_t *array = json_array();
	int r = array ? 0 : -1;

	for (size_t i = 0; i < texts->count; i++)
		r |= json_array_append_new(array, json_string(texts->items[i]));
	return json_finish(array, r);
}

/* Of one variable the last --set counts. */
static json_t *sets_of(const struct option_texts *texts)
{
	json_t *object = json_object();
	int r = object ? 0 : -1;

	for (size_t i = 0; i < texts->count; i++) {
		const char *equals = strchr(texts->items[i], '=');
		cleanup_free char *name = equals ? strndup(texts->items[i], (size_t)(equals - texts->items[i])) : NULL;

		r |= name ? json_object_set_new(object, name, json_string(equals + 1)) : -1;
	}
	return json_finish(object, r);
}

/* Every option of a profile that was given from word `first` on. */
static json_t *document(const struct options *options, const struct option_found *found, size_t first)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "schema", json_string(PROFILE_SCHEMA));

	for (size_t i = 0; i < found->given_count; i++) {
		const struct option_given *given = &found->given[i];

		if ((size_t)given->at >= first && given->option->kind != OPTION_TEXTS &&
		    profile_option(given->option->name) == given->option)
			r |= json_object_set_new(object, given->option->name, value_of(given));
	}
	if (options->set.count)
		r |= json_object_set_new(object, "set", sets_of(&options->set));
	if (options->unset.count)
		r |= json_object_set_new(object, "unset", names_of(&options->unset));
	if (options->without.count)
		r |= json_object_set_new(object, "no", names_of(&options->without));
	return json_finish(object, r);
}

static int write_profile(const json_t *object, const char *path, struct err *err)
{
	cleanup_free char *dumped = json_dumps(object, JSON_INDENT(4)), *text = NULL;
	int r = dumped && asprintf(&text, "%s\n", dumped) >= 0 ? make_folders(path, err) : err_nomem(err);

	return r < 0 ? r : output_write(path, text, err);
}

int profile_save(const char *name, const struct options *options, const struct option_found *command_line,
		 char **ret_path, struct err *err)
{
	const struct layers *layers = options->layers;
	cleanup_free char *path = NULL;
	json_t *object = document(options, layers ? &layers->found : command_line, layers ? layers->purpose_words : 0);
	int r = object ? profile_path(name, &path, err) : err_nomem(err);

	if (r == 0)
		r = write_profile(object, path, err);
	json_decref(object);
	if (r == 0)
		*ret_path = TAKE(path);
	return r;
}

int profile_save_number(const char *name, const char *key, unsigned number, char **ret_path, struct err *err)
{
	cleanup_free char *path = NULL;
	struct profile *profile = NULL;
	json_t *object = NULL;
	int r = profile_path(name, &path, err);

	if (r < 0)
		return r;
	if (access(path, F_OK) == 0)
		r = profile_read(name, &profile, err);
	if (r == 0) {
		object = profile ? json_incref(profile->values) : json_object();
		r = (profile ? 0 : json_object_set_new(object, "schema", json_string(PROFILE_SCHEMA))) |
		    json_object_set_new(object, key, json_integer(number));
		r = r ? err_nomem(err) : write_profile(object, path, err);
	}
	json_decref(object);
	profile_free(profile);
	if (r == 0)
		*ret_path = TAKE(path);
	return r;
}

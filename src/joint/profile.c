/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/profile.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/text.h"
#include "joint/layers.h"
#include "joint/options.h"
#include "joint/profile_lines.h"
#include "settings/user.h"

#include <stdio.h>
#include <string.h>

enum { PROFILE_MAX_BYTES = 1 << 20 };

static const struct option_table *const tables[] = { &planning_options, &settings_options, &purpose_options, NULL };

static void cleanup_profile(struct profile **profile)
{
	profile_free(*profile);
}

void profile_free(struct profile *profile)
{
	if (!profile)
		return;
	json_decref(profile->values);
	free(profile->path);
	free(profile->text);
	free(profile);
}

const struct option *profile_option(const char *key)
{
	for (const struct option_table *const *t = tables; *t; t++) {
		for (size_t i = 0; i < (*t)->count; i++) {
			if (strcmp((*t)->rows[i].name, key) == 0 && strcmp(key, "profile") != 0)
				return &(*t)->rows[i];
		}
	}
	return NULL;
}

bool profile_names(const struct profile *profile, const char *key)
{
	return json_object_get(profile->values, key) != NULL;
}

/* The failure in `err` happened at this key: say so. */
static int at_line(const struct profile *profile, const char *key, const char *member, struct err *err)
{
	return err_wrap(err, "profile '%s', line %u", profile->path, profile_line(profile->text, key, member));
}

static int read_text(struct profile *profile, struct err *err)
{
	cleanup_file FILE *file = fopen(profile->path, "re");
	struct text text = TEXT_INIT;
	char block[4096];
	size_t n;

	if (!file)
		return err_errno(err, -errno, "cannot read profile '%s'", profile->path);
	while ((n = fread(block, 1, sizeof(block), file)) > 0) {
		text_add_bytes(&text, block, n);
		if (text.length > PROFILE_MAX_BYTES) {
			text_clear(&text);
			return err_set(err, -EFBIG, "profile '%s' is larger than 1 MiB", profile->path);
		}
	}
	n = text.length;
	if (ferror(file)) {
		text_clear(&text);
		return err_errno(err, -EIO, "cannot read profile '%s'", profile->path);
	}
	profile->text = text_take(&text);
	if (!profile->text)
		return err_nomem(err);
	if (strlen(profile->text) != n)
		return err_set(err, -EINVAL, "profile '%s' holds a zero byte", profile->path);
	return 0;
}

static int parse_text(struct profile *profile, struct err *err)
{
	json_error_t error;

	profile->values = json_loads(profile->text, JSON_REJECT_DUPLICATES, &error);
	if (!profile->values)
		return err_set(err, -EINVAL, "profile '%s', line %d: %s", profile->path, error.line, error.text);
	if (!json_is_object(profile->values))
		return err_set(err, -EINVAL, "profile '%s' is no JSON object", profile->path);
	return 0;
}

static int refuse_unknown(const char *key, struct err *err)
{
	struct nearest near = { .word = key };

	for (const struct option_table *const *t = tables; *t; t++) {
		for (size_t i = 0; i < (*t)->count; i++) {
			if (profile_option((*t)->rows[i].name))
				nearest_try(&near, (*t)->rows[i].name);
		}
	}
	nearest_try(&near, "schema");
	return err_set(err, -EINVAL, "unknown key '%s'%s%s%s", key, near.best ? ", nearest is '" : "",
		       near.best ? near.best : "", near.best ? "'" : "");
}

/* What kind of JSON an option takes, for messages; NULL: this value is one. */
static const char *wants(const struct option *option, const json_t *value)
{
	switch (option->kind) {
	case OPTION_FLAG:
		return json_is_boolean(value) ? NULL : "true or false";
	case OPTION_COUNT:
	case OPTION_NUMBER:
	case OPTION_CORES:
		return json_is_integer(value) ? NULL : "a whole number";
	case OPTION_PART:
		return json_is_integer(value) || json_is_string(value) ? NULL : "a whole number or a text";
	default:
		return json_is_string(value) ? NULL : "a text";
	}
}

/* The value as a word of the command line. */
static void add_word(const json_t *value, struct text *word)
{
	if (json_is_integer(value))
		text_add(word, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		text_add(word, "%s", json_string_value(value));
}

/* Let the parser of options judge a value. */
static int check_value(const struct option *option, const json_t *value, struct err *err)
{
	const char *wanted = wants(option, value);
	cleanup_text struct text flag = TEXT_INIT, word = TEXT_INIT;
	cleanup_options struct options scratch = { 0 };
	struct option_found found;
	const char *words[2];

	if (wanted)
		return err_set(err, -EINVAL, "'%s' is to be %s", option->name, wanted);
	if (option->kind == OPTION_FLAG)
		return 0;
	text_add(&flag, "--%s", option->name);
	add_word(value, &word);
	if (flag.failed || word.failed)
		return err_nomem(err);
	words[0] = flag.data;
	words[1] = word.data ? word.data : "";
	return option_parse(tables, NULL, 2, words, &scratch, &found, err);
}

/* "set": an object of texts. */
static int check_sets(const struct profile *profile, const json_t *sets, struct err *err)
{
	const char *name;
	json_t *value;

	if (!json_is_object(sets)) {
		(void)err_set(err, -EINVAL, "'set' is to be an object of names and texts");
		return at_line(profile, "set", NULL, err);
	}
	json_object_foreach((json_t *)sets, name, value)
	{
		cleanup_text struct text set = TEXT_INIT;
		const char *item;
		int r;

		text_add(&set, "%s=%s", name, json_is_string(value) ? json_string_value(value) : "");
		item = set.data;
		if (set.failed)
			return err_nomem(err);
		r = json_is_string(value) ? 0 : err_set(err, -EINVAL, "'%s' is to be a text", name);
		if (r == 0 && strchr(name, '='))
			r = err_set(err, -EINVAL, "'%s': a variable's name holds no '='", name);
		if (r == 0)
			r = wishes_check(&(struct wishes){ .set = &item, .set_count = 1 }, err);
		if (r < 0)
			return at_line(profile, "set", name, err);
	}
	return 0;
}

/* "unset" and "no": arrays of texts. */
static int check_names(const struct profile *profile, const char *key, const json_t *names, struct err *err)
{
	const bool unset = strcmp(key, "unset") == 0;
	size_t index;
	json_t *value;

	if (!json_is_array(names)) {
		(void)err_set(err, -EINVAL, "'%s' is to be an array of names", key);
		return at_line(profile, key, NULL, err);
	}
	json_array_foreach(names, index, value)
	{
		const char *name = json_string_value(value);
		const struct wishes wishes = {
			.unset = &name, .unset_count = unset, .without = &name, .without_count = !unset
		};
		int r = name ? 0 : err_set(err, -EINVAL, "'%s' is to be an array of names", key);

		if (r == 0)
			r = wishes_check(&wishes, err);
		if (r < 0)
			return at_line(profile, key, name, err);
	}
	return 0;
}

static int check_key(struct profile *profile, const char *key, const json_t *value, struct err *err)
{
	const struct option *option = profile_option(key);
	int r;

	if (strcmp(key, "set") == 0)
		return check_sets(profile, value, err);
	if (option && option->kind == OPTION_TEXTS)
		return check_names(profile, key, value, err);
	if (option)
		r = check_value(option, value, err);
	else if (strcmp(key, "schema") != 0)
		r = refuse_unknown(key, err);
	else if (json_is_string(value) && strcmp(json_string_value(value), PROFILE_SCHEMA) == 0)
		r = 0;
	else
		r = err_set(err, -EINVAL, "'schema' is not '" PROFILE_SCHEMA "'");
	if (option && strcmp(key, "for") == 0)
		profile->purpose = json_string_value(value);
	return r < 0 ? at_line(profile, key, NULL, err) : 0;
}

int profile_read(const char *name, struct profile **ret_profile, struct err *err)
{
	cleanup_(cleanup_profile) struct profile *profile = calloc(1, sizeof(*profile));
	const char *key;
	json_t *value;
	int r = profile ? profile_path(name, &profile->path, err) : err_nomem(err);

	if (r == 0)
		r = read_text(profile, err);
	if (r == 0)
		r = parse_text(profile, err);
	if (r < 0)
		return r;
	json_object_foreach(profile->values, key, value)
	{
		r = check_key(profile, key, value, err);
		if (r < 0)
			return r;
	}
	*ret_profile = TAKE(profile);
	return 0;
}

static bool is_wished(const struct wishes *wishes, const char *name)
{
	return wishes_set(wishes, name) || wishes_unset(wishes, name);
}

/* The words of one key. */
static int add_key(const char *key, const json_t *value, const struct wishes *wishes, struct layers *layers)
{
	cleanup_text struct text word = TEXT_INIT;
	const char *name;
	size_t index;
	json_t *item;

	if (json_is_object(value)) {
		json_object_foreach((json_t *)value, name, item)
		{
			if (!is_wished(wishes, name) &&
			    (layers_add(layers, "--%s", key) < 0 ||
			     layers_add(layers, "%s=%s", name, json_string_value(item)) < 0))
				return -ENOMEM;
		}
		return 0;
	}
	if (json_is_array(value)) {
		json_array_foreach(value, index, item)
		{
			name = json_string_value(item);
			if ((strcmp(key, "unset") != 0 || !is_wished(wishes, name)) &&
			    (layers_add(layers, "--%s", key) < 0 || layers_add(layers, "%s", name) < 0))
				return -ENOMEM;
		}
		return 0;
	}
	if (json_is_false(value))
		return 0;
	if (layers_add(layers, "--%s", key) < 0)
		return -ENOMEM;
	if (json_is_true(value))
		return 0;
	add_word(value, &word);
	return word.failed ? -ENOMEM : layers_add(layers, "%s", word.data ? word.data : "");
}

int profile_add(const struct profile *profile, const struct options *command_line, struct layers *layers)
{
	const struct wishes wishes = options_wishes(command_line);
	const char *key;
	json_t *value;

	json_object_foreach(profile->values, key, value)
	{
		if (profile_option(key) && add_key(key, value, &wishes, layers) < 0)
			return -ENOMEM;
	}
	return 0;
}

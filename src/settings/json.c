/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "settings/rule.h"

#include <string.h>

static const char *const origin_words[] = { "plan", "user", "profile", "option" };
static const char *const numbers_words[] = { "no", "rounding", "yes" };

/* An environment may hold any bytes, JSON only UTF-8: what is not becomes '?', as in `ls`. */
static json_t *text_json(const char *text)
{
	cleanup_free char *copy = NULL;
	json_t *json;

	if (!text)
		return json_null();
	json = json_string(text);
	if (json)
		return json;
	copy = strdup(text);
	for (char *byte = copy; byte && *byte; byte++) {
		if ((unsigned char)*byte >= 0x80)
			*byte = '?';
	}
	return copy ? json_string(copy) : NULL;
}

static json_t *setting_to_json(const struct setting *setting)
{
	json_t *object = json_object();

	if (json_object_set_new(object, "family", json_string(setting->family)) |
	    json_object_set_new(object, "name", text_json(setting->name)) |
	    json_object_set_new(object, "value", text_json(setting->value)) |
	    json_object_set_new(object, "instance",
				setting->instance == EVERY_INSTANCE ? json_null() : json_integer(setting->instance)) |
	    json_object_set_new(object, "origin", json_string(origin_words[setting->origin])) |
	    json_object_set_new(object, "why", text_json(setting->why)) |
	    json_object_set_new(object, "risk", text_json(setting->risk)) |
	    json_object_set_new(object, "changes_numbers", json_string(numbers_words[setting->changes_numbers])) |
	    json_object_set_new(object, "environment", json_boolean(setting->environment))) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *settings_to_json(const struct settings *settings)
{
	json_t *array = json_array();

	for (size_t i = 0; i < settings->count; i++) {
		if (json_array_append_new(array, setting_to_json(&settings->items[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/* The family's own static name, or NULL. */
static const char *family_name(const char *word)
{
	for (const struct setting_family *const *family = setting_families; *family; family++) {
		if (strcmp((*family)->name, word) == 0)
			return (*family)->name;
	}
	if (strcmp(word, family_user) == 0)
		return family_user;
	return strcmp(word, family_record) == 0 ? family_record : NULL;
}

static int get_word(const json_t *object, const char *key, const char *const *words, size_t count, unsigned *ret_index,
		    struct err *err)
{
	const char *word;
	int r = json_get_text(object, key, &word, err);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < count; i++) {
		if (strcmp(words[i], word) == 0) {
			*ret_index = i;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "'%s' is '%s', which is not known here", key, word);
}

/* Text without a NUL inside, which no environment can hold. */
static int get_plain_text(const json_t *object, const char *key, const char **ret_text, struct err *err)
{
	int r = json_get_text(object, key, ret_text, err);

	if (r == 0 && strlen(*ret_text) != json_string_length(json_object_get(object, key)))
		return err_set(err, -EINVAL, "'%s' holds a NUL", key);
	return r;
}

static int get_instance(const json_t *object, int *ret_instance, struct err *err)
{
	unsigned instance;
	int r;

	if (json_is_null(json_object_get(object, "instance"))) {
		*ret_instance = EVERY_INSTANCE;
		return 0;
	}
	r = json_get_unsigned(object, "instance", &instance, err);
	if (r == 0)
		*ret_instance = (int)instance;
	return r;
}

/* What is read is borrowed from `object`; settings_add() copies it. */
static int setting_from_json(const json_t *object, struct settings *settings, struct err *err)
{
	const json_t *environment = json_object_get(object, "environment");
	const char *family, *name, *value = NULL, *why;
	const struct setting_rule *rule;
	struct setting row;
	unsigned origin = 0, numbers = 0;
	int instance = EVERY_INSTANCE, r;

	if ((r = json_get_text(object, "family", &family, err)) < 0 ||
	    (r = get_plain_text(object, "name", &name, err)) < 0 ||
	    (r = get_plain_text(object, "why", &why, err)) < 0 || (r = get_instance(object, &instance, err)) < 0 ||
	    (r = get_word(object, "origin", origin_words, ARRAY_SIZE(origin_words), &origin, err)) < 0 ||
	    (r = get_word(object, "changes_numbers", numbers_words, ARRAY_SIZE(numbers_words), &numbers, err)) < 0)
		return r;
	if (!json_is_null(json_object_get(object, "value")) && (r = get_plain_text(object, "value", &value, err)) < 0)
		return r;
	if (!*name || strchr(name, '='))
		return err_set(err, -EINVAL, "'name' is '%s', which no variable can be called", name);
	if (!family_name(family))
		return err_set(err, -EINVAL, "'family' is '%s', which is not known here", family);
	if (environment && !json_is_boolean(environment))
		return err_set(err, -EINVAL, "'environment' is neither true nor false");
	rule = setting_rule_find(name);
	row = (struct setting){ .family = family_name(family),
				.instance = instance,
				.origin = (enum origin)origin,
				.risk = rule ? rule->risk : NULL,
				.changes_numbers = (enum changes_numbers)numbers,
				.environment = environment ? json_is_true(environment) : !(rule && rule->system_call) };
	r = settings_add(settings, name, value, why, &row);
	return r < 0 ? err_nomem(err) : 0;
}

int settings_from_json(const json_t *array, struct settings **ret_settings, struct err *err)
{
	cleanup_settings struct settings *settings = NULL;

	if (!json_is_array(array))
		return err_set(err, -EINVAL, "'settings' is missing or no array");
	settings = calloc(1, sizeof(*settings));
	if (!settings)
		return err_nomem(err);
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (setting_from_json(json_array_get(array, i), settings, err) < 0)
			return err_wrap(err, "settings[%zu]", i);
	}
	*ret_settings = TAKE(settings);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/fact.h"
#include "base/words.h"

#include <limits.h>
#include <string.h>

int json_set_list(json_t *object, const char *key, hwloc_const_bitmap_t set)
{
	cleanup_free char *text = cpulist_text(set);

	return json_object_set_new(object, key, text ? json_string(text) : NULL);
}

int json_set_fact(json_t *object, const char *key, const struct fact *fact, json_t *unknown)
{
	if (fact->state == FACT_KNOWN)
		return json_object_set_new(object, key, json_integer((json_int_t)fact->value));
	if (fact->state == FACT_UNKNOWN && unknown && json_array_append_new(unknown, json_string(key)) < 0)
		return -1;
	return json_object_set_new(object, key, json_null());
}

json_t *json_any_text(const char *text)
{
	json_t *string = json_string(text);
	cleanup_free char *copy = string ? NULL : strdup(text);

	if (!copy)
		return string;
	for (char *c = copy; *c; c++) {
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	}
	return json_string(copy);
}

json_t *json_optional_text(const char *text)
{
	return text ? json_any_text(text) : json_null();
}

json_t *json_words(const struct words *words)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; words && i < words->count; i++)
		r |= json_array_append_new(array, json_any_text(words->items[i]));
	return json_finish(array, r);
}

json_t *json_finish(json_t *value, int r)
{
	if (r == 0)
		return value;
	json_decref(value);
	return NULL;
}

int json_get_text(const json_t *object, const char *key, const char **ret_text, struct err *err)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_string(value))
		return err_set(err, -EINVAL, "'%s' is missing or no text", key);
	*ret_text = json_string_value(value);
	return 0;
}

int json_get_unsigned(const json_t *object, const char *key, unsigned *ret_value, struct err *err)
{
	const json_t *value = json_object_get(object, key);
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > INT_MAX)
		return err_set(err, -EINVAL, "'%s' is missing or no count", key);
	*ret_value = (unsigned)number;
	return 0;
}

int json_get_array(const json_t *object, const char *key, json_t **ret_array, struct err *err)
{
	json_t *value = json_object_get(object, key);

	if (!json_is_array(value))
		return err_set(err, -EINVAL, "'%s' is missing or no array", key);
	*ret_array = value;
	return 0;
}

int json_get_list(const json_t *object, const char *key, hwloc_bitmap_t *ret_set, struct err *err)
{
	const char *text = NULL;
	int r = json_get_text(object, key, &text, err);

	if (r < 0)
		return r;
	r = cpulist_parse(text, ret_set, err);
	return r < 0 ? err_wrap(err, "'%s'", key) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "settings/each.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "settings/rule.h"
#include "settings/user.h"

#include <string.h>

static size_t name_length(const char *text)
{
	return strcspn(text, "=");
}

static size_t count_values(const char *values)
{
	size_t count = 1;

	for (; *values; values++)
		count += *values == ',';
	return count;
}

/* The `index`th value; the caller frees it. */
static char *value_at(const char *values, size_t index)
{
	for (; index; index--)
		values += strcspn(values, ",") + 1;
	return strndup(values, strcspn(values, ","));
}

static int check_others(const struct wishes *wishes, size_t index, const char *name, struct err *err)
{
	const struct setting_rule *rule = setting_rule_find(name);
	const size_t length = strlen(name);

	if (rule && !rule->system_call) {
		(void)err_set(err, -EINVAL, "--each '%s': fettle gives each instance its own value of it", name);
		return err_hint(err, "--set gives all the same; 'fettle plan --why %s' says how it is chosen", name);
	}
	if (wishes_set(wishes, name) || wishes_unset(wishes, name))
		return err_set(err, -EINVAL, "'%s' is to be set for each instance, and for all with --%s", name,
			       wishes_set(wishes, name) ? "set" : "unset");
	for (size_t i = 0; i < index; i++) {
		if (name_length(wishes->each[i]) == length && strncmp(wishes->each[i], name, length) == 0)
			return err_set(err, -EINVAL, "--each '%s' is given twice", name);
	}
	return 0;
}

static int check_one(const struct settings_input *in, size_t index, struct err *err)
{
	const char *text = in->workload->wishes.each[index];
	const size_t length = name_length(text), instances = in->plan->instance_count;
	cleanup_free char *name = strndup(text, length);
	int r;

	if (!name)
		return err_nomem(err);
	if (!text[length]) {
		(void)err_set(err, -EINVAL, "--each '%s': there is no '='", text);
		return err_hint(err, "--each NAME=A,B gives instance 0 the value A and instance 1 the value B");
	}
	r = wishes_check_name("--each", text, length, err);
	if (r == 0)
		r = check_others(&in->workload->wishes, index, name, err);
	if (r == 0 && count_values(text + length + 1) != instances)
		r = err_set(err, -EINVAL, "--each '%s': %zu value%s for %zu instance%s", name,
			    count_values(text + length + 1), count_values(text + length + 1) == 1 ? "" : "s", instances,
			    instances == 1 ? "" : "s");
	return r;
}

int each_check(const struct settings_input *in, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < in->workload->wishes.each_count; i++)
		r = check_one(in, i, err);
	return r;
}

static int add_rows(const struct settings_input *in, const char *text, struct settings *settings)
{
	cleanup_free char *name = strndup(text, name_length(text));
	const size_t first = settings->count;

	for (size_t i = 0; name && i < in->plan->instance_count; i++) {
		cleanup_free char *value = value_at(text + name_length(text) + 1, i);
		const struct setting row = { .family = family_user,
					     .instance = (int)in->plan->instances[i].index,
					     .origin = ORIGIN_OPTION,
					     .environment = 1 };

		if (!value ||
		    settings_add(settings, name, value, "asked for with --each, one value an instance", &row) < 0)
			return -ENOMEM;
	}
	settings_collapse(settings, first, in->plan->instance_count);
	return name ? 0 : -ENOMEM;
}

int each_rows(const struct settings_input *in, struct settings *settings)
{
	for (size_t i = 0; i < in->workload->wishes.each_count; i++) {
		if (add_rows(in, in->workload->wishes.each[i], settings) < 0)
			return -ENOMEM;
	}
	return 0;
}

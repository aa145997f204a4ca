/* SPDX-License-Identifier: Apache-2.0 */
#include "settings/user.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/nearest.h"
#include "base/record.h"
#include "settings/rule.h"

#include <string.h>

static bool is_name(const char *text, size_t length, const char *name)
{
	return strlen(name) == length && memcmp(text, name, length) == 0;
}

bool wishes_without(const struct wishes *wishes, const char *family)
{
	for (size_t i = 0; i < wishes->without_count; i++) {
		if (strcmp(wishes->without[i], family) == 0)
			return true;
	}
	return false;
}

const char *wishes_set(const struct wishes *wishes, const char *name)
{
	for (size_t i = wishes->set_count; i-- > 0;) {
		const size_t length = strcspn(wishes->set[i], "=");

		if (is_name(wishes->set[i], length, name))
			return wishes->set[i] + length + 1;
	}
	return NULL;
}

bool wishes_unset(const struct wishes *wishes, const char *name)
{
	for (size_t i = 0; i < wishes->unset_count; i++) {
		if (strcmp(wishes->unset[i], name) == 0)
			return true;
	}
	return false;
}

int wishes_check_name(const char *option, const char *text, size_t length, struct err *err)
{
	if (length == 0)
		return err_set(err, -EINVAL, "%s '%s': the variable's name is empty", option, text);
	if (record_owns(text, length))
		return err_set(err, -EINVAL, "%s '%s': fettle itself keeps this variable", option, text);
	for (const struct setting_family *const *family = setting_families; *family; family++) {
		for (size_t i = 0; i < (*family)->rule_count; i++) {
			const struct setting_rule *rule = &(*family)->rules[i];

			if (!rule->system_call || !is_name(text, length, rule->name))
				continue;
			(void)err_set(err, -EINVAL, "%s '%s': this is no environment variable", option, text);
			return err_hint(err, "--no %s leaves it out; --pin and --memory choose it", (*family)->name);
		}
	}
	return 0;
}

static int check_family(const char *name, struct err *err)
{
	cleanup_text struct text known = TEXT_INIT;
	struct nearest near = { .word = name };

	for (const struct setting_family *const *family = setting_families; *family; family++) {
		if (strcmp((*family)->name, name) == 0)
			return 0;
		text_add(&known, "%s%s", known.length ? ", " : "", (*family)->name);
		nearest_try(&near, (*family)->name);
	}
	if (known.failed)
		return err_nomem(err);
	(void)err_set(err, -EINVAL, "--no '%s': no such family of settings", name);
	return err_hint(err, "one of: %s%s%s%s", known.data, near.best ? "; did you mean '" : "",
			near.best ? near.best : "", near.best ? "'?" : "");
}

int wishes_check(const struct wishes *wishes, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < wishes->set_count; i++) {
		const char *text = wishes->set[i];
		const size_t length = strcspn(text, "=");

		if (!text[length]) {
			(void)err_set(err, -EINVAL, "--set '%s': there is no '='", text);
			return err_hint(err, "--set NAME=VALUE sets it, --unset NAME takes it out");
		}
		r = wishes_check_name("--set", text, length, err);
	}
	for (size_t i = 0; r == 0 && i < wishes->unset_count; i++) {
		const char *name = wishes->unset[i];

		if (strchr(name, '='))
			return err_set(err, -EINVAL, "--unset '%s': a variable's name holds no '='", name);
		if (wishes_set(wishes, name))
			return err_set(err, -EINVAL, "'%s' is both to be set and to be taken out", name);
		r = wishes_check_name("--unset", name, strlen(name), err);
	}
	for (size_t i = 0; r == 0 && i < wishes->without_count; i++)
		r = check_family(wishes->without[i], err);
	return r;
}

static int add_wish(const struct settings_input *in, const char *name, const char *value, bool of_profile,
		    struct settings *settings)
{
	const struct setting_rule *rule = setting_rule_find(name);
	const struct setting row = { .family = family_user,
				     .instance = EVERY_INSTANCE,
				     .origin = of_profile ? ORIGIN_PROFILE : ORIGIN_OPTION,
				     .risk = rule ? rule->risk : NULL,
				     .changes_numbers = rule ? rule->changes_numbers : NUMBERS_SAME,
				     .environment = 1 };
	const char *why = of_profile ? "taken out by the profile's 'unset'" : "taken out with --unset";

	if (value && workload_user_value(in->workload, name))
		why = of_profile ? "asked for by the profile's 'set', in place of the environment's value"
				 : "asked for with --set, in place of the environment's value";
	else if (value)
		why = of_profile ? "asked for by the profile's 'set'" : "asked for with --set";
	return settings_add(settings, name, value, why, &row);
}

int wishes_rows(const struct settings_input *in, struct settings *settings)
{
	const struct wishes *wishes = &in->workload->wishes;

	for (size_t i = 0; i < wishes->set_count; i++) {
		cleanup_free char *name = strndup(wishes->set[i], strcspn(wishes->set[i], "="));

		if (!name)
			return -ENOMEM;
		if (settings_find(settings, name, 0))
			continue; /* given twice: the first row already has the last value */
		if (add_wish(in, name, wishes_set(wishes, name), i < wishes->set_of_profile, settings) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < wishes->unset_count; i++) {
		if (!settings_find(settings, wishes->unset[i], 0) &&
		    add_wish(in, wishes->unset[i], NULL, i < wishes->unset_of_profile, settings) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "settings/settings.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "settings/each.h"
#include "settings/record.h"
#include "settings/rule.h"
#include "settings/user.h"

#include <string.h>

static void setting_clear(struct setting *setting)
{
	free(setting->name);
	free(setting->value);
	free(setting->why);
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	for (size_t i = 0; i < settings->count; i++)
		setting_clear(&settings->items[i]);
	free(settings->items);
	free(settings);
}

int settings_add(struct settings *settings, const char *name, const char *value, const char *why,
		 const struct setting *row)
{
	struct setting copy = *row;
	struct setting *grown = array_grow(settings->items, &settings->capacity, settings->count, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	settings->items = grown;
	copy.name = strdup(name);
	copy.value = value ? strdup(value) : NULL;
	copy.why = strdup(why);
	if (!copy.name || !copy.why || (value && !copy.value)) {
		setting_clear(&copy);
		return -ENOMEM;
	}
	grown[settings->count++] = copy;
	return 0;
}

static bool values_equal(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

void settings_collapse(struct settings *settings, size_t first, size_t instance_count)
{
	struct setting *rows = settings->items + first;
	const size_t count = settings->count - first;

	if (count == 0 || count != instance_count)
		return;
	for (size_t i = 1; i < count; i++) {
		if (!values_equal(rows[0].value, rows[i].value))
			return;
	}
	for (size_t i = 1; i < count; i++)
		setting_clear(&rows[i]);
	rows[0].instance = EVERY_INSTANCE;
	settings->count = first + 1;
}

const char *settings_user_value(const struct settings_input *in, const char *name)
{
	const char *set = wishes_set(&in->workload->wishes, name);

	if (set)
		return set;
	if (wishes_unset(&in->workload->wishes, name))
		return NULL;
	return workload_user_value(in->workload, name);
}

const char *settings_users_name(const struct settings_input *in, const struct setting_rule *rule)
{
	if (settings_user_value(in, rule->name))
		return rule->name;
	for (size_t i = 0; rule->older[i]; i++) {
		if (settings_user_value(in, rule->older[i]))
			return rule->older[i];
	}
	return NULL;
}

void settings_users_part(const struct settings_input *in, const char *name, struct text *users)
{
	const struct setting_rule *rule = setting_rule_find(name);
	const char *value = settings_user_value(in, name);
	const char *inherited = workload_getenv(in->workload, name);

	if (value)
		text_add(users, "%s", value);
	else if (inherited && rule && rule->users_part && !wishes_unset(&in->workload->wishes, name))
		rule->users_part(in, inherited, users);
}

static bool rule_applies(const struct setting_rule *rule, const struct settings_input *in, size_t instance)
{
	return !rule->applies || rule->applies(in, &in->plan->instances[instance]);
}

/* What fettle would have set, for the row of a user's variable: "" when that is nothing or not one value. */
static void add_ours(const struct setting_rule *rule, const struct settings_input *in, const char *users,
		     struct text *why)
{
	cleanup_free char *ours = NULL;

	for (size_t i = 0; rule->value && i < in->plan->instance_count; i++) {
		cleanup_text struct text value = TEXT_INIT;
		cleanup_free char *one = NULL;

		if (!rule_applies(rule, in, i))
			continue;
		rule->value(in, &in->plan->instances[i], &value);
		one = text_take(&value);
		if (!one)
			why->failed = true;
		if (!one || (ours && strcmp(ours, one) != 0))
			return;
		free(ours);
		ours = TAKE(one);
	}
	if (!ours)
		return;
	if (strcmp(ours, users) == 0)
		text_add(why, "; fettle would have set the same");
	else
		text_add(why, "; fettle would have set %s%s", ours, rule->asked ? ", as asked" : "");
}

/* What every row of a rule has, whoever gave the value. */
static struct setting rule_row(const struct setting_family *family, const struct setting_rule *rule, int instance,
			       enum origin origin)
{
	return (struct setting){ .family = family->name,
				 .instance = instance,
				 .origin = origin,
				 .risk = rule->risk,
				 .changes_numbers = rule->changes_numbers,
				 .environment = !rule->system_call };
}

/* An option asked for one value and the environment holds another: not in silence. */
static int warn_not_as_asked(const struct setting_rule *rule, const struct settings_input *in, const char *name,
			     const char *users)
{
	cleanup_text struct text asked = TEXT_INIT;

	if (!rule->asked || !rule->value)
		return 0;
	rule->value(in, &in->plan->instances[0], &asked);
	if (!asked.data)
		return -ENOMEM;
	return strcmp(asked.data, users) == 0
		       ? 0
		       : plan_note(&in->plan->warnings, "user-variable", NULL,
				   "%s was asked for, but %s='%s' is the user's and stays", asked.data, name, users);
}

/* `name`: by which the user said it, the rule's own or an older one. */
static int add_user_row(const struct setting_family *family, const struct setting_rule *rule,
			const struct settings_input *in, const char *name, const char *users, struct settings *settings)
{
	const struct setting row = rule_row(family, rule, EVERY_INSTANCE, ORIGIN_USER);
	cleanup_text struct text text = TEXT_INIT;
	cleanup_free char *why = NULL;
	bool applies = false;

	for (size_t i = 0; i < in->plan->instance_count && !applies; i++)
		applies = rule_applies(rule, in, i);
	if (!applies)
		return 0;
	text_add(&text, "set in the environment by the user: stays as it is");
	if (name != rule->name)
		text_add(&text, " (the library reads it for %s)", rule->name);
	add_ours(rule, in, users, &text);
	why = text_take(&text);
	if (!why || warn_not_as_asked(rule, in, name, users) < 0)
		return -ENOMEM;
	return settings_add(settings, name, users, why, &row);
}

/* `users`: the user's part of a merged variable, "" when there is none. */
/* Who said an option: the command line, or a profile. */
static enum origin origin_of(const struct settings_input *in, const char *option)
{
	for (const char *const *name = in->workload->of_profile; name && option && *name; name++) {
		if (strcmp(*name, option) == 0)
			return ORIGIN_PROFILE;
	}
	return ORIGIN_OPTION;
}

static int add_instance_row(const struct setting_family *family, const struct setting_rule *rule,
			    const struct settings_input *in, const struct plan_instance *instance, const char *users,
			    struct settings *settings)
{
	cleanup_text struct text value_text = TEXT_INIT, why_text = TEXT_INIT;
	cleanup_free char *value = NULL, *why = NULL;
	struct setting row;
	bool ours;

	if (rule->merge)
		rule->merge(in, instance, users, &value_text);
	else
		rule->value(in, instance, &value_text);
	value = text_take(&value_text);
	if (!value)
		return -ENOMEM;
	if (rule->merge && !*value)
		return 0;
	ours = !rule->merge || strcmp(value, users) != 0;
	text_add(&why_text, "%s", ours ? rule->why : "set in the environment by the user: says all that fettle would");
	if (ours && rule->explain)
		rule->explain(in, &why_text);
	if (ours && *users)
		text_add(&why_text, "; what the user had set is kept");
	why = text_take(&why_text);
	row = rule_row(family, rule, (int)instance->index,
		       rule->asked || (rule->by_option && rule->by_option(in)) ? origin_of(in, rule->option)
		       : ours                                                  ? ORIGIN_PLAN
									       : ORIGIN_USER);
	return why ? settings_add(settings, rule->name, value, why, &row) : -ENOMEM;
}

static int add_rule(const struct setting_family *family, const struct setting_rule *rule,
		    const struct settings_input *in, struct settings *settings)
{
	const struct wishes *wishes = &in->workload->wishes;
	cleanup_text struct text text = TEXT_INIT;
	cleanup_free char *users = NULL;
	const size_t first = settings->count;

	if (!rule->system_call) {
		const char *name = settings_users_name(in, rule);

		if (wishes_unset(wishes, rule->name) || (name && wishes_set(wishes, name)))
			return 0; /* the row is in user.c */
		if (name && !rule->merge)
			return add_user_row(family, rule, in, name, settings_user_value(in, name), settings);
	}
	if (rule->merge)
		settings_users_part(in, rule->name, &text);
	users = text_take(&text);
	if (!users)
		return -ENOMEM;
	for (size_t i = 0; (rule->value || rule->merge) && i < in->plan->instance_count; i++) {
		if (rule_applies(rule, in, i) &&
		    add_instance_row(family, rule, in, &in->plan->instances[i], users, settings) < 0)
			return -ENOMEM;
	}
	settings_collapse(settings, first, in->plan->instance_count);
	return 0;
}

/* --no leaves an option nothing to do: not in silence. */
static int warn_left_out(const struct setting_family *family, const struct settings_input *in)
{
	const char *said = NULL;

	for (size_t i = 0; i < family->rule_count; i++) {
		const struct setting_rule *rule = &family->rules[i];

		if (!rule->option || (said && strcmp(said, rule->option) == 0))
			continue;
		if (rule->by_option ? !rule->by_option(in) : !rule->asked || !rule_applies(rule, in, 0))
			continue;
		said = rule->option;
		if (plan_note(&in->plan->warnings, family->name, NULL, "--%s has no effect: --no %s was given", said,
			      family->name) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int leave_out(const struct setting_family *family, const struct settings_input *in)
{
	const int r = family->left_out ? family->left_out(in) : 0;

	return r < 0 ? r : warn_left_out(family, in);
}

static int add_families(const struct settings_input *in, struct settings *settings)
{
	const struct wishes *wishes = &in->workload->wishes;

	for (const struct setting_family *const *f = setting_families; *f; f++) {
		if (wishes_without(wishes, (*f)->name) && leave_out(*f, in) < 0)
			return -ENOMEM;
	}
	for (const struct setting_family *const *f = setting_families; *f; f++) {
		if (wishes_without(wishes, (*f)->name))
			continue;
		for (size_t i = 0; i < (*f)->rule_count; i++) {
			if (add_rule(*f, &(*f)->rules[i], in, settings) < 0)
				return -ENOMEM;
		}
		if ((*f)->check && (*f)->check(in) < 0)
			return -ENOMEM;
	}
	return 0;
}

int settings_make(const struct machine *machine, const struct workload *workload, struct plan *plan,
		  struct settings **ret_settings, struct err *err)
{
	const struct settings_input in = { .machine = machine, .workload = workload, .plan = plan };
	cleanup_settings struct settings *settings = NULL;
	int r = wishes_check(&workload->wishes, err);

	if (r == 0)
		r = each_check(&in, err);
	for (const struct setting_family *const *f = setting_families; *f && r == 0; f++)
		r = (*f)->refuse && !wishes_without(&workload->wishes, (*f)->name) ? (*f)->refuse(&in, err) : 0;
	if (r < 0)
		return r;
	settings = calloc(1, sizeof(*settings));
	if (!settings || add_families(&in, settings) < 0 || wishes_rows(&in, settings) < 0 ||
	    each_rows(&in, settings) < 0 || record_clear_outer(&in, settings) < 0 || record_rows(&in, settings) < 0)
		return err_nomem(err);
	*ret_settings = TAKE(settings);
	return 0;
}

const struct setting *settings_find(const struct settings *settings, const char *name, unsigned instance)
{
	const struct setting *every = NULL;

	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->items[i];

		if ((setting->instance != (int)instance && setting->instance != EVERY_INSTANCE) ||
		    strcmp(setting->name, name) != 0)
			continue;
		if (setting->instance == (int)instance)
			return setting;
		every = setting;
	}
	return every;
}

bool settings_counts(const struct settings *settings, const struct setting *setting, unsigned instance)
{
	/* Most rows are another instance's: that needs no search. */
	if (setting->instance != (int)instance && setting->instance != EVERY_INSTANCE)
		return false;
	return settings_find(settings, setting->name, instance) == setting;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/saved_plan.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/record.h"
#include "base/text.h"
#include "cli/command.h"
#include "joint/decide.h"
#include "joint/plan_document.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "settings/record.h"
#include "settings/settings.h"

#include <string.h>

/* Every CPU the chosen instances were planned on must still be ours to use. */
static int check_cpus(const struct options *options, const struct decision *decision, struct err *err)
{
	const struct plan *plan = decision->plan;
	hwloc_const_bitmap_t allowed = decision->machine->limits.pus_os;
	cleanup_bitmap hwloc_bitmap_t missing = hwloc_bitmap_alloc();
	cleanup_free char *missing_text = NULL, *allowed_text = NULL;

	if (!missing)
		return err_nomem(err);
	for (size_t i = 0; i < plan->instance_count; i++) {
		if (options->request.has_instance && options->request.instance != i)
			continue;
		hwloc_bitmap_or(missing, missing, plan->instances[i].mask_os);
		hwloc_bitmap_or(missing, missing, plan->instances[i].pus_os);
	}
	hwloc_bitmap_andnot(missing, missing, allowed);
	if (hwloc_bitmap_iszero(missing))
		return 0;
	missing_text = cpulist_text(missing);
	allowed_text = cpulist_text(allowed);
	if (!missing_text || !allowed_text)
		return err_nomem(err);
	return err_set(err, -EINVAL, "plan '%s' wants CPUs %s, which may not be used now; allowed are %s",
		       options->plan_file, missing_text, allowed_text);
}

static bool users_word(const struct decision *decision, const struct setting *setting)
{
	const char *now = workload_user_value(&decision->workload, setting->name);

	return setting->environment && setting->origin == ORIGIN_PLAN && now &&
	       (!setting->value || strcmp(now, setting->value) != 0) &&
	       !record_owns(setting->name, strlen(setting->name));
}

/* The record names what fettle set: a variable that is the user's again goes out of it. */
static void forget_in_records(struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->count; i++) {
		if (strcmp(settings->items[i].name, RECORD_VARIABLE) == 0)
			record_forget(settings->items[i].value, name);
	}
}

static bool last_name_is(const char *names, const char *name)
{
	const char *last = names ? strrchr(names, ' ') : NULL;

	return names && strcmp(last ? last + 1 : names, name) == 0;
}

static int users_words_win(struct decision *decision, struct err *err)
{
	struct settings *settings = decision->settings;
	cleanup_text struct text names = TEXT_INIT;
	const size_t count = settings->count;
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (users_word(decision, &settings->items[i]))
			forget_in_records(settings, settings->items[i].name);
	}
	for (size_t i = 0; i < count; i++) {
		struct setting setting = settings->items[i];

		if (!users_word(decision, &setting)) {
			settings->items[kept++] = setting;
			continue;
		}
		/* One row an instance may carry the same name: they stand together. */
		if (!last_name_is(names.data, setting.name))
			text_add(&names, "%s%s", names.length ? ", " : "", setting.name);
		free(setting.name);
		free(setting.value);
		free(setting.why);
	}
	settings->count = kept;
	if (names.failed ||
	    (names.length && plan_note(&decision->plan->warnings, "user-variable", NULL,
				       "your own value stays instead of the plan's: %s", names.data) < 0))
		return err_nomem(err);
	return 0;
}

static int check_instance(const struct options *options, const struct decision *decision, struct err *err)
{
	const size_t count = decision->plan->instance_count;

	if (!options->request.has_instance || options->request.instance < count)
		return 0;
	return err_set(err, -EINVAL, "option '--instance': there is no instance %u in plan '%s', it has %zu (0-%zu)",
		       options->request.instance, options->plan_file, count, count - 1);
}

int saved_plan_take(const struct options *options, struct decision *decision, json_t **ret_request, struct err *err)
{
	int r = plan_document_read(options->plan_file, &decision->plan, &decision->settings, ret_request, err);

	if (r == 0)
		r = check_instance(options, decision, err);
	if (r == 0)
		r = check_cpus(options, decision, err);
	if (r < 0 && r != -ENOMEM)
		decision->exit_code = EXIT_USAGE;
	return r < 0 ? r : users_words_win(decision, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The row LD_PRELOAD. Ours come before the user's own preloads and never replace them; a library that the user
 * preloads too is there once.
 */
#include "settings/preload.h"

#include "base/cleanup.h"
#include "base/record.h"
#include "settings/rule.h"
#include "settings/user.h"
#include "target/target.h"

#include <string.h>

static const char *openmp_path(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return preload_refused(in) ? NULL : in->workload->openmp_preload;
}

static void openmp_explain(const struct settings_input *in, struct text *why)
{
	(void)in;
	text_add(why, "the OpenMP runtime that is to be in charge");
}

static const struct preload_source preload_openmp = { .path = openmp_path, .explain = openmp_explain };

static const struct preload_source *const sources[] = { &preload_agent, &preload_allocator, &preload_mkl,
							&preload_openmp };

const char *preload_refused(const struct settings_input *in)
{
	const struct target *target = in->workload->target;
	const struct wishes *wishes = &in->workload->wishes;

	if (wishes_without(wishes, family_preload.name))
		return "--no preload was given";
	if (wishes_set(wishes, "LD_PRELOAD") || wishes_unset(wishes, "LD_PRELOAD"))
		return "LD_PRELOAD is as asked on the command line";
	if (!target)
		return NULL;
	if (target->libc == TARGET_LIBC_NONE)
		return "the program is static";
	if (target->set_id)
		return "the program runs with another's rights, and the loader then ignores preloads";
	if (target->foreign)
		return "the program is for another architecture";
	return target->libc == TARGET_LIBC_GLIBC ? NULL : "the program's libc is not glibc";
}

bool preload_path_fits(const char *path)
{
	return !path[strcspn(path, PRELOAD_SEPARATORS "$")];
}

static bool preload_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (sources[i]->path(in, instance))
			return true;
	}
	return false;
}

/* Is this entry of LD_PRELOAD the file of this path, or (`by_name`) one of its file name? */
static bool is_library(const char *entry, size_t length, const char *path, bool by_name)
{
	const char *slash = memrchr(entry, '/', length);

	if (by_name && slash) {
		length -= (size_t)(slash + 1 - entry);
		entry = slash + 1;
	}
	return strlen(path) == length && memcmp(entry, path, length) == 0;
}

/* Copy a preload list without one library. The other entries and what separates them stay byte for byte. */
static void add_without(const char *list, const char *path, bool by_name, struct text *text)
{
	while (*list) {
		const size_t gap = strspn(list, PRELOAD_SEPARATORS);
		const size_t length = strcspn(list + gap, PRELOAD_SEPARATORS);

		if (!length || !is_library(list + gap, length, path, by_name)) {
			text_add_bytes(text, list, gap + length);
			list += gap + length;
			continue;
		}
		/* Our entry goes with one separator, so that taking it out undoes putting it in. */
		if (text->length || gap || !list[gap + length]) {
			text_add_bytes(text, list, gap ? gap - 1 : 0);
			list += gap + length;
		} else {
			list += gap + length + 1;
		}
	}
}

/* The same in place. */
static void take_out(struct text *list, const char *path, bool by_name)
{
	struct text shorter = TEXT_INIT;

	if (list->data)
		add_without(list->data, path, by_name, &shorter);
	shorter.failed |= list->failed;
	text_clear(list);
	*list = shorter;
}

static void preload_merge(const struct settings_input *in, const struct plan_instance *instance, const char *users,
			  struct text *value)
{
	cleanup_text struct text others = TEXT_INIT;

	text_add(&others, "%s", users);
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		const char *path = sources[i]->path(in, instance);

		if (!path)
			continue;
		text_add(value, "%s%s", value->length ? ":" : "", path);
		take_out(&others, path, false);
	}
	if (others.length)
		text_add(value, ":%s", others.data);
	value->failed |= others.failed;
}

/* What an outer fettle put in: the agent is known by its name, the others are named in its record. */
static void preload_users_part(const struct settings_input *in, const char *inherited, struct text *users)
{
	size_t length = 0;
	const char *names = record_field(workload_getenv(in->workload, RECORD_VARIABLE), "pre=", &length);
	cleanup_free char *list = names ? strndup(names, length) : NULL;
	char *rest = list;

	text_add(users, "%s", inherited);
	users->failed |= names && !list;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (sources[i]->name)
			take_out(users, sources[i]->name, true);
	}
	for (const char *name; (name = strsep(&rest, ",")) != NULL;)
		take_out(users, name, true);
}

static void preload_explain(const struct settings_input *in, struct text *why)
{
	const char *separator = "";

	for (size_t s = 0; s < ARRAY_SIZE(sources); s++) {
		bool wanted = false;

		for (size_t i = 0; i < in->plan->instance_count && !wanted; i++)
			wanted = sources[s]->path(in, &in->plan->instances[i]) != NULL;
		if (!wanted)
			continue;
		text_add(why, "%s", separator);
		sources[s]->explain(in, why);
		separator = "; ";
	}
}

void preload_names(const struct settings_input *in, const struct plan_instance *instance, struct text *names)
{
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		const char *path = sources[i]->name ? NULL : sources[i]->path(in, instance);
		const char *slash = path ? strrchr(path, '/') : NULL;

		/* What would break the record apart stays unnamed: a nested fettle then takes it for the user's. */
		if (path && !path[strcspn(path, ";,")])
			text_add(names, "%s%s", names->length ? "," : "", slash ? slash + 1 : path);
	}
}

static const struct setting_rule rules[] = {
	{ .name = "LD_PRELOAD",
	  .applies = preload_applies,
	  .merge = preload_merge,
	  .users_part = preload_users_part,
	  .why = "",
	  .explain = preload_explain },
};

const struct setting_family family_preload = {
	.name = "preload",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
};

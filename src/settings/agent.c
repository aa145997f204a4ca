/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent gives a forked child the instance's CPUs back when the OpenMP runtime has bound its parent's
 * main thread to one. It comes before the user's own preloads and never replaces them.
 */
#include "settings/agent.h"

#include "base/cleanup.h"
#include "settings/rule.h"
#include "settings/user.h"
#include "target/target.h"

#include <string.h>

#define SEPARATORS ": " /* of LD_PRELOAD, see ld.so(8) */

static bool pins_threads(const struct settings_input *in)
{
	for (size_t i = 0; i < in->plan->instance_count; i++) {
		if (in->plan->instances[i].pin == PIN_THREADS)
			return true;
	}
	return false;
}

const char *agent_refused(const struct settings_input *in)
{
	const struct target *target = in->workload->target;
	const struct wishes *wishes = &in->workload->wishes;
	const char *path = in->workload->agent_path;

	if (wishes_without(wishes, family_agent.name))
		return "--no agent was given";
	if (wishes_set(wishes, "LD_PRELOAD") || wishes_unset(wishes, "LD_PRELOAD"))
		return "LD_PRELOAD is as asked on the command line";
	if (!path)
		return "fettle's agent was not found";
	if (path[strcspn(path, SEPARATORS "$")])
		return "the agent's path holds a character that LD_PRELOAD cannot";
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

static bool preload_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	return (instance->pin == PIN_THREADS || in->workload->request.flush_denormals) && !agent_refused(in);
}

/* Is this entry our agent: the very path, or (`by_name`) another fettle's copy of it? */
static bool is_agent(const char *entry, size_t length, const char *path, bool by_name)
{
	const char *file = strrchr(path, '/');
	const size_t file_length = file ? strlen(file) : 0;

	if (strlen(path) == length && memcmp(entry, path, length) == 0)
		return true;
	return by_name && file && length >= file_length && memcmp(entry + length - file_length, file, file_length) == 0;
}

/* Copy a preload list without our agent. The other entries and what separates them stay byte for byte. */
static void add_without_agent(const char *list, const char *path, bool by_name, struct text *text)
{
	while (*list) {
		const size_t gap = strspn(list, SEPARATORS);
		const size_t length = strcspn(list + gap, SEPARATORS);

		if (!path || !length || !is_agent(list + gap, length, path, by_name)) {
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

static void preload_merge(const struct settings_input *in, const char *users, struct text *value)
{
	cleanup_text struct text others = TEXT_INIT;

	add_without_agent(users, in->workload->agent_path, false, &others);
	text_add(value, "%s", in->workload->agent_path);
	if (others.length)
		text_add(value, ":%s", others.data);
	value->failed |= others.failed;
}

static void preload_users_part(const struct settings_input *in, const char *inherited, struct text *users)
{
	add_without_agent(inherited, in->workload->agent_path, true, users);
}

static void preload_explain(const struct settings_input *in, struct text *why)
{
	const char *semicolon = "";

	if (pins_threads(in)) {
		text_add(why,
			 "gives forked children (data loaders) the instance's CPUs back: a runtime that pins threads "
			 "binds the main one, and children inherit its one CPU (seen with libgomp 12)");
		semicolon = "; it ";
	}
	if (in->workload->request.flush_denormals)
		text_add(why, "%sflushes denormals in every thread (--flush-denormals)", semicolon);
}

static const struct setting_rule rules[] = {
	{ .name = "LD_PRELOAD",
	  .applies = preload_applies,
	  .merge = preload_merge,
	  .users_part = preload_users_part,
	  .explain = preload_explain,
	  .why = "fettle's agent " },
};

static int agent_check(const struct settings_input *in)
{
	const char *reason = agent_refused(in);

	if (!reason || !pins_threads(in))
		return 0;
	return plan_note(&in->plan->warnings, "agent-not-loaded", NULL,
			 "children that the program forks stay on one CPU: %s (--pin instance avoids it)", reason);
}

const struct setting_family family_agent = {
	.name = "agent",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
	.check = agent_check,
	.left_out = agent_check,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent gives a forked child the instance's CPUs back when the OpenMP runtime has bound its parent's
 * main thread to one, flushes denormals, and writes down what only the program itself knows.
 */
#include "settings/agent.h"

#include "settings/preload.h"
#include "settings/rule.h"
#include "settings/user.h"

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
	const char *path = in->workload->agent_path;
	const char *refused = preload_refused(in);

	if (wishes_without(&in->workload->wishes, family_agent.name))
		return "--no agent was given";
	if (refused)
		return refused;
	if (!path)
		return "fettle's agent was not found";
	return preload_path_fits(path) ? NULL : "the agent's path holds a character that LD_PRELOAD cannot";
}

static const char *agent_library(const struct settings_input *in, const struct plan_instance *instance)
{
	const bool wanted =
		instance->pin == PIN_THREADS || in->workload->request.flush_denormals || in->workload->watched;

	return wanted && !agent_refused(in) ? in->workload->agent_path : NULL;
}

static void agent_explain(const struct settings_input *in, struct text *why)
{
	const char *semicolon = "";

	text_add(why, "fettle's agent ");
	if (pins_threads(in)) {
		text_add(why,
			 "gives forked children (data loaders) the instance's CPUs back: a runtime that pins threads "
			 "binds the main one, and children inherit its one CPU (seen with libgomp 12)");
		semicolon = "; it ";
	}
	if (in->workload->request.flush_denormals) {
		text_add(why, "%sflushes denormals in every thread (--flush-denormals)", semicolon);
		semicolon = "; it ";
	}
	if (in->workload->watched)
		text_add(why, "%swrites down what the program does (--verify, --require, --report)", semicolon);
}

const struct preload_source preload_agent = {
	.path = agent_library,
	.explain = agent_explain,
	.name = "libfettle-agent.so",
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
	.check = agent_check,
	.left_out = agent_check,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dry_run.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/quote.h"
#include "base/text.h"
#include "cli/colour.h"
#include "cli/plan_text.h"
#include "joint/decide.h"
#include "launch/supervise.h"
#include "plan/plan.h"
#include "settings/settings.h"

#include <string.h>

static void add_system_calls(const struct plan_instance *instance, const struct launch_program *program,
			     struct text *text)
{
	/* The kernel's names of the policies; NULL: no call is made. */
	static const char *const modes[MEMORY_POLICY_COUNT] = {
		[MEMORY_LOCAL] = "MPOL_LOCAL",
		[MEMORY_BIND] = "MPOL_BIND",
		[MEMORY_PREFERRED] = "MPOL_PREFERRED",
		[MEMORY_INTERLEAVE] = "MPOL_INTERLEAVE",
	};
	const char *mode = modes[instance->memory_policy];

	if (instance->pin != PIN_NONE) {
		cleanup_free char *cpus = cpulist_text(instance->mask_os);

		text_add(text, "  sched_setaffinity(0, CPUs %s)\n", cpus ? cpus : "?");
	}
	if (mode) {
		cleanup_free char *nodes = cpulist_text(instance->nodes_os);
		const bool several = hwloc_bitmap_weight(instance->nodes_os) > 1;

		if (instance->memory_policy == MEMORY_LOCAL)
			text_add(text, "  set_mempolicy(%s)\n", mode);
		else
			text_add(text, "  set_mempolicy(%s%s, nodes %s)\n", mode,
				 several && instance->memory_policy == MEMORY_PREFERRED ? "_MANY" : "",
				 nodes ? nodes : "?");
	}
	text_add(text, "  execve(");
	quote_word(text, program->path);
	text_add(text, ")\n");
}

static bool in_environment(const char *const *environment, const char *entry)
{
	for (; environment && *environment; environment++) {
		if (strcmp(*environment, entry) == 0)
			return true;
	}
	return false;
}

static void add_environment(const struct decision *decision, const struct launch_child *child, struct text *text)
{
	const struct settings *settings = decision->settings;

	for (char *const *entry = child->environment; *entry; entry++) {
		if (in_environment(decision->workload.environment, *entry))
			continue;
		text_add(text, "  ");
		quote_assignment(text, *entry);
		text_add(text, "\n");
	}
	for (size_t i = 0; i < settings->count; i++) {
		const struct setting *setting = &settings->items[i];

		if (setting->environment && !setting->value && workload_getenv(&decision->workload, setting->name) &&
		    settings_counts(settings, setting, child->instance->index))
			text_add(text, "  unset %s\n", setting->name);
	}
}

void dry_run_text(const struct decision *decision, const struct launch_program *program,
		  const struct launch_child *children, size_t count, struct text *text)
{
	plan_text_table(decision->machine, decision->plan, &colour_none, text);
	for (size_t i = 0; i < count; i++) {
		const unsigned index = children[i].instance->index;

		text_add(text, "\nSystem calls of instance %u%s\n", index, count > 1 ? ", a child of fettle" : "");
		add_system_calls(children[i].instance, program, text);
		text_add(text, "\nEnvironment of instance %u, where it changes\n", index);
		add_environment(decision, &children[i], text);
	}
	text_add(text, "\nProgram\n ");
	for (char *const *word = program->argv; *word; word++) {
		text_add(text, " ");
		quote_word(text, *word);
	}
	text_add(text, "\n");
	for (size_t i = 0; i < decision->plan->warnings.count; i++) {
		text_add(text, "%s  ", i ? "" : "\nWarnings\n");
		plan_text_shown(text, decision->plan->warnings.items[i].text);
		text_add(text, "\n");
	}
}

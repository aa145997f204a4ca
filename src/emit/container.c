/* SPDX-License-Identifier: Apache-2.0 */
#include "emit/container.h"

#include "base/text.h"
#include "emit/form.h"
#include "emit/memory.h"

#include <string.h>

static bool needs_policy(const struct emit_input *in, const struct plan_instance *instance, bool mems)
{
	return !(mems && instance->memory_policy == MEMORY_BIND) && !memory_by_first_touch(in, instance);
}

bool container_policy(const struct emit_input *in, const struct plan_instance *instance, bool mems, struct text *text)
{
	return needs_policy(in, instance, mems) && memory_numactl(instance, text);
}

bool container_any_policy(const struct emit_input *in, bool mems)
{
	for (size_t i = form_first(in); i < form_end(in); i++) {
		if (needs_policy(in, &in->plan->instances[i], mems))
			return true;
	}
	return false;
}

void container_preloads(const struct emit_input *in, const char *indent, struct text *text)
{
	const struct plan_instance *instance = &in->plan->instances[form_first(in)];
	const struct setting *preload = settings_find(in->settings, "LD_PRELOAD", instance->index);

	if (preload && preload->value)
		comment_add(
			text, indent,
			"The image must have what LD_PRELOAD names, or mount it: %s. The loader says so of one that is "
			"missing, and goes on without.",
			preload->value);
}

static bool any_preferred(const struct emit_input *in)
{
	for (size_t i = form_first(in); i < form_end(in); i++) {
		if (in->plan->instances[i].memory_policy == MEMORY_PREFERRED)
			return true;
	}
	return false;
}

void container_comments(const struct emit_input *in, bool mems, struct text *text)
{
	if (container_any_policy(in, mems))
		comment_add(text, "",
			    "The memory policy is set by numactl(8), which the image must have; a container may call "
			    "set_mempolicy(2) only with the capability SYS_NICE.");
	else if (any_preferred(in))
		comment_add(text, "",
			    "Memory needs no option: a page goes to the node of the CPU that touches it first%s",
			    mems ? ". (--cpuset-mems=NODE would keep all pages there, and a container that fills the "
				   "node would be killed.)"
				 : ".");
	container_preloads(in, "", text);
}

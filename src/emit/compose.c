/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service an instance (the Compose specification). It has a word for CPUs and none for memory nodes.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "emit/container.h"
#include "emit/form.h"
#include "emit/yaml.h"

#include <inttypes.h>

static int refuse(const struct emit_input *in, struct err *err)
{
	if (in->words[0] || !container_any_policy(in, false))
		return 0;
	return err_set(err, -EINVAL,
		       "the memory policy is set by numactl in front of the program, and no program is given");
}

static void add_environment(const struct emit_input *in, const struct plan_instance *instance, struct text *text)
{
	struct variable variable;
	const char *heading = "    environment:\n";

	for (size_t at = 0; variable_next(in, instance, &at, &variable); heading = "") {
		text_add(text, "%s      ", heading);
		yaml_add(text, variable.name, false);
		text_add(text, ":");
		if (variable.value) {
			text_add(text, " ");
			yaml_add(text, variable.value, true);
		}
		text_add(text, "\n");
	}
}

static void add_command(const struct emit_input *in, const char *policy, struct text *text)
{
	const char *comma = "";

	if (!in->words[0])
		return;
	text_add(text, "    command: [");
	if (policy) {
		text_add(text, "\"numactl\", \"%s\"", policy);
		comma = ", ";
	}
	for (char *const *word = in->words; *word; word++, comma = ", ") {
		text_add(text, "%s", comma);
		yaml_add(text, *word, true);
	}
	text_add(text, "]\n");
}

static void add_service(const struct emit_input *in, const struct plan_instance *instance, struct text *text)
{
	cleanup_text struct text policy = TEXT_INIT;
	uint64_t quota_milli, memory_bytes;

	comment_instance(instance, "  ", text);
	text_add(text, "  fettle-%u:\n    image: ${IMAGE:?name the image}\n    init: true\n", instance->index);
	if (instance->pin != PIN_NONE) {
		text_add(text, "    cpuset: \"");
		form_list(text, instance->mask_os);
		text_add(text, "\"\n");
	}
	if (form_quota(in, instance, &quota_milli))
		text_add(text, "    cpus: %" PRIu64 ".%03" PRIu64 "\n", quota_milli / 1000, quota_milli % 1000);
	if (form_memory_limit(in, &memory_bytes))
		text_add(text, "    mem_limit: %" PRIu64 "b\n", memory_bytes);
	if (container_policy(in, instance, false, &policy))
		text_add(text, "    cap_add: [SYS_NICE]\n");
	add_command(in, policy.data, text);
	add_environment(in, instance, text);
	text->failed |= policy.failed;
}

/* Does the plan take a variable out? */
static bool takes_out(const struct emit_input *in)
{
	struct variable variable;

	for (size_t i = form_first(in); i < form_end(in); i++) {
		for (size_t at = 0; variable_next(in, &in->plan->instances[i], &at, &variable);) {
			if (!variable.value)
				return true;
		}
	}
	return false;
}

static void write_form(const struct emit_input *in, struct text *text)
{
	comment_header(in, EMIT_COMPOSE, &form_compose, text);
	container_comments(in, false, text);
	if (takes_out(in))
		comment_add(text, "",
			    "A variable without a value is taken out of the image's, as long as the shell that runs "
			    "'docker compose' has none of that name.");
	comment_add(text, "", "Usage: IMAGE=name docker compose -f FILE up --abort-on-container-exit");
	text_add(text, "services:\n");
	for (size_t i = form_first(in); i < form_end(in); i++)
		add_service(in, &in->plan->instances[i], text);
}

const struct form form_compose = {
	.summary = "a Compose file with a service for each instance",
	.tool = "a Compose file",
	.utf8 = true,
	.refuse = refuse,
	.write = write_form,
};

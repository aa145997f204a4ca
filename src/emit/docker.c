/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container an instance. Docker binds to CPUs and to memory nodes by the cpuset; any other policy must be asked for
 * inside, where Docker's seccomp profile lets only CAP_SYS_NICE ask (docs.docker.com, seccomp security profiles).
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "emit/container.h"
#include "emit/script.h"

#include <inttypes.h>

static void add_limits(const struct emit_input *in, const struct plan_instance *instance, const char *indent,
		       struct text *text)
{
	uint64_t quota_milli, memory_bytes;

	if (instance->pin != PIN_NONE) {
		text_add(text, " \\\n%s\t--cpuset-cpus=", indent);
		form_list(text, instance->mask_os);
	}
	if (instance->memory_policy == MEMORY_BIND) {
		text_add(text, " \\\n%s\t--cpuset-mems=", indent);
		form_list(text, instance->nodes_os);
	}
	if (form_quota(in, instance, &quota_milli))
		text_add(text, " \\\n%s\t--cpus=%" PRIu64 ".%03" PRIu64, indent, quota_milli / 1000,
			 quota_milli % 1000);
	if (form_memory_limit(in, &memory_bytes))
		text_add(text, " \\\n%s\t--memory=%" PRIu64 "b", indent, memory_bytes);
}

static void command(const struct emit_input *in, const struct plan_instance *instance, const char *indent,
		    struct text *text)
{
	cleanup_text struct text policy = TEXT_INIT;

	text_add(text, "%sexec ", indent);
	script_unset(in, instance, text); /* docker would hand our own value on */
	text_add(text, "docker run --rm --init");
	add_limits(in, instance, indent, text);
	if (container_policy(in, instance, true, &policy))
		text_add(text, " \\\n%s\t--cap-add=SYS_NICE", indent);
	script_variables(in, instance, WORDS_DOCKER, indent, text);
	text_add(text, " \\\n%s\t%s\"$image\"", indent, form_end(in) - form_first(in) > 1 ? "\"${shared[@]}\" " : "");
	if (policy.data)
		text_add(text, " numactl %s", policy.data);
	text_add(text, " \"$@\"\n");
	text->failed |= policy.failed;
}

static const struct script_style style = { .command = command, .words = WORDS_DOCKER };

static void write_form(const struct emit_input *in, struct text *text)
{
	const bool several = form_end(in) - form_first(in) > 1;
	const bool policy = container_any_policy(in, true);

	script_begin(in, EMIT_DOCKER, &form_docker, several, text);
	container_comments(in, true, text);
	script_words(in, several ? "IMAGE=name bash FILE" : "IMAGE=name sh FILE", !policy, text);
	text_add(text, "image=${IMAGE:?name the image}\n\n");
	script_start(in, &style, text);
}

const struct form form_docker = {
	.summary = "a script that starts a container for each instance",
	.tool = "Docker",
	.utf8 = true,
	.write = write_form,
};

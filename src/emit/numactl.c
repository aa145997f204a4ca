/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each instance under numactl(8): CPUs and memory policy exactly as planned, or its error where they are refused.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "emit/memory.h"
#include "emit/script.h"

static void command(const struct emit_input *in, const struct plan_instance *instance, const char *indent,
		    struct text *text)
{
	cleanup_text struct text option = TEXT_INIT;

	text_add(text, "%sexec", indent);
	if (memory_numactl(instance, &option) || instance->pin != PIN_NONE)
		text_add(text, " numactl");
	if (instance->pin != PIN_NONE) {
		text_add(text, " --physcpubind=");
		form_list(text, instance->mask_os);
	}
	if (option.data)
		text_add(text, " %s", option.data);
	text->failed |= option.failed;
	script_environment(in, instance, indent, text);
}

static const struct script_style style = { .command = command };

static void write_form(const struct emit_input *in, struct text *text)
{
	const bool several = form_end(in) - form_first(in) > 1;

	script_begin(in, EMIT_NUMACTL, &form_numactl, several, text);
	script_words(in, several ? "bash FILE" : "sh FILE", false, text);
	script_start(in, &style, text);
}

const struct form form_numactl = {
	.summary = "a script that starts each instance under numactl(8)",
	.tool = "a script",
	.write = write_form,
};

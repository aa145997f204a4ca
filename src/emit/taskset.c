/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each instance under taskset(1), which binds to CPUs and knows no memory.
 */
#include "base/text.h"
#include "emit/memory.h"
#include "emit/script.h"

static void command(const struct emit_input *in, const struct plan_instance *instance, const char *indent,
		    struct text *text)
{
	text_add(text, "%sexec", indent);
	script_taskset(instance, text);
	script_environment(in, instance, indent, text);
}

static const struct script_style style = { .command = command };

static void write_form(const struct emit_input *in, struct text *text)
{
	const bool several = form_end(in) - form_first(in) > 1;

	script_begin(in, EMIT_TASKSET, &form_taskset, several, text);
	if (memory_any_asked(in))
		comment_add(text, "",
			    "Without the memory policy below: taskset(1) sets none, and a page goes to the node of the "
			    "CPU that touches it first. --emit numactl and --emit shell set it.");
	else if (memory_any(in))
		comment_add(text, "",
			    "No memory policy is set: a page goes to the node of the CPU that touches it first, which "
			    "is where the plan wants it.");
	script_words(in, several ? "bash FILE" : "sh FILE", false, text);
	script_start(in, &style, text);
}

const struct form form_taskset = {
	.summary = "a script that starts each instance under taskset(1)",
	.tool = "a script",
	.write = write_form,
};

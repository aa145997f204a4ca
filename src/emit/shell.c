/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine with a shell and util-linux: taskset(1) binds, and numactl(8) sets the memory policy where there is one.
 */
#include "emit/memory.h"
#include "emit/script.h"

static void write_form(const struct emit_input *in, struct text *text)
{
	const bool several = form_end(in) - form_first(in) > 1;

	script_begin(in, EMIT_SHELL, &form_shell, several, text);
	script_words(in, several ? "bash FILE" : "sh FILE", false, text);
	if (memory_any(in))
		script_with_memory(text);
	script_start(in, &script_portable_style, text);
}

const struct form form_shell = {
	.summary = "a script that needs a shell and taskset(1)",
	.tool = "a script",
	.write = write_form,
};

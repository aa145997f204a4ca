/* SPDX-License-Identifier: Apache-2.0 */
/*
 * torchrun starts the same words for each rank and has no option for CPUs or a rank's own variables: each rank becomes
 * its instance by itself.
 */
#include "base/text.h"
#include "emit/memory.h"
#include "emit/script.h"

static void write_form(const struct emit_input *in, struct text *text)
{
	const bool memory = memory_any(in);

	script_begin(in, EMIT_TORCHRUN, &form_torchrun, true, text);
	comment_add(
		text, "",
		"Ranks on other machines too: give torchrun --nnodes, --rdzv-backend and --rdzv-endpoint in place of "
		"--standalone, on machines like this one.");
	script_words(in, "bash FILE", false, text);
	if (memory)
		script_with_memory(text);
	script_instances(in, &script_portable_style, text);
	script_rank(in, memory ? "with_memory instance" : "instance", "LOCAL_RANK", text);
	comment_add(text, "",
		    "torchrun reads a worker's words as templates: '$$' is '$' to it, and $local_rank the rank.");
	text_add(text,
		 "exec torchrun --standalone --nproc-per-node=%zu --no-python \\\n"
		 "\tbash -c \"${start//[$]/\\$\\$}\"\n",
		 form_end(in) - form_first(in));
}

const struct form form_torchrun = {
	.summary = "a script that has torchrun start an instance for each rank",
	.tool = "a script",
	.write = write_form,
};

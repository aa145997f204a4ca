/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch script: one node for itself, one task an instance. srun binds, by masks of the kernel's CPU numbers, which
 * Slurm takes where the job has the whole node (srun(1), --cpu-bind). Each task becomes its instance by itself.
 */
#include "base/cleanup.h"
#include "base/text.h"
#include "emit/memory.h"
#include "emit/script.h"

#include <inttypes.h>
#include <stdlib.h>

/* "0xff00ff". hwloc's own hexadecimal form stands in groups of 32 bits with commas. */
static void add_mask(hwloc_const_bitmap_t set, struct text *text)
{
	const int last = hwloc_bitmap_last(set);
	bool any = false;

	text_add(text, "0x");
	for (int digit = last / 4; digit >= 0; digit--) {
		unsigned bits = 0;

		for (unsigned k = 0; k < 4; k++)
			bits |= hwloc_bitmap_isset(set, (unsigned)digit * 4 + k) ? 1U << k : 0;
		any |= bits != 0;
		if (any || digit == 0)
			text_add(text, "%x", bits);
	}
}

/* Slurm's "local" binds, and its "prefer" takes one node: what it has no word for, the task sets by itself. */
static bool slurm_sets(const struct emit_input *in, enum memory_policy policy)
{
	for (size_t i = form_first(in); i < form_end(in); i++) {
		const struct plan_instance *instance = &in->plan->instances[i];

		if (instance->memory_policy != policy ||
		    (policy == MEMORY_PREFERRED && hwloc_bitmap_weight(instance->nodes_os) != 1))
			return false;
	}
	return true;
}

static bool slurm_sets_memory(const struct emit_input *in)
{
	return slurm_sets(in, MEMORY_BIND) || slurm_sets(in, MEMORY_PREFERRED) || slurm_sets(in, MEMORY_NONE);
}

static void command(const struct emit_input *in, const struct plan_instance *instance, const char *indent,
		    struct text *text)
{
	text_add(text, "%s", indent);
	if (slurm_sets_memory(in))
		text_add(text, "exec");
	else
		script_memory(instance, text);
	script_environment(in, instance, indent, text);
}

static void add_request(const struct emit_input *in, struct text *text)
{
	uint64_t memory_bytes;
	unsigned cpus = 1;

	for (size_t i = form_first(in); i < form_end(in); i++) {
		const unsigned threads = in->plan->instances[i].threads;

		cpus = threads > cpus ? threads : cpus;
	}
	text_add(text,
		 "#SBATCH --job-name=fettle\n"
		 "#SBATCH --nodes=1\n"
		 "#SBATCH --exclusive\n"
		 "#SBATCH --ntasks=%zu\n"
		 "#SBATCH --cpus-per-task=%u\n",
		 form_end(in) - form_first(in), cpus);
	if (form_memory_limit(in, &memory_bytes))
		text_add(text, "#SBATCH --mem=%" PRIu64 "M\n", (memory_bytes * in->plan->instance_count) >> 20);
	else
		text_add(text, "#SBATCH --mem=0\n"); /* all of the node's */
}

static void add_cpu_bind(const struct emit_input *in, struct text *text)
{
	const char *before = "--cpu-bind=mask_cpu:";

	if (in->plan->instances[form_first(in)].pin == PIN_NONE) {
		text_add(text, "--cpu-bind=none");
		return;
	}
	for (size_t i = form_first(in); i < form_end(in); i++, before = ",") {
		text_add(text, "%s", before);
		add_mask(in->plan->instances[i].mask_os, text);
	}
}

static void add_mem_bind(const struct emit_input *in, struct text *text)
{
	const bool bind = slurm_sets(in, MEMORY_BIND), prefer = slurm_sets(in, MEMORY_PREFERRED);
	const char *before = bind ? "mask_mem:" : "prefer,map_mem:";

	text_add(text, "--mem-bind=");
	if (!bind && !prefer) {
		text_add(text, "none");
		return;
	}
	for (size_t i = form_first(in); i < form_end(in); i++, before = ",") {
		text_add(text, "%s", before);
		if (bind)
			add_mask(in->plan->instances[i].nodes_os, text);
		else
			form_list(text, in->plan->instances[i].nodes_os);
	}
}

static const struct script_style style = { .command = command };

static void write_form(const struct emit_input *in, struct text *text)
{
	const bool memory = !slurm_sets_memory(in);

	script_begin(in, EMIT_SLURM, &form_slurm, true, text);
	comment_add(
		text, "",
		"For a node like the one planned for, with TaskPlugin=task/affinity: name its partition or constraint "
		"below or to sbatch.");
	add_request(in, text);
	script_words(in, "sbatch FILE", false, text);
	if (memory)
		script_with_memory(text);
	script_instances(in, &style, text);
	comment_add(text, "",
		    "The job has the whole node; srun would take the count of CPUs for a wish to use no others, and "
		    "refuse the masks.");
	text_add(text, "unset SLURM_CPUS_PER_TASK SLURM_TRES_PER_TASK\n");
	script_rank(in, memory ? "with_memory instance" : "instance", "SLURM_LOCALID", text);
	text_add(text, "exec srun --ntasks=%zu --kill-on-bad-exit=1 \\\n\t", form_end(in) - form_first(in));
	add_cpu_bind(in, text);
	text_add(text, " \\\n\t");
	add_mem_bind(in, text);
	text_add(text, " \\\n\tbash -c \"$start\"\n");
}

const struct form form_slurm = {
	.summary = "a batch script that has srun start a task for each instance",
	.tool = "a script",
	.write = write_form,
};

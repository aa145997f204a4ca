/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open MPI 4 binds ranks by a rankfile, which takes the kernel's CPU numbers when told to, and otherwise counts by its
 * own; each instance is an application context of mpirun(1) with variables of its own.
 */
#include "base/text.h"
#include "emit/memory.h"
#include "emit/script.h"

static bool binds(const struct emit_input *in)
{
	return in->plan->instances[form_first(in)].pin != PIN_NONE;
}

/* The file is read more than once, so that a pipe will not do; as a descriptor it needs nobody to remove it. */
static void add_rankfile(const struct emit_input *in, struct text *text)
{
	text_add(text, "rankfile=$(mktemp) || exit\n"
		       "cat >\"$rankfile\" <<'END'\n");
	for (size_t i = form_first(in); i < form_end(in); i++) {
		text_add(text, "rank %zu=localhost slot=", i - form_first(in));
		form_list(text, in->plan->instances[i].mask_os);
		text_add(text, "\n");
	}
	text_add(text, "END\n"
		       "exec 3<\"$rankfile\" || exit\n"
		       "rm -f \"$rankfile\"\n\n");
}

static void add_context(const struct emit_input *in, const struct plan_instance *instance, struct text *text)
{
	const bool plain = instance->memory_policy == MEMORY_NONE;

	text_add(text, " \\\n\t-np 1%s", form_end(in) - form_first(in) > 1 ? " \"${shared[@]}\"" : "");
	script_variables(in, instance, WORDS_MPIRUN, "\t", text);
	text_add(text, " \\\n\t\t");
	script_unset(in, instance, text);
	text_add(text, "bash -c \"%s", plain ? "" : "$(declare -f with_memory); ");
	script_memory(instance, text);
	text_add(text, " $program\"");
}

static void write_form(const struct emit_input *in, struct text *text)
{
	const size_t first = form_first(in), end = form_end(in);

	script_begin(in, EMIT_OPENMPI, &form_openmpi, true, text);
	comment_add(
		text, "",
		"For Open MPI 4 (in a rankfile of 5 CPUs cannot be told by the kernel's numbers). It lets root start "
		"nothing unless OMPI_ALLOW_RUN_AS_ROOT and OMPI_ALLOW_RUN_AS_ROOT_CONFIRM are 1.");
	for (size_t i = first; i < end; i++)
		comment_instance(&in->plan->instances[i], "", text);
	script_words(in, "bash FILE", false, text);
	if (memory_any(in))
		script_with_memory(text);
	script_program(text);
	script_shared(in, WORDS_MPIRUN, "", text);
	if (binds(in))
		add_rankfile(in, text);
	text_add(text, "exec mpirun %s",
		 binds(in) ? "--mca rmaps_rank_file_physical 1 --use-hwthread-cpus --rankfile /dev/fd/3"
			   : "--bind-to none");
	for (size_t i = first; i < end; i++) {
		add_context(in, &in->plan->instances[i], text);
		text_add(text, i + 1 < end ? " :" : "\n");
	}
}

const struct form form_openmpi = {
	.summary = "a script that has mpirun start a rank for each instance",
	.tool = "a script",
	.write = write_form,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "emit/script.h"

#include "base/cleanup.h"
#include "base/quote.h"
#include "base/text.h"
#include "emit/memory.h"

#include <string.h>

void script_begin(const struct emit_input *in, enum emit_kind kind, const struct form *form, bool bash,
		  struct text *text)
{
	text_add(text, "#!/bin/%s\n", bash ? "bash" : "sh");
	comment_header(in, kind, form, text);
}

void script_words(const struct emit_input *in, const char *how, bool optional, struct text *text)
{
	const bool given = in->words[0] != NULL;

	comment_add(text, "", "Usage: %s%s", how, given ? "" : optional ? " [program [args]]" : " program [args]");
	text_add(text, "\n");
	if (!given) {
		if (!optional)
			text_add(text, "[ $# -gt 0 ] || { echo \"usage: $0 program [args]\" >&2; exit 2; }\n\n");
		return;
	}
	text_add(text, "set --");
	/* env(1) would take the program's name for a variable. */
	if (strchr(in->words[0], '='))
		text_add(text, " sh -c 'exec \"$@\"' sh");
	for (char *const *word = in->words; *word; word++) {
		text_add(text, " ");
		quote_in_script(text, *word);
	}
	text_add(text, "\n\n");
}

/* "NAME=value"; only the value is quoted where the name needs no quotes. */
static void add_assignment(const struct variable *variable, struct text *text)
{
	cleanup_text struct text whole = TEXT_INIT;
	static const char plain[] = "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	if (!variable->name[strspn(variable->name, plain)]) {
		text_add(text, "%s=", variable->name);
		if (*variable->value)
			quote_in_script(text, variable->value);
		return;
	}
	text_add(&whole, "%s=%s", variable->name, variable->value);
	if (whole.failed)
		text->failed = true;
	else
		quote_in_script(text, whole.data);
}

/* Several instances are written by bash, which has arrays. */
static bool shares(const struct emit_input *in)
{
	return form_end(in) - form_first(in) > 1;
}

void script_unset(const struct emit_input *in, const struct plan_instance *instance, struct text *text)
{
	struct variable variable;
	const char *env = "env ";

	for (size_t at = 0; variable_next(in, instance, &at, &variable);) {
		if (variable.value)
			continue;
		text_add(text, "%s-u ", env);
		quote_in_script(text, variable.name);
		text_add(text, " ");
		env = "";
	}
}

/* A variable's words behind `before`. */
static void add_variable(const struct variable *variable, enum script_words words, const char *before,
			 struct text *text)
{
	static const char *const set[] = { "", "-e ", "-x " }, *const unset[] = { "-u ", "-e ", NULL };

	if (variable->value) {
		text_add(text, "%s%s", before, set[words]);
		add_assignment(variable, text);
	} else if (unset[words]) {
		text_add(text, "%s%s", before, unset[words]);
		quote_in_script(text, variable->name);
	}
}

void script_variables(const struct emit_input *in, const struct plan_instance *instance, enum script_words words,
		      const char *indent, struct text *text)
{
	cleanup_text struct text before = TEXT_INIT;
	struct variable variable;

	text_add(&before, " \\\n%s\t", indent);
	for (size_t at = 0; variable_next(in, instance, &at, &variable);) {
		if ((variable.value || words != WORDS_ENV) && !(variable.shared && shares(in)))
			add_variable(&variable, words, before.data ? before.data : "", text);
	}
	text->failed |= before.failed;
}

/* env(1) would take a name that begins with a dash for an option. */
static bool has_dash(const struct emit_input *in, const struct plan_instance *instance)
{
	struct variable variable;

	for (size_t at = 0; variable_next(in, instance, &at, &variable);) {
		if (variable.value && *variable.name == '-')
			return true;
	}
	return false;
}

/* The shared variables that are set, or those that are taken out, a line each. */
static void add_shared(const struct emit_input *in, enum script_words words, bool set, const char *indent,
		       struct text *text)
{
	cleanup_text struct text before = TEXT_INIT;
	struct variable variable;

	text_add(&before, "\n%s\t", indent);
	for (size_t at = 0; variable_next(in, &in->plan->instances[form_first(in)], &at, &variable);) {
		if (variable.shared && set == (variable.value != NULL))
			add_variable(&variable, words, before.data ? before.data : "", text);
	}
	text->failed |= before.failed;
}

void script_shared(const struct emit_input *in, enum script_words words, const char *indent, struct text *text)
{
	if (!shares(in))
		return;
	text_add(text, "%s%sshared=(", indent, *indent ? "local -a " : "");
	add_shared(in, words, false, indent, text);
	if (words == WORDS_ENV && has_dash(in, &in->plan->instances[form_first(in)]))
		text_add(text, "\n%s\t--", indent);
	add_shared(in, words, true, indent, text);
	text_add(text, "\n%s)\n", indent);
}

void script_environment(const struct emit_input *in, const struct plan_instance *instance, const char *indent,
			struct text *text)
{
	struct variable variable;

	text_add(text, " env");
	for (size_t at = 0; variable_next(in, instance, &at, &variable);) {
		if (variable.value || (variable.shared && shares(in)))
			continue;
		text_add(text, " -u ");
		quote_in_script(text, variable.name);
	}
	if (shares(in))
		text_add(text, " \"${shared[@]}\"");
	else if (has_dash(in, instance))
		text_add(text, " --");
	script_variables(in, instance, WORDS_ENV, indent, text);
	text_add(text, " \\\n%s\t\"$@\"\n", indent);
}

void script_with_memory(struct text *text)
{
	comment_add(
		text, "",
		"Run a command under a memory policy, where numactl(8) is there and the kernel grants it (containers "
		"may not). Else a page goes to the node of the CPU that touches it first.");
	text_add(text, "with_memory() {\n"
		       "\tif numactl \"$1\" true 2>/dev/null; then\n"
		       "\t\texec numactl \"$@\"\n"
		       "\tfi\n"
		       "\tshift\n"
		       "\texec \"$@\"\n"
		       "}\n\n");
}

void script_memory(const struct plan_instance *instance, struct text *text)
{
	cleanup_text struct text option = TEXT_INIT;

	if (memory_numactl(instance, &option) && option.data)
		text_add(text, "with_memory %s", option.data);
	else
		text_add(text, "exec");
	text->failed |= option.failed;
}

void script_taskset(const struct plan_instance *instance, struct text *text)
{
	if (instance->pin == PIN_NONE)
		return;
	text_add(text, " taskset -c ");
	form_list(text, instance->mask_os);
}

void script_portable(const struct emit_input *in, const struct plan_instance *instance, const char *indent,
		     struct text *text)
{
	text_add(text, "%s", indent);
	script_memory(instance, text);
	script_taskset(instance, text);
	script_environment(in, instance, indent, text);
}

const struct script_style script_portable_style = { .command = script_portable };

void script_instances(const struct emit_input *in, const struct script_style *style, struct text *text)
{
	comment_add(text, "", "Become the instance that the first word names, with the program in the others.");
	text_add(text, "instance() {\n"
		       "\tlocal index=$1\n");
	script_shared(in, style->words, "\t", text);
	text_add(text, "\tshift\n"
		       "\tcase $index in\n");
	for (size_t i = form_first(in); i < form_end(in); i++) {
		const struct plan_instance *instance = &in->plan->instances[i];

		comment_instance(instance, "\t", text);
		text_add(text, "\t%u)\n", instance->index);
		style->command(in, instance, "\t\t", text);
		text_add(text, "\t\t;;\n");
	}
	text_add(text, "\tesac\n"
		       "\techo \"there is no instance $index in this plan\" >&2\n"
		       "\texit 125\n"
		       "}\n\n");
}

/* bash 5.1 is the first whose wait tells which child ended; without that a signal could pass for a child's end. */
static const char check_shell[] = "[ -n \"${BASH_VERSION-}\" ] || exec bash \"$0\" \"$@\"\n"
				  "if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 501)); then\n"
				  "\techo \"$0: needs bash 5.1 or newer\" >&2\n"
				  "\texit 125\n"
				  "fi\n\n";

static const char pass_signals[] = "declare -A running=()\n"
				   "signal=\n"
				   "pass() {\n"
				   "\tsignal=$1\n"
				   "\t[ ${#running[@]} -eq 0 ] || kill -s \"$1\" \"${!running[@]}\" 2>/dev/null\n"
				   "}\n"
				   "trap 'pass TERM' INT TERM\n"
				   "for name in HUP USR1 USR2; do\n"
				   "\ttrap \"pass $name\" \"$name\"\n"
				   "done\n\n";

static const char wait_for_all[] =
	"[ -z \"$signal\" ] || pass \"$signal\"\n"
	"code=0\n"
	"while [ ${#running[@]} -gt 0 ]; do\n"
	"\tended=\n"
	"\twait -n -p ended \"${!running[@]}\" 2>/dev/null\n"
	"\tlast=$?\n"
	"\tif [ -z \"${ended-}\" ]; then # a signal was passed on, or bash has let go of one already\n"
	"\t\tfor ended in \"${!running[@]}\" ''; do\n"
	"\t\t\t[ -n \"$ended\" ] && kill -0 \"$ended\" 2>/dev/null || break\n"
	"\t\tdone\n"
	"\t\t[ -n \"$ended\" ] || continue\n"
	"\t\twait \"$ended\"\n"
	"\t\tlast=$?\n"
	"\tfi\n"
	"\tindex=${running[$ended]}\n"
	"\tunset \"running[$ended]\"\n"
	"\tif [ $last -ne 0 ] && [ $code -eq 0 ]; then\n"
	"\t\tcode=$last\n"
	"\t\techo \"$0: instance $index: exit code $code\" >&2\n"
	"\t\tpass TERM\n"
	"\tfi\n"
	"done\n"
	"exit $code\n";

static void start_all(const struct emit_input *in, struct text *text)
{
	comment_add(text, "",
		    "Signals are passed on; the children of a script do not hear SIGINT, and get SIGTERM for it.");
	text_add(text, "%s", pass_signals);
	comment_add(text, "", "The first has the script's standard input, the others none.");
	text_add(text,
		 "instance 0 \"$@\" <&0 &\n"
		 "running[$!]=0\n"
		 "for ((index = 1; index < %zu; index++)); do\n"
		 "\tinstance \"$index\" \"$@\" </dev/null &\n"
		 "\trunning[$!]=$index\n"
		 "done\n\n",
		 form_end(in));
	comment_add(text, "", "The first to fail in time decides the exit code and stops the others.");
	text_add(text, "%s", wait_for_all);
}

void script_start(const struct emit_input *in, const struct script_style *style, struct text *text)
{
	const size_t first = form_first(in);

	if (form_end(in) - first == 1) {
		comment_instance(&in->plan->instances[first], "", text);
		style->command(in, &in->plan->instances[first], "", text);
		return;
	}
	text_add(text, "%s", check_shell);
	script_instances(in, style, text);
	start_all(in, text);
}

void script_program(struct text *text)
{
	text_add(text, "program=$(printf '%%q ' \"$@\")\n");
}

void script_rank(const struct emit_input *in, const char *functions, const char *variable, struct text *text)
{
	const size_t first = form_first(in);

	script_program(text);
	text_add(text, "start=\"$(declare -f %s); instance \\$", functions);
	if (first)
		text_add(text, "((%s + %zu))", variable, first);
	else
		text_add(text, "%s", variable);
	text_add(text, " $program\"\n");
}

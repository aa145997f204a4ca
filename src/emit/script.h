/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shell scripts: the parts that several forms are made of. The program's words are the script's "$@" everywhere, so
 * that they are quoted in one place.
 */
#pragma once

#include "emit/form.h"

/* Append a command that becomes the instance, from `indent` on: "exec ... "$@"" and a newline. */
typedef void script_command(const struct emit_input *in, const struct plan_instance *instance, const char *indent,
			    struct text *text);

/* The first line, for bash or any shell, and the opening comment. */
void script_begin(const struct emit_input *in, enum emit_kind kind, const struct form *form, bool bash,
		  struct text *text);

/*
 * How it is used, as "bash FILE", and the program's words: those given, or the script's own. `optional`: there may be
 * none.
 */
void script_words(const struct emit_input *in, const char *how, bool optional, struct text *text);

/* Whose words variables are, and how what is taken out stands among them. */
enum script_words {
	WORDS_ENV,    /* env(1): "-u NAME", before all that is set */
	WORDS_DOCKER, /* "-e NAME=value", "-e NAME" */
	WORDS_MPIRUN, /* "-x NAME=value", and not at all */
};

/* What every instance has alike is written once, where there are several: as the array `shared`. */
void script_shared(const struct emit_input *in, enum script_words words, const char *indent, struct text *text);

/* " env -u A "${shared[@]}" B=c "$@"", a line each, ending the command that began at `indent`. */
void script_environment(const struct emit_input *in, const struct plan_instance *instance, const char *indent,
			struct text *text);

/* The instance's own, each on a line that goes on from the one before; of env(1) only what is set. */
void script_variables(const struct emit_input *in, const struct plan_instance *instance, enum script_words words,
		      const char *indent, struct text *text);

/* "env -u A -u B " for what is taken out; nothing where nothing is. */
void script_unset(const struct emit_input *in, const struct plan_instance *instance, struct text *text);

/* The function with_memory, which runs a command under a policy as far as the machine lets it. */
void script_with_memory(struct text *text);

/* "with_memory --membind=0" where the instance has a policy, else "exec". */
void script_memory(const struct plan_instance *instance, struct text *text);

/* " taskset -c 0-3" where the instance is bound. */
void script_taskset(const struct plan_instance *instance, struct text *text);

/* The three above and the program: binds, and sets policy and variables, with what a machine with util-linux has. */
void script_portable(const struct emit_input *in, const struct plan_instance *instance, const char *indent,
		     struct text *text);

/* How a form writes its instances. */
struct script_style {
	script_command *command;
	enum script_words words;
};

/* The function instance, which becomes the instance named by its first word. */
void script_instances(const struct emit_input *in, const struct script_style *style, struct text *text);

/* Become the one instance, or start all and wait for them. */
void script_start(const struct emit_input *in, const struct script_style *style, struct text *text);

/*
 * For managers that start the same words for each rank: set $start to what bash does there, which is to become the
 * instance whose number `variable` holds, with the `functions` named.
 */
void script_rank(const struct emit_input *in, const char *functions, const char *variable, struct text *text);

/* Set $program: the program's words as one, quoted for the bash that takes them apart. mpirun(1) and srun(1) would take
 * a word ":" for the end of one command and the beginning of another. */
void script_program(struct text *text);

/* script_portable() as a style. */
extern const struct script_style script_portable_style;

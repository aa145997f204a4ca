/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first line of a script: which interpreter the kernel would start, and
 * which program env(1) would start in its turn. Text in, text out: no file is touched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What the kernel reads of a file to decide how to run it (BINPRM_BUF_SIZE since Linux 5.1). */
enum { SCRIPT_LINE_MAX = 256 };

struct script_line {
	char interpreter[SCRIPT_LINE_MAX];
	char argument[SCRIPT_LINE_MAX]; /* all the rest of the line, one argument; empty: none */
};

/* Read "#!interpreter [argument]". False: the kernel refuses this as a script (ENOEXEC). */
bool script_parse(const char *bytes, size_t length, struct script_line *ret_line);

/* The command that env starts, and where it looks for it. */
struct script_env {
	char words[SCRIPT_LINE_MAX]; /* what the texts below point into */
	const char *name;
	bool new_path;    /* env sets or unsets PATH first */
	const char *path; /* then: its value; NULL: unset */
};

/*
 * Read env's one argument ("NAME", or "-S [options] [VARIABLE=VALUE ...] NAME ...").
 * False: no command to be found there, or something only env itself can tell.
 */
bool script_env_parse(const char *argument, struct script_env *ret_env);

/*
 * The same of env as a command: "env", its options, the command with its own words, NULL. `ret_env->words` is not used:
 * its texts are some of `words`. `ret_command`: which of them is the command. False as above.
 */
bool script_env_words(char *const *words, struct script_env *ret_env, size_t *ret_command);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ELF file that runs in the end, through what only starts another program:
 * #! lines, env, pyenv's shims, and the two-line shell scripts that pip writes
 * where an interpreter's path is too long for a #! line. Works below a movable root.
 */
#pragma once

#include "target/target.h"

#include <stdbool.h>

struct err;
struct sysroot;

struct program {
	char *path;      /* whole path of the ELF file, links not followed; owned */
	char *argument;  /* of the last #! line: options of the interpreter, one text; NULL: none; owned */
	char *chosen_by; /* what made a shim start just this: "PYENV_VERSION" or a file; NULL: there was no shim; owned
			  */
	bool shell;      /* `path` is a shell, which may start other programs */
	bool followed;   /* `path` is not the file that was named */
	unsigned machine, class; /* e_machine; 32 or 64 */
	bool big;                /* byte order */
	bool secure;             /* it gets other rights than ours (secure.h) */
	enum target_libc libc;
};

/*
 * Follow `path` (whole, or seen from `folder`). Returns 0; -ENOEXEC: a broken ELF file at its end; -ELOOP; -ENOENT or
 * another -errno of a file on the way, all in words; -ENOMEM. Free with program_clear().
 */
int program_follow(const struct sysroot *root, const char *path, const char *const *environment, const char *folder,
		   struct program *ret_program, struct err *err);

/*
 * The same of a program with its words (argv[0] first, NULL-terminated; NULL: none). Where it is env, the command among
 * them is followed; what env would set for it is not seen, but for PATH. Where it is no Python and starts one
 * (starter.h), that is followed. `*ret_argv`: the words from the program on.
 */
int program_follow_words(const struct sysroot *root, const char *path, char *const *argv,
			 const char *const *environment, const char *folder, struct program *ret_program,
			 char *const **ret_argv, struct err *err);

void program_clear(struct program *program);
#define cleanup_program cleanup_(program_clear)

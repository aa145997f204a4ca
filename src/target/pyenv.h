/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pyenv's shims: shell scripts that start whichever version of a program the
 * environment or a file chooses. Reads what pyenv would read; pyenv itself is not run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct sysroot;

/* Is this the text of a shim in a folder named "shims"? */
bool pyenv_is_shim(const char *path, const char *text);

struct pyenv_choice {
	char *path; /* the program's file, owned; NULL: pyenv would look for it in PATH, outside of `shims` */
	char *from; /* what chose it: "PYENV_VERSION" or a file; owned */
};

/*
 * What the shim `path` starts, given the environment and the current folder (whole). Returns 0; -ENOENT: a chosen
 * version is not installed, and pyenv refuses; -ENOMEM. Free with pyenv_choice_clear().
 */
int pyenv_choose(const struct sysroot *root, const char *path, const char *const *environment, const char *folder,
		 struct pyenv_choice *ret_choice);

void pyenv_choice_clear(struct pyenv_choice *choice);
#define cleanup_pyenv_choice cleanup_(pyenv_choice_clear)

/*
 * The versions that a version file names, the first word of each line, as "3.12:3.11". Comments, and words with a
 * slash or a dot in front, are left out. NULL when memory ran out; the caller frees it.
 */
char *pyenv_versions(const char *text);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which environment a Python interpreter works in: where its packages are, and
 * where wheels put libraries that are no packages. Told from paths and files as
 * Python's own site.py does it (pyvenv.cfg, PYTHONPATH, the user's packages);
 * no interpreter is run.
 */
#pragma once

#include "base/words.h"

#include <stdbool.h>

struct err;
struct program;
struct sysroot;

enum python_kind {
	PYTHON_OTHER, /* built or unpacked somewhere */
	PYTHON_SYSTEM,
	PYTHON_VENV,
	PYTHON_CONDA,
	PYTHON_PYENV,
};

/* In the order of the enum: "other", "system" ... */
extern const char *const python_kinds[];

struct python {
	enum python_kind kind;
	char *prefix;       /* sys.prefix: the environment's folder; owned */
	char *base_prefix;  /* sys.base_prefix: the installation below it; owned */
	char *version;      /* "3.11"; NULL: unknown; owned */
	struct words sites; /* folders with packages, in the order of import, those that exist */
	const char *closed; /* its option by which it runs nothing of PYTHONPATH at its start: "-I"; NULL: none */
	struct words libs;  /* folders where a wheel's data files land ("lib" of the environment), those that exist */
};

/* Is this the file name of a Python interpreter: "python3.11", "pypy3"? */
bool python_is(const char *name);

/*
 * What the words `argv`, of which the first names a Python, have it run: `*ret_name` is the script, or with
 * `*ret_module` the module of -m; NULL: -c, or nothing. Returns the words that are the script's own, NULL-terminated;
 * all are borrowed.
 */
char *const *python_runs(char *const *argv, bool *ret_module, const char **ret_name);

/*
 * Find the environment of `program`, a Python interpreter. `argv`: the words the program was named with (argv[0] first,
 * NULL-terminated; NULL: none), read for -E, -I, -s and -S where they are the interpreter's own. Returns 0 or -ENOMEM.
 * The caller frees it with python_free().
 */
int python_find(const struct sysroot *root, const struct program *program, const char *const *environment,
		const char *folder, char *const *argv, struct python **ret_python, struct err *err);

/* The same at a smaller price: the folders with packages, and neither the kind nor `libs`. */
int python_find_sites(const struct sysroot *root, const struct program *program, const char *const *environment,
		      const char *folder, char *const *argv, struct python **ret_python, struct err *err);

void python_free(struct python *python);
static inline void python_free_(struct python **python)
{
	python_free(*python);
}
#define cleanup_python cleanup_(python_free_)

/*
 * The value of a key in the text of a pyvenv.cfg ("home = /usr/bin"), keys in any case. The last line with the key
 * counts, as in site.py. Returns 0, -ENOENT or -ENOMEM. The caller frees it.
 */
int python_config_value(const char *text, const char *key, char **ret_value);

/* SPDX-License-Identifier: Apache-2.0 */
/* What python.c (which environment) and python_sites.c (its folders) share. */
#pragma once

#include "base/words.h"

#include <stdbool.h>

struct python;
struct sysroot;

enum { PYTHON_CONFIG_MAX = 65536 }; /* bytes of a pyvenv.cfg or .pth file */

/* What the interpreter was told on its command line. */
struct python_flags {
	bool ignore_environment; /* -E, -I */
	bool no_user_site;       /* -s, -I */
	bool no_site;            /* -S */
	const char *closed;      /* the first of those that keep PYTHONPATH or site.py out; NULL: none */
};

struct python_finder {
	const struct sysroot *root;
	const char *const *environment;
	const char *folder;
	struct python_flags flags;
	char *config;      /* text of pyvenv.cfg; NULL: this is no venv */
	char *lib;         /* "python3.11": the folder of this version below lib; NULL: unknown */
	bool sites_only;   /* only the folders with packages are asked for */
	bool hidden;       /* .pth files whose names begin with a dot are read */
	struct words seen; /* the folders in `sites` and `libs` without links */
	struct python *python;
};

/* A variable the interpreter would look at, or NULL: unset, empty, or not looked at. */
const char *python_variable(const struct python_finder *finder, const char *name);

/* Fill `sites` and `libs`, once prefixes and version are known. Returns 0 or -ENOMEM. */
int python_add_folders(struct python_finder *finder);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Python packages that bring or load the libraries fettle knows: where in a
 * package's folder they are, and which of its files the loader starts from when
 * it is imported. Looks one level deep and into known sub-folders, however large a folder is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct python;
struct sysroot;
struct words;

struct package_rule;

struct package {
	char *name;                      /* "torch"; of a folder "scipy.libs": "scipy" */
	char *folder;                    /* whole path */
	const struct package_rule *rule; /* NULL: a folder of libraries that auditwheel made */
};

struct packages {
	struct package *items; /* known ones first, in the order of their table: frameworks come first */
	size_t count, capacity;
};

/* Find the packages in the environment's folders; of two with one name, the one that would be imported. -ENOMEM or 0.
 */
int packages_find(const struct sysroot *root, const struct python *python, struct packages *packages);

/* The first framework (see below) that is in the environment's folders; NULL: none is. -ENOMEM or 0. */
int packages_framework(const struct sysroot *root, const struct python *python, const char **ret_name);

/* Append the paths of the files in a package whose names are those of libraries we know. -ENOMEM or 0. */
int package_libraries(const struct sysroot *root, const struct package *package, struct words *paths);

/* Append the files that are opened when the package is imported and lead to the rest. -ENOMEM or 0. */
int package_modules(const struct sysroot *root, const struct package *package, struct words *paths);

/* Is it one that a deep-learning program is built on, so that its runtime counts before those of others? */
bool package_is_framework(const struct package *package);

void packages_clear(struct packages *packages);
#define cleanup_packages cleanup_(packages_clear)

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes somebody means by a name, or by "all that fettle started".
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;
struct sysroot;

/*
 * The roots of trees to look at: `name` as the kernel has it, or as the file name of the program or of the script it
 * runs; NULL: processes that carry a plan of fettle's and whose parents do not carry the same. Without `observer`, and
 * without those whose ancestor is among them. The caller frees `*ret_pids`. Returns 0, also when there is none, or
 * -ENOMEM.
 */
int observe_find(const struct sysroot *root, const char *name, pid_t observer, pid_t **ret_pids, size_t *ret_count,
		 struct err *err);

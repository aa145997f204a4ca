/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This machine as a captured root: the files of /sys, /proc and the cgroups that replaying it
 * needs, and nothing private. capture_table.c says which files these are.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct sysroot;

/*
 * Write the archive to `fd`, compressed as archive_filter() says. Its limits are those of the calling thread.
 * Returns 0, or -errno: -EOPNOTSUPP without the archive helper, -ENOENT when /sys does not show the CPUs.
 */
int capture_write(int fd, const char *filter, bool with_hostname, size_t *ret_files, struct err *err);

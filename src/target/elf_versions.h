/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symbol versions of an ELF file: which it needs of other libraries, as
 * GLIBC_2.38 of libc.so.6, and which it has itself. glibc's loader refuses a
 * library whose needs are not all met, whether it calls the functions or not.
 */
#pragma once

#include "base/words.h"

struct elf_versions {
	struct words files, needed; /* by index: this file must have this version */
	struct words defined;       /* the versions of its own */
};

/*
 * Read the open file `fd`. Needs marked weak are left out: the loader only warns of those. Returns 0, also for a file
 * without versions; -ENOEXEC for broken ones; -ENOMEM or the errno of a failed read. Free with elf_versions_clear().
 */
int elf_versions_read(int fd, struct elf_versions *ret_versions);

void elf_versions_clear(struct elf_versions *versions);
#define cleanup_elf_versions cleanup_(elf_versions_clear)

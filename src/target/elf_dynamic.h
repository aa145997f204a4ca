/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the dynamic section of an ELF file says to the dynamic loader: its own
 * name, the libraries it needs and where it wants them looked for. Reads the
 * file as a loader would map it (program headers, never section headers, which
 * may be stripped) and trusts none of its offsets.
 */
#pragma once

#include "base/words.h"

#include <stdbool.h>

struct elf_dynamic {
	unsigned machine; /* e_machine */
	unsigned class;   /* 32 or 64 */
	bool big;         /* byte order: most significant byte first */
	bool dynamic;     /* there is a dynamic section; without one all below is empty */
	bool no_default; /* linked with -z nodefaultlib: neither cache nor default folders are searched for its needs */
	char *soname;    /* DT_SONAME, owned; NULL: none */
	char *rpath;     /* DT_RPATH as written, owned; NULL: none */
	char *runpath;   /* DT_RUNPATH as written, owned; NULL: none */
	struct words needed; /* DT_NEEDED in their order */
};

struct elf_file;

/* The dynamic section of a file whose headers are read. Returns and gives as elf_dynamic_read(). */
int elf_dynamic(const struct elf_file *file, struct elf_dynamic *ret_dynamic);

/*
 * Read the open file `fd`. Returns 0; -ENOEXEC when it is no whole ELF program or library, or when its dynamic section
 * points outside the file; -ENOMEM or the errno of a failed read. Free with elf_dynamic_clear().
 */
int elf_dynamic_read(int fd, struct elf_dynamic *ret_dynamic);

void elf_dynamic_clear(struct elf_dynamic *dynamic);
#define cleanup_elf_dynamic cleanup_(elf_dynamic_clear)

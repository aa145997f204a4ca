/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an ELF file says about itself in its headers: for which machine it is
 * and which loader it asks for. Reads headers only, of either class and byte
 * order, and trusts none of the offsets in them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct elf_facts {
	unsigned machine; /* e_machine */
	unsigned class;   /* 32 or 64 */
	bool big;         /* byte order: most significant byte first */
	bool foreign;     /* class, byte order or machine differ from the caller's own */
	char *loader;     /* PT_INTERP, owned; NULL: the kernel starts the file itself (static, static-pie, a loader) */
};

/* Do these first bytes of a file promise an ELF file? */
bool elf_begins(const char *bytes, size_t length);

struct elf_file;

/* The facts of a file whose headers are read. Returns and gives as elf_read(). */
int elf_facts(const struct elf_file *file, struct elf_facts *ret_facts);

/*
 * Read the facts of the open file `fd`. Returns 0; -ENOEXEC when the kernel would refuse to
 * load it (cut off, not a program, senseless headers); -ENOMEM or the errno of a failed read.
 * The caller frees `ret_facts->loader`.
 */
int elf_read(int fd, struct elf_facts *ret_facts);

/* The same of the program this code is in; its loader is left out. */
struct elf_facts elf_own(void);

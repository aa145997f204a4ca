/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The dynamic section of an ELF file as a loader finds it: its entries, the
 * texts they point to, and where in the file an address is. What elf_dynamic.c and elf_versions.c stand on.
 */
#pragma once

#include "target/elf_file.h"

struct elf_section {
	const struct elf_file *file; /* borrowed */
	unsigned char *entries;      /* owned */
	size_t count;
	uint64_t text_position, text_length; /* the table of texts, in the file */
};

/* Read the section of an opened file. Returns 0; -ENOENT: it has none; -ENOEXEC: it points outside; another -errno. */
int elf_section_open(const struct elf_file *file, struct elf_section *ret_section);

void elf_section_close(struct elf_section *section);
#define cleanup_elf_section cleanup_(elf_section_close)

/* Entry `i`. False behind the last. */
bool elf_section_entry(const struct elf_section *section, size_t i, uint64_t *ret_tag, uint64_t *ret_value);

/* The text at an offset in the table. Returns 0, -ENOEXEC or -ENOMEM. The caller frees it. */
int elf_section_text(const struct elf_section *section, uint64_t offset, char **ret_text);

/* Where in the file is what will be mapped at `address`, and how many bytes of the file follow there? 0 or -ENOEXEC. */
int elf_section_place(const struct elf_section *section, uint64_t address, uint64_t *ret_position,
		      uint64_t *ret_length);

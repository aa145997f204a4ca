/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An ELF file as its header and program headers describe it, of either class
 * and byte order: the ground on which elf.c and elf_dynamic.c stand. No offset
 * in the file is trusted; everything read is checked against the file's end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_layout;
struct elf_window;

struct elf_file {
	int fd;
	const struct elf_layout *layout; /* where this class keeps its fields */
	bool big;                        /* byte order */
	unsigned class;                  /* 32 or 64 */
	unsigned machine;                /* e_machine */
	unsigned char *segments;         /* the program headers, owned */
	size_t segment_count;
	struct elf_window *window; /* the bytes read last, owned */
};

struct elf_segment {
	uint64_t type, position, address, content; /* p_type, p_offset, p_vaddr, p_filesz */
};

/*
 * Read the headers of the open file `fd`, which stays the caller's. Returns 0; -ENOEXEC for what the kernel or a
 * loader would refuse (cut off, neither program nor library, senseless headers); -ENOMEM or the errno of a failed read.
 */
int elf_file_open(int fd, struct elf_file *ret_file);

void elf_file_close(struct elf_file *file);
#define cleanup_elf_file cleanup_(elf_file_close)

/* The program header `i`, which must be below `segment_count`. */
struct elf_segment elf_file_segment(const struct elf_file *file, size_t i);

/* Exactly `length` bytes at `position`; -ENOEXEC where the file ends before, or the errno of a failed read. */
int elf_file_read(const struct elf_file *file, void *buffer, size_t length, uint64_t position);

/* The size of one entry of the dynamic section, and the entry at `bytes`: d_tag and d_val. */
size_t elf_file_entry_size(const struct elf_file *file);
void elf_file_entry(const struct elf_file *file, const unsigned char *bytes, uint64_t *ret_tag, uint64_t *ret_value);

/* Class, byte order and machine of the program this code is in. */
void elf_file_own(unsigned *ret_class, bool *ret_big, unsigned *ret_machine);

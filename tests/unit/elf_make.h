/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prepared trees for the tests of src/target: folders, files, links, and ELF
 * files of any class, byte order and machine that hold nothing but what a loader reads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What is left out is an x86-64 library; `interpreter` makes it a program. */
struct elf_make {
	unsigned class, machine;
	bool big;
	const char *soname, *rpath, *runpath, *interpreter;
	const char *needed[8];
	unsigned long flags_1; /* DT_FLAGS_1 */
};

enum { ELF_MAKE_MAX = 4096, ELF_MAKE_ADDRESS = 0x10000 };

/* Write the file's bytes; returns their number. The file is mapped at ELF_MAKE_ADDRESS. */
size_t elf_make_bytes(const struct elf_make *make, unsigned char bytes[ELF_MAKE_MAX]);

/* Below `tree`, with the folders on the way. What cannot be made ends the test. */
void tree_make_elf(const char *tree, const char *path, const struct elf_make *make);
void tree_make_text(const char *tree, const char *path, const char *text);
void tree_make_bytes(const char *tree, const char *path, const void *bytes, size_t length);
void tree_make_folder(const char *tree, const char *path);
void tree_make_link(const char *tree, const char *path, const char *to);

/* A new empty folder in /tmp; `tree_remove` takes it away with all that is in it and frees the name. */
char *tree_make(void);
void tree_remove(char *tree);
static inline void tree_remove_(char **tree)
{
	tree_remove(*tree);
}
#define cleanup_tree cleanup_(tree_remove_)

/*
 * A cache as ldconfig writes it: `entries` are pairs of name and path, NULL-terminated. `flags` of each entry are those
 * of a glibc library on x86-64. `old`: behind a header of the older format.
 */
void tree_make_cache(const char *tree, const char *const *entries, bool old);

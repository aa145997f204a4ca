/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of library folders in files: /etc/ld.so.conf of glibc's ldconfig with
 * what it includes, and /etc/ld-musl-<arch>.path of musl's loader.
 */
#pragma once

#include <stddef.h>

struct sysroot;
struct words;

/* One line of ld.so.conf. `text` ends where `length` says; `ret_value` borrows from it. */
enum ld_conf_kind {
	LD_CONF_NOTHING, /* empty, a comment, or "hwcap" of old */
	LD_CONF_FOLDER,  /* value: one folder, without the "=libc6" of old */
	LD_CONF_INCLUDE, /* value: patterns of file names with blanks between them */
};
enum ld_conf_kind ld_conf_line(const char *text, size_t length, const char **ret_value, size_t *ret_length);

/*
 * Append the folders that `path` ("/etc/ld.so.conf") and the files it includes name, in their order. Files that cannot
 * be read count as empty; includes that go deeper than eight files, or on for more than 1024 in all, are left.
 * Returns 0; -ENOENT or another errno when `path` itself cannot be read; -ENOMEM.
 */
int ld_conf_folders(const struct sysroot *root, const char *path, struct words *folders);

/* Append the folders of a musl list: separated by newlines or colons. Returns 0 or -ENOMEM. */
int ld_conf_musl(const char *text, struct words *folders);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words quoted so that a shell gives them back byte for byte.
 */
#pragma once

struct text;

/* Append one word. Bytes that would not show, or break the line, are written as $'\NNN' (bash, zsh, ksh, busybox). */
void quote_word(struct text *text, const char *word);

/*
 * The same for a file that any shell may read: what is not plain stands in '...' with its bytes as they are, since
 * $'...' is not POSIX's.
 */
void quote_in_script(struct text *text, const char *word);

/* Append "NAME=value" with only the value quoted. */
void quote_assignment(struct text *text, const char *entry);

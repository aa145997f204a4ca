/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which functions a library gives to others: its dynamic symbols, by the hash table the loader itself looks them up in.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Does the open file `fd` define the symbols `names`? Fills ret_defined[0..count). Returns 0, also for a file without
 * a dynamic section, which gives nobody anything; -ENOEXEC for a broken one; -ENOMEM or the errno of a failed read.
 * Local to the caller: safe from any thread.
 */
int elf_symbols_defined(int fd, const char *const *names, size_t count, bool *ret_defined);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that are there to start others: shells, what makes an environment first (conda, uv), and what stands in
 * front of a command ("timeout 5 python3 x.py"). Told by names and words alone; env, which says what it starts, is read
 * in script.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Is a program of this name, without folders, a shell? */
bool starter_is_shell(const char *name);

/*
 * Which of the words, of which the first is the program, names the Python that it starts: the first after it that has a
 * Python's name, with or without folders. 0: none, or the program is a Python itself. `words`: NULL-terminated, may be
 * empty.
 */
size_t starter_python(char *const *words);

/*
 * The name of the program where it starts ranks, on this machine or others, and places them itself: mpirun, mpiexec,
 * srun. NULL: it does not. Borrows from `words`.
 */
const char *starter_of_ranks(char *const *words);

/*
 * The name of the program where it starts others: of its interpreter if that is a shell, else of its first word. NULL:
 * it is none as far as can be told. `interpreter`: the ELF file that runs in the end. Borrows from both.
 */
const char *starter_name(const char *interpreter, char *const *words);

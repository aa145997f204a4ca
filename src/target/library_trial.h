/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can a library be loaded into a program? The program's own loader is asked, and no code of either runs.
 */
#pragma once

struct err;

/*
 * Have the program's own dynamic loader load the library into the program, resolve every name in it, and stop before
 * any code of either has run (as ldd -r does). `library_path`: LD_LIBRARY_PATH, or NULL. Returns 0 and NULL when the
 * library is there then, else why not in one line, which the caller frees; -ENOMEM, or -errno when no child could be
 * started.
 */
int library_try(const char *program, const char *library, const char *library_path, char **ret_why_not,
		struct err *err);

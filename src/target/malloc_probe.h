/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a library load where a program will run, and does it answer malloc there? Asked of a small program of ours
 * under the program's own dynamic loader; the program itself is never run.
 */
#pragma once

struct err;

/* How long a library may take to say anything. A good one takes milliseconds. */
enum { MALLOC_PROBE_SECONDS = 5 };

struct malloc_probe {
	const char *helper;       /* fettle-probe */
	const char *loader;       /* the program's dynamic loader; NULL: the helper's own */
	const char *library;      /* whole path, as it will stand in LD_PRELOAD */
	const char *library_path; /* LD_LIBRARY_PATH; NULL: unset */
};

/*
 * Try it. Returns 0 and `*ret_why_not` NULL when it loads and answers malloc, else the reason in one line, which the
 * caller frees; -ENOMEM or another -errno when no child could be started.
 */
int malloc_probe(const struct malloc_probe *probe, char **ret_why_not, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between machines in the dynamic loader's world: folder names, what $LIB and $PLATFORM stand for,
 * and which CPUs may use which glibc-hwcaps folder.
 */
#pragma once

#include <stdbool.h>

struct loader_machine {
	unsigned machine, class; /* e_machine; 32 or 64 */
	bool big;                /* byte order */
	const char *name;        /* in messages: "x86-64" */
	const char *tuple;       /* Debian's folder below lib: "x86_64-linux-gnu" */
	const char *lib;         /* everybody else's folder: "lib64" */
	const char *platform;    /* $PLATFORM; NULL: the kernel's word for it changes with the CPU */
	const char *musl;        /* as in ld-musl-x86_64.so.1 */
};

/* NULL: a machine we do not know. */
const struct loader_machine *loader_machine_find(unsigned machine, unsigned class, bool big);

/* "x86-64", "32-bit Arm", or "machine 83". `buffer` is used where there is no name for it. */
const char *loader_machine_name(unsigned machine, unsigned class, bool big, char *buffer, unsigned size);

/*
 * The subfolders of glibc-hwcaps whose libraries the CPU we run on can execute, best first, NULL-terminated; empty
 * for a machine that is not ours.
 */
const char *const *loader_machine_hwcaps(unsigned machine, unsigned class);

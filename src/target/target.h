/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the program to be run is, without running it: which file PATH means,
 * ELF or script, which interpreter ends up in charge, and what of preloading
 * and environment variables can reach it.
 */
#pragma once

#include <stdbool.h>

struct err;

enum target_libc {
	TARGET_LIBC_UNKNOWN, /* no ELF file was found at the end of the chain */
	TARGET_LIBC_NONE,    /* static: no dynamic loader, nothing can be preloaded */
	TARGET_LIBC_GLIBC,
	TARGET_LIBC_MUSL,
	TARGET_LIBC_OTHER, /* a loader we do not know */
};

struct target {
	char *path;        /* the file execve() gets */
	char *interpreter; /* the ELF file that runs in the end: `path` itself, or the end of its #! chain */
	char *loader;      /* the dynamic loader that the interpreter names; NULL: static, or unknown */
	bool script;       /* `path` begins with #! */
	bool set_id; /* started by us it gets other rights (secure.h): the loader drops LD_PRELOAD and GLIBC_TUNABLES */
	bool foreign; /* ELF class or machine is not ours: our preloads do not fit */
	enum target_libc libc;
	unsigned elf_machine; /* e_machine of `interpreter`; 0 unknown */
	unsigned elf_class;   /* 32 or 64; 0 unknown */
	bool links_compute;   /* the interpreter needs the C++ library, or an OpenMP, BLAS or oneDNN one */
	bool own_libraries;   /* its DT_RPATH comes before all other folders, for what a preload needs too */
	bool links_malloc;    /* it needs a malloc of its own: an allocator's library or a sanitizer's */
};

/*
 * Look up `name` as execvp() would (`search_path`: the PATH to use, NULL for the
 * system default) and read what it is. A file that is neither ELF nor #! is a script for
 * /bin/sh, as execvp() treats it. `#!/usr/bin/env NAME` is followed through PATH.
 * Returns 0; -ENOENT: not found (exit 127); -EACCES, -ENOEXEC, -EISDIR: found and not executable (exit 126).
 */
int target_read(const char *name, const char *search_path, struct target **ret_target, struct err *err);

/*
 * May it do deep learning: does it link what such programs link? Told from the facts above; false for one that brings
 * its own malloc. False for Python and for scripts, whose files do not tell: see framework.h.
 */
bool target_may_compute(const struct target *target);

/* The C library whose dynamic loader has this path; TARGET_LIBC_OTHER: one we do not know. */
enum target_libc target_libc_of(const char *loader);

void target_free(struct target *target);
static inline void target_free_(struct target **target)
{
	target_free(*target);
}
#define cleanup_target cleanup_(target_free_)

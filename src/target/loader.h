/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the dynamic loader of one program looks for a library, and which file
 * it would take: glibc's order as in ld.so(8), musl's as in its ldso. Follows
 * the rules without running the loader.
 */
#pragma once

#include "base/words.h"
#include "target/elf_dynamic.h"
#include "target/ld_cache.h"
#include "target/target.h"
#include "target/tree.h"

#include <stdbool.h>

struct err;

/* The program, as far as its loader minds it. */
struct loader_program {
	const char *path; /* whole path of the ELF file; NULL: none in particular */
	enum target_libc libc;
	unsigned machine, class; /* e_machine; 32 or 64 */
	bool big;                /* byte order */
	bool secure;             /* set-user-id and the like: LD_LIBRARY_PATH and $ORIGIN do not count */
};

/* How a name was found. */
enum loader_way {
	LOADER_NAMED,        /* the name is a path */
	LOADER_RPATH,        /* DT_RPATH of the one who needs it, or of who loaded that one */
	LOADER_LIBRARY_PATH, /* LD_LIBRARY_PATH */
	LOADER_RUNPATH,      /* DT_RUNPATH of the one who needs it */
	LOADER_CACHE,        /* /etc/ld.so.cache */
	LOADER_DEFAULT,      /* the loader's own folders, or those of /etc/ld-musl-<arch>.path */
};

/* In the order of the enum: "RUNPATH", "/etc/ld.so.cache" ... */
extern const char *const loader_ways[];

/* Who asks for a library: the search paths of a loaded file, and who loaded it. */
struct loader_asker {
	const char *origin; /* its folder, for $ORIGIN */
	const char *rpath, *runpath;
	bool no_default;
	const struct loader_asker *by; /* NULL: the program itself */
};

struct loader_file {
	char *path; /* owned */
	struct tree_id id;
	struct elf_dynamic dynamic; /* owned */
	enum loader_way way;
	const char *why_stopped; /* in words that follow "which": "is a folder"; NULL: it is a library that fits */
};

enum loader_answer {
	LOADER_NONE,    /* there is no such file */
	LOADER_FOUND,   /* this file */
	LOADER_STOPPED, /* the search ends at a file that is in the way and no library: the loader gives up */
};

struct loader {
	const struct sysroot *root; /* borrowed */
	struct loader_program program;
	char *origin;              /* folder of the program's file without links; NULL: unknown */
	char *folder;              /* what a path that is not whole is seen from */
	struct words library_path; /* LD_LIBRARY_PATH, whole */
	struct words defaults;     /* searched last */
	const char *const
		*hwcaps; /* subfolders of glibc-hwcaps that this CPU is good for, best first; NULL-terminated */
	const char *lib, *platform; /* $LIB and $PLATFORM */
	char *cache_bytes;
	struct ld_cache cache; /* no entries where there is no cache */
	bool cache_broken;     /* there is one, and it cannot be read */
};

/*
 * Set up for a program. `library_path` is the value of LD_LIBRARY_PATH (NULL: unset), `folder` what paths that are not
 * whole are seen from. `root` and the texts of `program` must outlive the loader. Returns 0 or -ENOMEM.
 */
int loader_init(struct loader *loader, const struct sysroot *root, const struct loader_program *program,
		const char *library_path, const char *folder, struct err *err);
void loader_clear(struct loader *loader);
#define cleanup_loader cleanup_(loader_clear)

/*
 * Find the file for a name as the loader would for `asker` (NULL: for the program, which has no search paths of its
 * own). What does not open is passed over, and by glibc also an ELF file of another class or machine. Anything else
 * that opens ends the search, library or not: a folder, a text for the linker, a file cut off, with musl a library for
 * another machine. A link in a circle ends the list of folders it was met in. Returns one of enum loader_answer, with a
 * file for loader_file_clear() unless it is LOADER_NONE, or -ENOMEM.
 */
int loader_find(const struct loader *loader, const char *name, const struct loader_asker *asker,
		struct loader_file *ret_file);

/*
 * Read one file as a library. Returns 1 when it is one this program's loader takes, 0 when it is a library of another
 * kind (`ret_file` is filled all the same), -ENOEXEC when it is none, or another -errno.
 */
int loader_read(const struct loader *loader, const char *path, struct loader_file *ret_file);

/*
 * Append the folders of a search path ("a:b"), with $ORIGIN, $LIB and $PLATFORM put in. Entries that need an unknown
 * or forbidden $ORIGIN are left out. Returns 0 or -ENOMEM.
 */
int loader_folders(const struct loader *loader, const char *search_path, const char *separators, const char *origin,
		   struct words *folders);

void loader_file_clear(struct loader_file *file);
#define cleanup_loader_file cleanup_(loader_file_clear)

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file that the agents of one instance write into (base/agent_record.h): made here before the instance starts, or
 * found by the FETTLE_PLAN of a process. It is memory without a name: it is gone when the last who has it open or
 * mapped is, however that ends.
 */
#pragma once

#include "base/agent_record.h"

#include <stdbool.h>

struct err;
struct sysroot;

struct agent_file {
	int fd;
	const struct agent_record *record; /* mapped to be read */
};

#define AGENT_FILE_INIT  \
	{                \
		.fd = -1 \
	}

/*
 * Make one for an instance. `environment` is what it is to be started with: the values of the variables that its
 * FETTLE_PLAN names are noted, so that changes show. The descriptor is close-on-exec; the calling process must live as
 * long as new programs of the instance are to find the file. Returns 0; -ENOMEM; or -errno of the kernel's refusal
 * (old kernels, a limit on the size of files, seccomp) with one line: without it there is no record, and nothing else.
 */
int agent_file_make(const char *const *environment, struct agent_file *ret_file, struct err *err);

/*
 * Tell the agents: put the place of the file, as a descriptor of the calling process, into the FETTLE_PLAN of an
 * environment of which each word is owned by malloc. Without one in it nothing is done. Returns 0 or -ENOMEM.
 */
int agent_file_tell(const struct agent_file *file, char **environment);

/*
 * Open, to read, the one that a FETTLE_PLAN names, of any process below `root` (the running machine only). Returns 0;
 * -ENOENT: it names none, or its fettle has ended; -errno of a refusal; -EINVAL: what is there is no such file.
 */
int agent_file_find(const struct sysroot *root, const char *plan, struct agent_file *ret_file);

/* Does the plan name one? */
bool agent_file_named(const char *plan);

void agent_file_close(struct agent_file *file);
#define cleanup_agent_file cleanup_(agent_file_close)

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `--machine SPEC` means, and the bytes behind it. Reads files, never interprets them.
 */
#pragma once

#include "machine/archive.h"
#include "machine/machine.h"

#include <stddef.h>

struct err;

struct source {
	enum machine_source kind;
	char *name;                   /* as given; "live" for this machine */
	char *bytes;                  /* XML, synthetic or lscpu text, NUL-terminated; NULL for live */
	size_t length;                /* without the NUL */
	char *dir;                    /* a captured root's directory; NULL for the others */
	struct archive_helper helper; /* keeps `dir` when an archive was unpacked into it */
};

#define SOURCE_INIT                                                  \
	{                                                            \
		.kind = MACHINE_LIVE, .helper = ARCHIVE_HELPER_INIT, \
	}

/*
 * Tell the forms of contract.md apart and read the file, if there is one; an archive is unpacked.
 * Only directories and regular files of at most 64 MiB are taken: a device or FIFO must not hang us.
 * Returns 0; -EOPNOTSUPP for a form that is not supported; -ENOENT, -EINVAL, -EFBIG ...
 */
int source_open(const char *spec, struct source *ret_source, struct err *err);

void source_clear(struct source *source);
#define cleanup_source cleanup_(source_clear)

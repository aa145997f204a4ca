/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the hook for PyTorch (python/) tells what came of it, one file an instance and in it one slot a process. It is
 * memory without a name that FETTLE_PLAN names, "told=PID:FD:COOKIE". A process takes its slot when it has something to
 * tell, by appending HOOK_SLOT_BYTES of zeros, and maps it: what it wrote last stands there however it ends.
 *
 * A slot: HOOK_MAGIC; 8 bytes with the number of texts written so far, odd for one in the second half; up to
 * HOOK_HEAD_BYTES nothing; then the two halves, each 8 bytes of length and a JSON object. Numbers are in the
 * processor's order. The half that is not named is the one that is being written.
 */
#pragma once

#include <stdint.h>

struct err;
struct words;

#define HOOK_FIELD "told="
#define HOOK_NAME  "fettle-hook-" /* of the memory, before the cookie */
#define HOOK_MAGIC "fettleH1"

enum {
	HOOK_SLOT_BYTES = 65536, /* whole pages of every size */
	HOOK_SLOTS = 128,        /* processes that find no room tell nothing */
	HOOK_HEAD_BYTES = 64,
	HOOK_HALF_BYTES = (HOOK_SLOT_BYTES - HOOK_HEAD_BYTES) / 2,
};

struct hook_file {
	int fd;
	uint64_t cookie;
};

#define HOOK_FILE_INIT   \
	{                \
		.fd = -1 \
	}

/*
 * Make one. The descriptor is close-on-exec; the calling process must live as long as processes are to find it. Returns
 * 0 or -errno of the kernel's refusal with one line: then nothing is told, and nothing else.
 */
int hook_file_make(struct hook_file *ret_file, struct err *err);

/*
 * Tell the hook: put its place into the FETTLE_PLAN of an environment of which each word is owned by malloc. Returns 0
 * or -ENOMEM.
 */
int hook_file_tell(const struct hook_file *file, char **environment);

/*
 * Append what each process wrote last to `texts`, in the order in which they began: whatever was written, for the
 * program could write it too. A process that goes on may change its text meanwhile. Returns 0 or -ENOMEM.
 */
int hook_file_read(const struct hook_file *file, struct words *texts);

void hook_file_close(struct hook_file *file);
#define cleanup_hook_file cleanup_(hook_file_close)

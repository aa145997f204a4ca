/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/hook_file.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/words.h"
#include "observe/board.h"

#include <fcntl.h>
#include <string.h>

/* A process that maps a slot may rely on its being there. */
enum { SEALS = F_SEAL_SHRINK | F_SEAL_SEAL };

int hook_file_make(struct hook_file *ret_file, struct err *err)
{
	int r = board_make(HOOK_NAME, 0, (size_t)HOOK_SLOTS * HOOK_SLOT_BYTES, SEALS, &ret_file->fd, &ret_file->cookie);

	return r < 0 ? err_errno(err, r, "cannot make a place for what the hook tells") : 0;
}

int hook_file_tell(const struct hook_file *file, char **environment)
{
	return board_tell(HOOK_FIELD, file->fd, file->cookie, environment);
}

static uint64_t number_at(const char *bytes)
{
	uint64_t number;

	memcpy(&number, bytes, sizeof(number));
	return number;
}

/* The text that a slot holds. Returns 0, also where it holds none, or -ENOMEM. */
static int take_text(const char *slot, struct words *texts)
{
	const size_t magic = sizeof(HOOK_MAGIC) - 1;
	const char *half;
	uint64_t count, length;

	if (memcmp(slot, HOOK_MAGIC, magic) != 0)
		return 0;
	count = number_at(slot + magic);
	half = slot + HOOK_HEAD_BYTES + (count & 1) * HOOK_HALF_BYTES;
	length = number_at(half);
	if (!count || !length || length > HOOK_HALF_BYTES - sizeof(length))
		return 0;
	return words_add_bytes(texts, half + sizeof(length), length);
}

int hook_file_read(const struct hook_file *file, struct words *texts)
{
	cleanup_free char *slot = malloc(HOOK_SLOT_BYTES);
	int r = 0;

	if (!slot)
		return -ENOMEM;
	for (off_t i = 0; r == 0 && i < HOOK_SLOTS; i++) {
		if (pread(file->fd, slot, HOOK_SLOT_BYTES, i * HOOK_SLOT_BYTES) != HOOK_SLOT_BYTES)
			break;
		r = take_text(slot, texts);
	}
	return r;
}

void hook_file_close(struct hook_file *file)
{
	if (file->fd >= 0)
		(void)close(file->fd);
	*file = (struct hook_file)HOOK_FILE_INIT;
}

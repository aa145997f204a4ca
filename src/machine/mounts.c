/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/mounts.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/sysroot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Undo the kernel's octal escapes (space, tab, newline, backslash) in place. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' &&
		    from[3] >= '0' && from[3] <= '7') {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/*
 * "36 35 98:0 /root /point rw,noatime master:1 ... - type source options"
 * (proc_pid_mountinfo(5)). The line is cut up in place.
 */
static bool parse_line(char *line, struct mount *ret_mount)
{
	char *save = NULL, *fields[5], *tail = strstr(line, " - ");
	char *type, *source, *options;

	if (!tail)
		return false;
	*tail = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		fields[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!fields[i])
			return false;
	}
	type = strtok_r(tail + 3, " ", &save);
	source = strtok_r(NULL, " ", &save);
	options = strtok_r(NULL, " ", &save);
	if (!type || !source)
		return false;
	unescape(fields[3]);
	unescape(fields[4]);
	*ret_mount = (struct mount){ fields[3], fields[4], type, options ? options : "" };
	return true;
}

static int add_mount(struct mounts *mounts, const struct mount *mount)
{
	struct mount *grown = array_grow(mounts->items, &mounts->capacity, mounts->count, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	mounts->items = grown;
	grown[mounts->count++] = *mount;
	return 0;
}

/* The latest first, and only those nothing was mounted over at the very same place. */
static void keep_visible(struct mounts *mounts)
{
	size_t kept = 0;

	for (size_t i = 0; i < mounts->count / 2; i++) {
		const struct mount swap = mounts->items[i];

		mounts->items[i] = mounts->items[mounts->count - 1 - i];
		mounts->items[mounts->count - 1 - i] = swap;
	}
	for (size_t i = 0; i < mounts->count; i++) {
		bool hidden = false;

		for (size_t k = 0; k < kept && !hidden; k++)
			hidden = strcmp(mounts->items[k].point, mounts->items[i].point) == 0;
		if (!hidden)
			mounts->items[kept++] = mounts->items[i];
	}
	mounts->count = kept;
}

int mounts_read(const struct sysroot *root, struct mounts *ret_mounts)
{
	cleanup_mounts struct mounts mounts = { NULL };
	char *save = NULL;
	int r = sysroot_read(root, MOUNTS_FILE, &mounts.text);

	if (r < 0)
		return r;
	for (char *line = strtok_r(mounts.text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct mount mount;

		if (parse_line(line, &mount) && add_mount(&mounts, &mount) < 0)
			return -ENOMEM;
	}
	keep_visible(&mounts);
	*ret_mounts = mounts;
	mounts = (struct mounts){ NULL };
	return 0;
}

void mounts_clear(struct mounts *mounts)
{
	free(mounts->items);
	free(mounts->text);
	*mounts = (struct mounts){ NULL };
}

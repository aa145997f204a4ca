/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/throttle.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/cgroup_path.h"
#include "machine/mounts.h"

#include <errno.h>
#include <string.h>

enum { STAT_MAX = 4096 }; /* bytes of a cpu.stat; they have a few hundred */

/* The value behind "key " at the beginning of a line. */
static bool find_count(const char *text, const char *key, uint64_t *ret_count)
{
	const size_t length = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char digits[24];
		size_t n;

		line += *line == '\n';
		if (strncmp(line, key, length) != 0 || line[length] != ' ')
			continue;
		n = strcspn(line + length + 1, "\n");
		if (n >= sizeof(digits))
			return false;
		memcpy(digits, line + length + 1, n);
		digits[n] = '\0';
		return parse_u64(digits, ret_count) == 0;
	}
	return false;
}

static bool read_level(const struct throttle *throttle, size_t level, uint64_t *ret_periods, uint64_t *ret_ns)
{
	char text[STAT_MAX];
	const ssize_t n = pread(throttle->levels[level].fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return false;
	text[n] = '\0';
	if (!find_count(text, "nr_throttled", ret_periods) ||
	    !find_count(text, throttle->unified ? "throttled_usec" : "throttled_time", ret_ns))
		return false;
	*ret_ns *= throttle->unified ? 1000 : 1;
	return true;
}

/* The group at dir[0..length], if it counts. Returns 0 or -ENOMEM. */
static int add_level(const struct sysroot *root, const char *dir, size_t length, struct throttle *throttle)
{
	cleanup_text struct text path = TEXT_INIT;
	cleanup_close int fd = -1;
	const size_t level = throttle->count;
	uint64_t periods, ns;

	if (level == THROTTLE_LEVELS)
		return 0;
	text_add_bytes(&path, dir, length);
	text_add(&path, "/cpu.stat");
	if (path.failed)
		return -ENOMEM;
	fd = sysroot_open_file(root, path.data);
	throttle->levels[level].fd = fd;
	if (fd < 0 || !read_level(throttle, level, &periods, &ns))
		return 0;
	throttle->levels[level].path = text_take(&path);
	if (!throttle->levels[level].path)
		return -ENOMEM;
	throttle->count++;
	fd = -1;
	return 0;
}

int throttle_open(const struct sysroot *root, struct throttle *ret_throttle)
{
	cleanup_mounts struct mounts mounts = { NULL };
	cleanup_(throttle_close) struct throttle throttle = { .count = 0 };
	cleanup_free char *memberships = NULL;
	struct cgroup_path path = { NULL };
	size_t length;
	int r = 0;

	*ret_throttle = throttle;
	if (sysroot_read(root, "/proc/self/cgroup", &memberships) < 0 || mounts_read(root, &mounts) < 0)
		return 0;
	r = cgroup_path_find(root, &mounts, memberships, "cpu", getpid(), &path);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	throttle.unified = path.unified;
	length = strlen(path.dir);
	while ((r = add_level(root, path.dir, length, &throttle)) == 0 && length > path.top_length) {
		while (length > path.top_length && path.dir[--length] != '/')
			;
	}
	free(path.dir);
	if (r < 0)
		return r;
	*ret_throttle = throttle;
	throttle.count = 0;
	return 0;
}

void throttle_close(struct throttle *throttle)
{
	for (size_t i = 0; i < throttle->count; i++) {
		(void)close(throttle->levels[i].fd);
		free(throttle->levels[i].path);
	}
	throttle->count = 0;
}

void throttle_read(const struct throttle *throttle, struct throttle_counts *counts)
{
	for (size_t i = 0; i < throttle->count; i++)
		(void)read_level(throttle, i, &counts->periods[i], &counts->ns[i]);
}

bool throttle_between(const struct throttle *throttle, const struct throttle_counts *before,
		      const struct throttle_counts *after, uint64_t *ret_periods, uint64_t *ret_ns,
		      const char **ret_path)
{
	size_t most = 0;

	if (!throttle->count)
		return false;
	for (size_t i = 1; i < throttle->count; i++) {
		if (after->ns[i] - before->ns[i] > after->ns[most] - before->ns[most])
			most = i;
	}
	*ret_periods = after->periods[most] - before->periods[most];
	*ret_ns = after->ns[most] - before->ns[most];
	*ret_path = throttle->levels[most].path;
	return true;
}

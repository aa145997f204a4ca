/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/limits.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/cgroup_path.h"
#include "machine/isolation.h"
#include "machine/machine.h"
#include "machine/mounts.h"

#include <string.h>

static const char membership_file[] = "/proc/self/cgroup";

enum knob_value { KNOB_NONE, KNOB_LIMIT, KNOB_GARBAGE };

/* "max 100000", "150000 100000": microseconds of CPU a period; -1 is v1's word for max. */
static enum knob_value parse_quota(const char *raw, uint64_t *ret_milli)
{
	const char *const blank = strchr(raw, ' ');
	cleanup_free char *quota_text = blank ? strndup(raw, (size_t)(blank - raw)) : NULL;
	uint64_t quota, period;

	if (!quota_text || parse_u64(blank + 1, &period) < 0 || !period)
		return KNOB_GARBAGE;
	if (strcmp(quota_text, "max") == 0 || strcmp(quota_text, "-1") == 0)
		return KNOB_NONE;
	if (parse_u64(quota_text, &quota) < 0 || !quota || quota > UINT64_MAX / 1000)
		return KNOB_GARBAGE;
	*ret_milli = quota * 1000 / period;
	if (!*ret_milli)
		*ret_milli = 1;
	return KNOB_LIMIT;
}

/* "max" or bytes. v1 writes "none" as the largest number of whole pages: far beyond any machine. */
static enum knob_value parse_memory(const char *raw, uint64_t *ret_bytes)
{
	uint64_t bytes;

	if (strcmp(raw, "max") == 0)
		return KNOB_NONE;
	if (parse_u64(raw, &bytes) < 0)
		return KNOB_GARBAGE;
	if (bytes >= 1ULL << 62)
		return KNOB_NONE;
	*ret_bytes = bytes;
	return KNOB_LIMIT;
}

/* A limit, its files in v1 (two may say one thing) and in v2, and how their text reads. */
struct knob {
	const char *controller;
	const char *v1_files[2];
	const char *v2_file;
	enum knob_value (*parse)(const char *raw, uint64_t *ret_value);
};

static const struct knob knob_quota = { "cpu", { "cpu.cfs_quota_us", "cpu.cfs_period_us" }, "cpu.max", parse_quota };
static const struct knob knob_memory = { "memory", { "memory.limit_in_bytes" }, "memory.max", parse_memory };

/* "DIR/FILE"; NULL when memory ran out. */
static char *file_in(const char *dir, size_t dir_length, const char *file)
{
	cleanup_text struct text path = TEXT_INIT;

	text_add_bytes(&path, dir, dir_length);
	text_add(&path, "/%s", file);
	return text_take(&path);
}

/* The knob's text in one directory, v1's two files joined as v2 has them. */
static int read_raw(const struct sysroot *root, const struct knob *knob, bool unified, const char *dir,
		    size_t dir_length, char **ret_path, char **ret_raw)
{
	const char *const second = unified ? NULL : knob->v1_files[1];
	cleanup_free char *path = file_in(dir, dir_length, unified ? knob->v2_file : knob->v1_files[0]);
	cleanup_free char *more_path = second ? file_in(dir, dir_length, second) : NULL;
	cleanup_free char *raw = NULL, *more = NULL;
	cleanup_text struct text joined = TEXT_INIT;
	int r;

	if (!path || (second && !more_path))
		return -ENOMEM;
	*ret_path = path;
	r = sysroot_read(root, path, &raw);
	if (r == 0 && second)
		r = sysroot_read(root, more_path, &more);
	path = NULL;
	if (r < 0)
		return r;
	text_add(&joined, more ? "%s %s" : "%s", raw, more);
	*ret_raw = text_take(&joined);
	return *ret_raw ? 0 : -ENOMEM;
}

/* What one directory says. A missing file sets no limit there: roots and v2 groups without the controller have none. */
static int read_level(const struct sysroot *root, const struct knob *knob, bool unified, const char *dir,
		      size_t dir_length, struct fact *ret_fact)
{
	cleanup_free char *path = NULL, *raw = NULL;
	uint64_t value = 0;
	int r = read_raw(root, knob, unified, dir, dir_length, &path, &raw);

	if (r == -ENOMEM)
		return r;
	if (r == -ENOENT)
		return fact_set(ret_fact, FACT_ABSENT, 0, path, NULL);
	if (r < 0)
		return fact_set(ret_fact, FACT_UNKNOWN, 0, path, NULL);
	switch (knob->parse(raw, &value)) {
	case KNOB_LIMIT:
		return fact_set(ret_fact, FACT_KNOWN, value, path, raw);
	case KNOB_NONE:
		return fact_set(ret_fact, FACT_ABSENT, 0, path, raw);
	case KNOB_GARBAGE:
		break;
	}
	return fact_set(ret_fact, FACT_UNKNOWN, 0, path, raw);
}

/* Does what a higher directory says take the place of what the lower ones said? */
static bool overrides(const struct fact *higher, const struct fact *lower)
{
	if (higher->state == FACT_KNOWN)
		return lower->state != FACT_KNOWN || higher->value < lower->value;
	if (lower->state == FACT_KNOWN)
		return false;
	if (higher->state == FACT_UNKNOWN)
		return lower->state == FACT_ABSENT; /* there may be a limit up there */
	return lower->state == FACT_ABSENT && !lower->raw && higher->raw;
}

/* From the process's own directory to the highest one we see. */
static int walk(const struct sysroot *root, const struct knob *knob, const struct cgroup_path *path,
		struct fact *ret_fact)
{
	size_t length = strlen(path->dir);
	bool first = true;

	for (;;) {
		struct fact level = { .state = FACT_UNKNOWN };
		int r = read_level(root, knob, path->unified, path->dir, length, &level);

		if (r == 0 && (first || overrides(&level, ret_fact)))
			r = fact_copy(ret_fact, &level);
		fact_clear(&level);
		if (r < 0)
			return r;
		if (length <= path->top_length)
			return 0;
		first = false;
		while (length > path->top_length && path->dir[--length] != '/')
			;
	}
}

static int read_knob(const struct sysroot *root, const struct knob *knob, const struct mounts *mounts,
		     const char *memberships, pid_t pid, struct fact *ret_fact)
{
	struct cgroup_path path = { NULL };
	int r = cgroup_path_find(root, mounts, memberships, knob->controller, pid, &path);

	if (r == -ENOENT) /* no hierarchy has the controller, so that it cannot limit us */
		return fact_set(ret_fact, FACT_ABSENT, 0, membership_file, NULL);
	if (r == -ENXIO)
		return fact_set(ret_fact, FACT_UNKNOWN, 0, membership_file, NULL);
	if (r < 0)
		return r;
	r = walk(root, knob, &path, ret_fact);
	free(path.dir);
	return r;
}

static int set_unknown(struct machine_limits *limits, const char *unreadable, struct err *err)
{
	if (fact_set(&limits->quota_milli, FACT_UNKNOWN, 0, unreadable, NULL) < 0 ||
	    fact_set(&limits->memory_bytes, FACT_UNKNOWN, 0, unreadable, NULL) < 0)
		return err_nomem(err);
	return 0;
}

int cgroup_limits_of(const struct sysroot *root, const struct mounts *mounts, const char *memberships, pid_t pid,
		     struct fact *ret_quota_milli, struct fact *ret_memory_bytes)
{
	int r = read_knob(root, &knob_quota, mounts, memberships, pid, ret_quota_milli);

	return r < 0 ? r : read_knob(root, &knob_memory, mounts, memberships, pid, ret_memory_bytes);
}

int cgroup_limits_read(const struct sysroot *root, const struct mounts *mounts, pid_t pid,
		       struct machine_limits *limits, struct err *err)
{
	cleanup_free char *memberships = NULL;
	int r;

	if (sysroot_read(root, membership_file, &memberships) < 0)
		return set_unknown(limits, membership_file, err);
	if (!mounts)
		return set_unknown(limits, MOUNTS_FILE, err);
	r = cgroup_limits_of(root, mounts, memberships, pid, &limits->quota_milli, &limits->memory_bytes);
	if (r == 0)
		r = isolation_read(root, mounts, memberships, pid, limits);
	return r < 0 ? err_nomem(err) : 0;
}

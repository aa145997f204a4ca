/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/isolation.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/cgroup_path.h"
#include "machine/machine.h"

#include <string.h>

/* What one directory says about balancing; SAYS_NOTHING: the one above decides. */
enum says { SAYS_NOTHING, SAYS_BALANCED, SAYS_ISOLATED };

/* A partition's kind; "isolated invalid (...)" is none, and a member is part of its parent's. */
static enum says read_partition(const char *raw)
{
	if (strcmp(raw, "isolated") == 0)
		return SAYS_ISOLATED;
	return strcmp(raw, "root") == 0 ? SAYS_BALANCED : SAYS_NOTHING;
}

/* v1: a group that does not balance may still lie in one that does. */
static enum says read_balance(const char *raw)
{
	return strcmp(raw, "1") == 0 ? SAYS_BALANCED : SAYS_NOTHING;
}

/* From our own directory up, the first one that says. In v1 it is the absence of balancing all the way that isolates.
 */
static int walk(const struct sysroot *root, const struct cgroup_path *path, struct fact *ret_fact)
{
	const char *const file = path->unified ? "cpuset.cpus.partition" : "cpuset.sched_load_balance";
	enum says (*const parse)(const char *raw) = path->unified ? read_partition : read_balance;
	enum says says = SAYS_NOTHING;
	size_t length = strlen(path->dir);
	bool seen = false;

	for (;;) {
		cleanup_text struct text name = TEXT_INIT;
		cleanup_free char *raw = NULL;

		text_add_bytes(&name, path->dir, length);
		text_add(&name, "/%s", file);
		if (name.failed)
			return -ENOMEM;
		if (sysroot_read(root, name.data, &raw) == 0) {
			says = parse(raw);
			if (says == SAYS_ISOLATED || (!path->unified && !seen && says == SAYS_NOTHING)) {
				if (fact_set(ret_fact, FACT_KNOWN, 1, name.data, raw) < 0)
					return -ENOMEM;
			}
			seen = true;
		}
		if (says == SAYS_BALANCED)
			return fact_set(ret_fact, FACT_ABSENT, 0, NULL, NULL);
		if (says == SAYS_ISOLATED || length <= path->top_length)
			return 0;
		while (length > path->top_length && path->dir[--length] != '/')
			;
	}
}

/* The kernel's own list: isolcpus=, and from Linux 6.7 on isolated partitions. */
static int read_list(const struct sysroot *root, hwloc_const_bitmap_t allowed, struct fact *ret_fact)
{
	static const char path[] = "/sys/devices/system/cpu/isolated";
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	cleanup_free char *raw = NULL;
	struct err ignored = { 0 };

	if (sysroot_read(root, path, &raw) < 0 || cpulist_parse(raw, &set, &ignored) < 0 ||
	    !hwloc_bitmap_intersects(set, allowed))
		return 0;
	return fact_set(ret_fact, FACT_KNOWN, 1, path, raw);
}

int isolation_read(const struct sysroot *root, const struct mounts *mounts, const char *memberships, pid_t pid,
		   struct machine_limits *limits)
{
	struct fact *const fact = &limits->isolated;
	struct cgroup_path path = { NULL };
	int r = fact_set(fact, FACT_ABSENT, 0, NULL, NULL);

	if (r == 0)
		r = read_list(root, limits->pus_os, fact);
	if (r < 0 || fact->state == FACT_KNOWN)
		return r;
	r = cgroup_path_find(root, mounts, memberships, "cpuset", pid, &path);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = walk(root, &path, fact);
	free(path.dir);
	return r;
}

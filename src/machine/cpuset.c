/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/cpuset.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/cgroup_path.h"
#include "machine/machine.h"
#include "machine/mounts.h"

#include <string.h>
#include <unistd.h>

static hwloc_bitmap_t all_pus(const struct machine *machine)
{
	hwloc_bitmap_t set = hwloc_bitmap_alloc();

	for (size_t i = 0; set && i < machine->pu_count; i++) {
		if (hwloc_bitmap_set(set, machine->pus[i].os) < 0) {
			hwloc_bitmap_free(set);
			return NULL;
		}
	}
	return set;
}

/* What the directory dir[0..length] says its cpuset really has; NULL: it has no such file. v1's names differ with how
 * it is mounted, and a v2 group without the controller is its parent's. */
static hwloc_bitmap_t effective(const struct sysroot *root, const char *dir, size_t length)
{
	static const char *const files[] = { "cpuset.cpus.effective", "cpuset.effective_cpus", "cpuset.cpus", "cpus" };

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_text struct text name = TEXT_INIT;
		cleanup_free char *raw = NULL;
		struct err ignored = { 0 };
		hwloc_bitmap_t set;

		text_add_bytes(&name, dir, length);
		text_add(&name, "/%s", files[i]);
		if (!name.failed && sysroot_read(root, name.data, &raw) == 0 && *raw &&
		    cpulist_parse(raw, &set, &ignored) == 0)
			return set;
	}
	return NULL;
}

/* From our own directory up, the first that says. */
static hwloc_bitmap_t nearest(const struct sysroot *root, const struct cgroup_path *path)
{
	size_t length = strlen(path->dir);

	for (;;) {
		hwloc_bitmap_t set = effective(root, path->dir, length);

		if (set || length <= path->top_length)
			return set;
		while (length > path->top_length && path->dir[--length] != '/')
			;
	}
}

int cpuset_of_process(const struct sysroot *root, const struct mounts *mounts, const char *memberships, pid_t pid,
		      hwloc_bitmap_t *ret_pus_os)
{
	struct cgroup_path path = { NULL };
	int r = cgroup_path_find(root, mounts, memberships, "cpuset", pid, &path);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	*ret_pus_os = nearest(root, &path);
	free(path.dir);
	return 0;
}

int cpuset_read(const struct sysroot *root, const struct machine *machine, pid_t pid, hwloc_bitmap_t *ret_pus_os,
		struct err *err)
{
	cleanup_mounts struct mounts mounts = { NULL };
	cleanup_bitmap hwloc_bitmap_t all = all_pus(machine), set = NULL;
	cleanup_free char *memberships = NULL;
	struct cgroup_path path = { NULL };
	int r = -ENXIO;

	if (!all)
		return err_nomem(err);
	if (mounts_read(root, &mounts) == 0 && sysroot_read(root, "/proc/self/cgroup", &memberships) == 0)
		r = cgroup_path_find(root, &mounts, memberships, "cpuset", pid, &path);
	if (r == 0) {
		set = nearest(root, &path);
		free(path.dir);
	}
	if (r == -ENOMEM || (set && hwloc_bitmap_and(set, set, all) < 0))
		return err_nomem(err);
	*ret_pus_os = r == -ENOENT ? TAKE(all) : TAKE(set);
	return 0;
}

int machine_read_cpuset(const struct machine *machine, hwloc_bitmap_t *ret_pus_os, struct err *err)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	int r;

	if (machine->source != MACHINE_LIVE) {
		*ret_pus_os = all_pus(machine);
		return *ret_pus_os ? 0 : err_nomem(err);
	}
	r = sysroot_open(&root, "/", err);
	return r < 0 ? r : cpuset_read(&root, machine, getpid(), ret_pus_os, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/topology_key.h"

#include "base/cleanup.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/mounts.h"

#include <hwloc.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

/*
 * Files whose text is part of the key. CPUs and nodes that come, go or change hands show in these lists
 * (Documentation/ABI/stable/sysfs-devices-node, Documentation/core-api/cpu_hotplug.rst).
 */
static const struct {
	const char *name;
	const char *path;
	bool needed; /* false: a kernel without NUMA has none */
} files[] = {
	{ "boot", "/proc/sys/kernel/random/boot_id", true },
	{ "cpus", "/sys/devices/system/cpu/online", true },
	{ "nodes", "/sys/devices/system/node/online", false },
	{ "memory-nodes", "/sys/devices/system/node/has_memory", false },
};

/* Is `path` the folder, or something in it? */
static bool is_below(const char *path, const char *folder)
{
	const size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 && (path[length] == '/' || !path[length]);
}

/* A container runtime or a test may put files of its own where hwloc reads: those may change without a trace. */
static bool kernels_own(const struct mounts *mounts)
{
	static const char *const read_by_hwloc[] = { "/sys/devices/system", "/sys/kernel/mm", "/proc/cpuinfo",
						     "/proc/meminfo" };
	bool sysfs = false;

	for (size_t i = 0; i < mounts->count; i++) {
		const struct mount *mount = &mounts->items[i];

		if (strcmp(mount->point, "/sys") == 0)
			sysfs = strcmp(mount->type, "sysfs") == 0 && strcmp(mount->root, "/") == 0;
		if (strcmp(mount->point, "/sys/devices") == 0 || strcmp(mount->point, "/sys/kernel") == 0)
			return false;
		for (size_t k = 0; k < ARRAY_SIZE(read_by_hwloc); k++) {
			if (is_below(mount->point, read_by_hwloc[k]))
				return false;
		}
	}
	return sysfs;
}

/* Another build of fettle may see the same files differently. */
static bool add_program(struct text *key)
{
	struct stat status;

	if (stat("/proc/self/exe", &status) < 0)
		return false;
	text_add(key, "program %llx:%llx %lld %lld.%09ld\nhwloc %x\n", (unsigned long long)status.st_dev,
		 (unsigned long long)status.st_ino, (long long)status.st_size, (long long)status.st_mtim.tv_sec,
		 status.st_mtim.tv_nsec, hwloc_get_api_version());
	return true;
}

static bool add_system(struct text *key)
{
	struct utsname names;
	struct sysinfo info;

	if (uname(&names) < 0 || sysinfo(&info) < 0)
		return false;
	text_add(key, "kernel %s %s %s\nmemory %llu\n", names.release, names.version, names.machine,
		 (unsigned long long)info.totalram * info.mem_unit);
	return true;
}

char *topology_key(const struct sysroot *root, const struct mounts *mounts)
{
	cleanup_text struct text key = TEXT_INIT;

	if (!kernels_own(mounts))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *text = NULL;
		int r = sysroot_read(root, files[i].path, &text);

		if (r < 0 && (files[i].needed || r != -ENOENT))
			return NULL;
		text_add(&key, "%s %s\n", files[i].name, text ? text : "-");
	}
	return add_program(&key) && add_system(&key) ? text_take(&key) : NULL;
}

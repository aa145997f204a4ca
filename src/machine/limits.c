/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/limits.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "machine/machine.h"

#include <sched.h>
#include <string.h>

/* The kernel refuses a mask smaller than its own: grow until it fits. */
static cpu_set_t *affinity_mask(size_t *ret_size)
{
	for (int cpus = 1024; cpus <= CPULIST_MAX * 2; cpus *= 2) {
		const size_t size = CPU_ALLOC_SIZE(cpus);
		cpu_set_t *mask = CPU_ALLOC(cpus);

		if (mask && sched_getaffinity(0, size, mask) == 0) {
			*ret_size = size;
			return mask;
		}
		CPU_FREE(mask);
	}
	return NULL;
}

hwloc_bitmap_t limits_affinity(void)
{
	cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();
	size_t size = 0;
	cpu_set_t *mask = affinity_mask(&size);
	bool ok = mask && set;

	for (size_t os = 0; ok && os < size * 8; os++) {
		if (CPU_ISSET_S(os, size, mask))
			ok = hwloc_bitmap_set(set, (unsigned)os) == 0;
	}
	CPU_FREE(mask);
	return ok ? TAKE(set) : NULL;
}

static int set_pus(hwloc_const_bitmap_t affinity, struct machine_limits *limits)
{
	static const char source[] = "sched_getaffinity";
	cleanup_free char *text = NULL;

	/* limits->pus_os holds what the topology allows; without an answer all of that stays. */
	if (!affinity)
		return fact_set(&limits->pus, FACT_UNKNOWN, 0, source, NULL);
	text = cpulist_text(affinity);
	if (!text || hwloc_bitmap_and(limits->pus_os, limits->pus_os, affinity) < 0)
		return -ENOMEM;
	return fact_set(&limits->pus, FACT_KNOWN, (uint64_t)hwloc_bitmap_weight(limits->pus_os), source, text);
}

/* The value of "key:" in the text of a status file, cut out in place; NULL when it has none. */
static char *status_value(char *text, const char *key)
{
	const size_t length = strlen(key);

	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ':') {
			line += length + 1;
			line += strspn(line, " \t");
			line[strcspn(line, "\n")] = '\0';
			return line;
		}
	}
	return NULL;
}

static int set_nodes(const struct sysroot *root, struct machine_limits *limits)
{
	static const char *const paths[] = { "/proc/self/status", "/proc/thread-self/status" };
	cleanup_free char *text = NULL;
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	struct err ignored = { 0 };
	const char *value, *path = paths[0];

	for (size_t i = 0; i < ARRAY_SIZE(paths) && !text; i++) {
		if (sysroot_read(root, paths[i], &text) == 0)
			path = paths[i];
	}
	if (!text)
		return fact_set(&limits->nodes, FACT_UNKNOWN, 0, paths[0], NULL);
	value = status_value(text, "Mems_allowed_list");
	if (!value) /* a kernel without cpusets */
		return fact_set(&limits->nodes, FACT_ABSENT, 0, path, NULL);
	if (cpulist_parse(value, &set, &ignored) < 0)
		return fact_set(&limits->nodes, FACT_UNKNOWN, 0, path, value);
	if (hwloc_bitmap_and(limits->nodes_os, limits->nodes_os, set) < 0)
		return -ENOMEM;
	return fact_set(&limits->nodes, FACT_KNOWN, (uint64_t)hwloc_bitmap_weight(limits->nodes_os), path, value);
}

int limits_read(const struct sysroot *root, const struct mounts *mounts, hwloc_const_bitmap_t affinity,
		struct machine *machine, struct err *err)
{
	struct machine_limits *limits = &machine->limits;

	/* hwloc looks at cpusets in its own way; the kernel's word alone counts here. */
	for (size_t i = 0; i < machine->pu_count; i++) {
		if (hwloc_bitmap_set(limits->pus_os, machine->pus[i].os) < 0)
			return err_nomem(err);
	}
	for (size_t i = 0; i < machine->node_count; i++) {
		if (hwloc_bitmap_set(limits->nodes_os, machine->nodes[i].os) < 0)
			return err_nomem(err);
	}
	if (set_pus(affinity, limits) < 0 || set_nodes(root, limits) < 0)
		return err_nomem(err);
	return cgroup_limits_read(root, mounts, getpid(), limits, err);
}

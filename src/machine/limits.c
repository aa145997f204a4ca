/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/limits.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/sysroot.h"
#include "machine/machine.h"
#include "machine/mounts.h"

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

static const char affinity_source[] = "sched_getaffinity";
static const char status_source[] = "/proc/self/status";

/* limits->pus_os holds all there are; without an answer all of that stays. */
static int set_pus(hwloc_const_bitmap_t affinity, const char *source, struct machine_limits *limits)
{
	cleanup_free char *text = NULL;

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
	static const char *const paths[] = { status_source, "/proc/thread-self/status" };
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

static int allow_all_pus(struct machine *machine)
{
	for (size_t i = 0; i < machine->pu_count; i++) {
		if (hwloc_bitmap_set(machine->limits.pus_os, machine->pus[i].os) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int allow_all_nodes(struct machine *machine)
{
	for (size_t i = 0; i < machine->node_count; i++) {
		if (hwloc_bitmap_set(machine->limits.nodes_os, machine->nodes[i].os) < 0)
			return -ENOMEM;
	}
	return 0;
}

int limits_read(const struct sysroot *root, const struct mounts *mounts, hwloc_const_bitmap_t affinity,
		struct machine *machine, struct err *err)
{
	struct machine_limits *limits = &machine->limits;

	/* hwloc looks at cpusets in its own way; the kernel's word alone counts here. */
	if (allow_all_pus(machine) < 0 || allow_all_nodes(machine) < 0 ||
	    set_pus(affinity, affinity_source, limits) < 0 || set_nodes(root, limits) < 0)
		return err_nomem(err);
	return cgroup_limits_read(root, mounts, getpid(), limits, err);
}

/* The captured affinity; NULL when there is none that can be read. */
static hwloc_bitmap_t captured_affinity(const struct sysroot *root, const char *status, const char **ret_source)
{
	cleanup_free char *text = NULL, *copy = status ? strdup(status) : NULL;
	const char *value = NULL;
	hwloc_bitmap_t set = NULL;
	struct err ignored = { 0 };

	if (sysroot_read(root, LIMITS_AFFINITY_FILE, &text) == 0) {
		*ret_source = affinity_source;
		value = text;
	} else if (copy) {
		*ret_source = status_source;
		value = status_value(copy, "Cpus_allowed_list");
	}
	return value && cpulist_parse(value, &set, &ignored) == 0 ? set : NULL;
}

/* Whose the capture is: the process that a search in cgroup.procs looks for. */
static pid_t captured_pid(char *status)
{
	const char *value = status ? status_value(status, "Pid") : NULL;
	int pid = 0;

	return value && parse_int(value, &pid) == 0 ? pid : 0;
}

int limits_read_captured(const struct sysroot *root, struct machine *machine, struct err *err)
{
	cleanup_free char *status = NULL;
	cleanup_bitmap hwloc_bitmap_t affinity = NULL;
	cleanup_mounts struct mounts mounts = { NULL };
	const bool mounts_known = mounts_read(root, &mounts) == 0;
	const char *source = NULL;

	(void)sysroot_read(root, status_source, &status);
	affinity = captured_affinity(root, status, &source);
	if (affinity && (allow_all_pus(machine) < 0 || set_pus(affinity, source, &machine->limits) < 0))
		return err_nomem(err);
	if (status && (allow_all_nodes(machine) < 0 || set_nodes(root, &machine->limits) < 0))
		return err_nomem(err);
	return cgroup_limits_read(root, mounts_known ? &mounts : NULL, captured_pid(status), &machine->limits, err);
}

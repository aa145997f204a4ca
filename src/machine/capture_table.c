/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/capture_table.h"

#include "base/cleanup.h"

#include <string.h>

/*
 * What hwloc, the limits and the host facts read, and a little more for people and other tools. Not here, because
 * it is private or says who: environments, command lines, the kernel's among them, serial numbers, the processes
 * of a cgroup, mounts of anything else.
 */
#define CPU  "sys/devices/system/cpu/"
#define NODE "sys/devices/system/node/"
#define POOL "hugepages/hugepages-*/"

static bool has_key(const char *line, size_t length, const char *const *keys)
{
	for (; *keys; keys++) {
		const size_t n = strlen(*keys);

		if (length > n && line[n] == ':' && memcmp(line, *keys, n) == 0)
			return true;
	}
	return false;
}

/* The rest of the file names the user, the groups and the program. */
static bool keeps_limits(const char *text, const char *line, size_t length)
{
	static const char *const keys[] = { "Pid",          "Cpus_allowed",      "Cpus_allowed_list",
					    "Mems_allowed", "Mems_allowed_list", NULL };

	(void)text;
	return has_key(line, length, keys);
}

static bool has_word(const char *line, size_t length, const char *word)
{
	return memmem(line, length, word, strlen(word)) != NULL;
}

/* Only the hierarchies whose limits are ours: the others' paths may name a session. */
static bool keeps_our_cgroups(const char *text, const char *line, size_t length)
{
	const char *const colon = memchr(line, ':', length);
	const char *end;
	size_t controllers;

	(void)text;
	if (!colon)
		return false;
	end = memchr(colon + 1, ':', length - (size_t)(colon + 1 - line));
	controllers = end ? (size_t)(end - colon - 1) : 0;
	if (!controllers)
		return end != NULL; /* v2 */
	return has_word(colon, controllers + 1, "cpu") || has_word(colon, controllers + 1, "memory");
}

/* The nth field from 0 of a line with blanks between fields. */
static const char *field(const char *line, size_t length, unsigned n, size_t *ret_length)
{
	const char *const end = line + length;

	while (n-- && line) {
		line = memchr(line, ' ', (size_t)(end - line));
		line = line ? line + 1 : NULL;
	}
	if (line) {
		const char *const blank = memchr(line, ' ', (size_t)(end - line));

		*ret_length = (size_t)((blank ? blank : end) - line);
	}
	return line;
}

static bool is_cgroup_mount(const char *line, size_t length)
{
	return has_word(line, length, " - cgroup");
}

/* Mounts of cgroups, whatever is mounted over one of them, and shared memory. */
static bool keeps_mounts(const char *text, const char *line, size_t length)
{
	enum { POINT = 4 };
	static const char shm[] = "/dev/shm";
	size_t point_length = 0, other_length = 0;
	const char *const point = field(line, length, POINT, &point_length);

	if (is_cgroup_mount(line, length) ||
	    (point && point_length == strlen(shm) && memcmp(point, shm, point_length) == 0))
		return true;
	for (const char *other = text; point && *other; other += strcspn(other, "\n"), other += *other == '\n') {
		const size_t n = strcspn(other, "\n");
		const char *const at = field(other, n, POINT, &other_length);

		if (is_cgroup_mount(other, n) && at && other_length == point_length &&
		    memcmp(at, point, point_length) == 0)
			return true;
	}
	return false;
}

/* The same of the older file, for hwloc. */
static bool keeps_cgroup_types(const char *text, const char *line, size_t length)
{
	size_t type_length = 0;
	const char *const type = field(line, length, 2, &type_length);

	(void)text;
	return type && ((type_length >= 6 && memcmp(type, "cgroup", 6) == 0) ||
			(type_length == 6 && memcmp(type, "cpuset", 6) == 0));
}

/* Time by CPU, without the processes' counters. */
static bool keeps_cpu_times(const char *text, const char *line, size_t length)
{
	(void)text;
	return length > 3 && memcmp(line, "cpu", 3) == 0;
}

/* Some Arm boards have the machine's serial number there. */
static bool keeps_no_serial(const char *text, const char *line, size_t length)
{
	static const char serial[] = "Serial";

	(void)text;
	return length < strlen(serial) || memcmp(line, serial, strlen(serial)) != 0;
}

const struct capture_row capture_rows[] = {
	{ CPU "online" },
	{ CPU "offline" },
	{ CPU "possible" },
	{ CPU "present" },
	{ CPU "isolated" },
	{ CPU "nohz_full" },
	{ CPU "kernel_max" },
	{ CPU "smt/*" },
	{ CPU "intel_pstate/*" },
	{ CPU "amd_pstate/*" },
	{ CPU "cpufreq/boost" },
	{ CPU "cpufreq/policy*/*" },
	{ CPU "cpu[0-9]*/cpufreq/*", .links = true },
	{ CPU "cpu[0-9]*/online" },
	{ CPU "cpu[0-9]*/cpu_capacity" },
	{ CPU "cpu[0-9]*/topology/[!p]*" },
	{ CPU "cpu[0-9]*/topology/p[!p]*" }, /* ppin is the processor's serial number */
	{ CPU "cpu[0-9]*/acpi_cppc/*" },
	{ CPU "cpu[0-9]*/cache/index*/*" },
	{ NODE "online" },
	{ NODE "possible" },
	{ NODE "has_*" },
	{ NODE "node[0-9]*/cpumap" },
	{ NODE "node[0-9]*/cpulist" },
	{ NODE "node[0-9]*/distance" },
	{ NODE "node[0-9]*/meminfo" },
	{ NODE "node[0-9]*/" POOL "*" },
	{ NODE "node[0-9]*/access[0-9]*/initiators/*", .links = true },
	{ NODE "node[0-9]*/memory_side_cache/index*/*" },
	{ "sys/devices/cpu_*/cpus" },
	{ "sys/kernel/mm/" POOL "*" },
	{ "sys/kernel/mm/transparent_hugepage/*" },
	{ "sys/hypervisor/type" },
	{ "sys/class/dmi/id/sys_vendor" },
	{ "sys/class/dmi/id/product_name" },
	{ "proc/cpuinfo", .keeps = keeps_no_serial },
	{ "proc/meminfo" },
	{ "proc/stat", .keeps = keeps_cpu_times },
	{ "proc/pressure/*" },
	{ "proc/device-tree/cpus/*/*" },
	{ "proc/sys/kernel/numa_balancing" },
	{ "proc/sys/kernel/osrelease" },
	{ "proc/sys/kernel/perf_event_paranoid" },
	{ "proc/sys/kernel/yama/ptrace_scope" },
	{ "proc/sys/vm/overcommit_memory" },
	{ "proc/sys/vm/swappiness" },
	{ "proc/sys/vm/zone_reclaim_mode" },
	{ "proc/mounts", .keeps = keeps_cgroup_types },
	{ "proc/self/cpuset" },
	{ "proc/self/status", .keeps = keeps_limits },
	{ "proc/self/cgroup", .keeps = keeps_our_cgroups },
	{ "proc/self/mountinfo", .keeps = keeps_mounts },
};
const size_t capture_row_count = ARRAY_SIZE(capture_rows);

const char *const capture_cgroup_files[] = {
	"cpu.max",
	"cpu.cfs_quota_us",
	"cpu.cfs_period_us",
	"cpu.weight",
	"cpu.shares",
	"cpu.stat",
	"memory.max",
	"memory.high",
	"memory.limit_in_bytes",
	"cpuset.cpus",
	"cpuset.cpus.effective",
	"cpuset.effective_cpus",
	"cpuset.mems",
	"cpuset.mems.effective",
	"cpuset.effective_mems",
	"cpuset.cpu_exclusive",
	"cpuset.cpus.partition",
	"cpuset.sched_load_balance",
	"cgroup.controllers",
	"cpu.pressure",
	"memory.pressure",
	NULL,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/system.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "observe/proc.h"

#include <errno.h>
#include <string.h>

static struct observed_cpu *cpu(struct observation *observation, unsigned os)
{
	struct observed_cpu *grown;

	for (size_t i = 0; i < observation->cpu_count; i++) {
		if (observation->cpus[i].os == os)
			return &observation->cpus[i];
	}
	grown = array_grow(observation->cpus, &observation->cpu_capacity, observation->cpu_count, sizeof(*grown));
	if (!grown)
		return NULL;
	observation->cpus = grown;
	grown += observation->cpu_count++;
	*grown = (struct observed_cpu){ .os = os };
	return grown;
}

/* The columns of a "cpuN" line (proc_stat(5)); guest time is contained in user time. */
enum { USER, NICE, SYSTEM, IDLE, IOWAIT, IRQ, SOFTIRQ, STEAL, COLUMNS };

static int take_cpu(struct observation *observation, const char *line, unsigned which)
{
	const char *at = line + strlen("cpu");
	uint64_t os, columns[COLUMNS] = { 0 };
	struct observed_cpu *entry;

	if (!proc_take(&at, 10, &os) || os >= CPULIST_MAX)
		return 0;
	for (size_t i = 0; i < COLUMNS; i++) {
		if (!proc_take(&at, 10, &columns[i]))
			return 0;
	}
	entry = cpu(observation, (unsigned)os);
	if (!entry)
		return -ENOMEM;
	entry->busy[which] = columns[USER] + columns[NICE] + columns[SYSTEM] + columns[IRQ] + columns[SOFTIRQ];
	entry->idle[which] = columns[IDLE] + columns[IOWAIT];
	entry->steal[which] = columns[STEAL];
	entry->seen[which] = true;
	return 0;
}

int system_look(const struct observe_request *request, unsigned which, struct observation *observation)
{
	cleanup_file FILE *file = NULL;
	cleanup_free char *line = NULL;
	size_t capacity = 0;
	int r = proc_open(request->root, observation, "/proc/stat", "what the CPUs spend their time with", &file);

	if (r != 1)
		return r;
	/* One that is not in the file any more has gone offline. */
	for (size_t i = 0; i < observation->cpu_count; i++)
		observation->cpus[i].seen[which] = false;
	for (r = 0; r == 0 && getline(&line, &capacity, file) > 0;) {
		if (strncmp(line, "cpu", 3) == 0 && line[3] != ' ')
			r = take_cpu(observation, line, which);
		else if (strncmp(line, "intr", 4) == 0)
			break; /* the CPUs stand first, and this line alone is long */
	}
	return r;
}

static int read_khz(const struct observe_request *request, unsigned os, const char *name, struct fact *fact)
{
	cleanup_free char *text = NULL;
	char path[PROC_PATH];
	uint64_t khz;
	int r;

	(void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/cpufreq/%s", os, name);
	r = sysroot_read(request->root, path, &text);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return fact_set(fact, r == -ENOENT ? FACT_ABSENT : FACT_UNKNOWN, 0, path, NULL);
	if (parse_u64(text, &khz) < 0)
		return fact_set(fact, FACT_UNKNOWN, 0, path, text);
	return fact_set(fact, FACT_KNOWN, khz, path, text);
}

static void read_word(const struct observe_request *request, unsigned os, const char *name, char word[32])
{
	cleanup_free char *text = NULL;
	char path[PROC_PATH];

	(void)snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/cpufreq/%s", os, name);
	if (sysroot_read(request->root, path, &text) == 0)
		(void)snprintf(word, 32, "%s", text);
}

static int read_clock(const struct observe_request *request, struct observed_cpu *entry)
{
	if (read_khz(request, entry->os, "scaling_cur_freq", &entry->now_khz) < 0 ||
	    read_khz(request, entry->os, "scaling_max_freq", &entry->cap_khz) < 0 ||
	    read_khz(request, entry->os, "cpuinfo_max_freq", &entry->hardware_khz) < 0)
		return -ENOMEM;
	read_word(request, entry->os, "scaling_governor", entry->governor);
	read_word(request, entry->os, "scaling_driver", entry->driver);
	return 0;
}

static int read_clocks(const struct observe_request *request, struct observation *observation)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < observation->cpu_count; i++) {
		bool planned = false;

		for (size_t k = 0; k < observation->instance_count; k++)
			planned |=
				observation->instances[k].planned.pus_os &&
				hwloc_bitmap_isset(observation->instances[k].planned.pus_os, observation->cpus[i].os);
		if (planned)
			r = read_clock(request, &observation->cpus[i]);
	}
	return r;
}

static int read_online(const struct observe_request *request, struct observation *observation)
{
	static const char path[] = "/sys/devices/system/cpu/online";
	cleanup_free char *text = NULL;
	struct err ignored = { 0 };
	int r = proc_read(request->root, observation, path, "which CPUs are online", &text);

	if (r != 1)
		return r;
	hwloc_bitmap_free(observation->online_os);
	observation->online_os = NULL;
	return cpulist_parse(text, &observation->online_os, &ignored) == -ENOMEM ? -ENOMEM : 0;
}

static int read_balancing(const struct observe_request *request, struct observation *observation)
{
	static const char path[] = "/proc/sys/kernel/numa_balancing";
	cleanup_free char *text = NULL;
	uint64_t value;
	int r = sysroot_read(request->root, path, &text);

	if (r == -ENOMEM)
		return r;
	if (r == -ENOENT)
		return fact_set(&observation->numa_balancing, FACT_ABSENT, 0, path, NULL);
	if (r < 0 || parse_u64(text, &value) < 0)
		return fact_set(&observation->numa_balancing, FACT_UNKNOWN, 0, path, text);
	return fact_set(&observation->numa_balancing, FACT_KNOWN, value, path, text);
}

/* "some avg10=1.23 ...": Documentation/accounting/psi.rst. */
static int read_pressure(const struct observe_request *request, const char *path, struct fact *fact)
{
	cleanup_free char *text = NULL;
	const char *at;
	uint64_t whole, cents;
	int r = sysroot_read(request->root, path, &text);

	if (r == -ENOMEM)
		return r;
	at = r == 0 ? strstr(text, "avg10=") : NULL;
	at += at ? strlen("avg10=") : 0;
	/* The kernel writes two places. */
	if (!at || !proc_take(&at, 10, &whole) || *at++ != '.' || !proc_take(&at, 10, &cents))
		return fact_set(fact, r == -ENOENT ? FACT_ABSENT : FACT_UNKNOWN, 0, path, NULL);
	return fact_set(fact, FACT_KNOWN, whole * 1000 + cents * 10, path, text);
}

/* "SECONDS.HUNDREDTHS IDLE" */
static int read_uptime(const struct observe_request *request, struct observation *observation)
{
	static const char path[] = "/proc/uptime";
	cleanup_free char *text = NULL;
	uint64_t seconds, cents;
	const char *at;
	int r = sysroot_read(request->root, path, &text);

	at = r == 0 ? text : NULL;
	if (r == -ENOMEM)
		return r;
	if (!at || !proc_take(&at, 10, &seconds) || *at++ != '.' || !proc_take(&at, 10, &cents))
		return fact_set(&observation->uptime_ms, FACT_UNKNOWN, 0, path, NULL);
	return fact_set(&observation->uptime_ms, FACT_KNOWN, seconds * 1000 + cents * 10, path, NULL);
}

/* Once, and no more of the file than the first CPU's part: there is one for each. */
static int read_flags(const struct observe_request *request, struct observation *observation)
{
	static const char path[] = "/proc/cpuinfo";
	cleanup_file FILE *file = NULL;
	cleanup_free char *line = NULL;
	size_t capacity = 0;
	int r = observation->cpu_flags.state == FACT_KNOWN
			? 0
			: proc_open(request->root, observation, path, "what the CPUs can do", &file);

	if (r != 1)
		return r;
	while (getline(&line, &capacity, file) > 1) {
		const char *colon = strchr(line, ':');

		if (!colon || (strncmp(line, "flags", 5) != 0 && strncmp(line, "Features", 8) != 0))
			continue;
		line[strcspn(line, "\n")] = '\0';
		return fact_set(&observation->cpu_flags, FACT_KNOWN, 0, path, colon + 1);
	}
	return fact_set(&observation->cpu_flags, FACT_ABSENT, 0, path, NULL);
}

int system_finish(const struct observe_request *request, struct observation *observation)
{
	int r = read_online(request, observation);

	if (r == 0)
		r = read_flags(request, observation);
	if (r == 0)
		r = read_clocks(request, observation);
	if (r == 0)
		r = read_balancing(request, observation);
	if (r == 0)
		r = read_uptime(request, observation);
	if (r == 0)
		r = read_pressure(request, "/proc/pressure/cpu", &observation->pressure_cpu);
	return r < 0 ? r : read_pressure(request, "/proc/pressure/memory", &observation->pressure_memory);
}

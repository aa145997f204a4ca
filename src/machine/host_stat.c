/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc/stat tells of our CPUs' time: since boot, and between two looks at it. */
#include "machine/host_table.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/sysroot.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static const char stat_path[] = "/proc/stat";

/* Ticks of our CPUs together. */
struct ticks {
	uint64_t total, idle, steal;
};

/* The columns of a "cpuN" line (proc_stat(5)); guest time is contained in user time. */
enum { COLUMN_IDLE = 3, COLUMN_IOWAIT = 4, COLUMN_STEAL = 7, COLUMNS = 8 };

/* Add one line's columns, the text after "cpuN "; false when it has fewer: kernels before 2.6.11. */
static bool add_line(char *line, struct ticks *ticks)
{
	uint64_t columns[COLUMNS];
	char *save = NULL, *word = strtok_r(line, " ", &save);

	for (size_t i = 0; i < COLUMNS; i++, word = strtok_r(NULL, " ", &save)) {
		/* No machine has run that long; sums of a thousand CPUs must not overflow. */
		if (!word || parse_u64(word, &columns[i]) < 0 || columns[i] > UINT64_MAX >> 20)
			return false;
	}
	for (size_t i = 0; i < COLUMNS; i++)
		ticks->total += columns[i];
	ticks->idle += columns[COLUMN_IDLE] + columns[COLUMN_IOWAIT];
	ticks->steal += columns[COLUMN_STEAL];
	return true;
}

/* Sum up the lines of our CPUs. Returns 0, -EINVAL, or sysroot_read's -errno. */
static int read_ticks(const struct host_reader *in, struct ticks *ret_ticks)
{
	cleanup_free char *text = NULL;
	struct ticks ticks = { 0 };
	char *save = NULL;
	int r = sysroot_read(in->root, stat_path, &text);

	if (r < 0)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *const blank = strchr(line, ' ');
		unsigned os;

		if (strncmp(line, "cpu", 3) != 0 || !blank)
			continue;
		*blank = '\0';
		if (parse_unsigned(line + 3, &os) < 0 || !hwloc_bitmap_isset(in->pus_os, os))
			continue;
		if (!add_line(blank + 1, &ticks))
			return -EINVAL;
	}
	if (!ticks.total)
		return -EINVAL;
	*ret_ticks = ticks;
	return 0;
}

/* 1/1000 percent of `total` (more than 0), through a double: the product would overflow. */
static int set_share(struct fact *fact, uint64_t part, uint64_t total)
{
	char raw[64];

	(void)snprintf(raw, sizeof(raw), "%llu of %llu ticks", (unsigned long long)part, (unsigned long long)total);
	return fact_set(fact, FACT_KNOWN, (uint64_t)((double)part / (double)total * 100000), stat_path, raw);
}

int host_read_steal(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	struct ticks ticks = { 0 };
	int r = read_ticks(in, &ticks);

	(void)row;
	if (r == -EINVAL)
		return host_garbled(ret_fact, stat_path, "no line of our CPUs that we understand");
	if (r < 0)
		return host_missing(in, stat_path, r, ret_fact);
	return set_share(ret_fact, ticks.steal, ticks.total);
}

/* Until a sample is taken; that a capture is none to be watched needs no reason. */
int host_read_later(const struct host_reader *in, const struct host_row *row, struct fact *ret_fact)
{
	return fact_set(ret_fact, FACT_UNKNOWN, 0, row->paths[0], in->root->live ? "not watched" : NULL);
}

int host_sample(const struct host_reader *in, unsigned ms, struct host *host)
{
	const struct timespec pause = { ms / 1000, (long)(ms % 1000) * 1000000 };
	struct ticks first = { 0 }, then = { 0 };
	uint64_t total, idle, steal;

	if (read_ticks(in, &first) < 0)
		return 0;
	(void)nanosleep(&pause, NULL); /* cut short by a signal, the sample is shorter */
	if (read_ticks(in, &then) < 0 || then.total <= first.total)
		return 0;
	total = then.total - first.total;
	/* Idle time was seen to run backwards by a tick (kernels count it twice over); less than none is none. */
	idle = then.idle > first.idle ? then.idle - first.idle : 0;
	steal = then.steal > first.steal ? then.steal - first.steal : 0;
	if (idle + steal > total)
		idle = total - steal;
	if (set_share(&host->facts[HOST_STEAL_NOW], steal, total) < 0)
		return -ENOMEM;
	return set_share(&host->facts[HOST_LOAD_NOW], total - idle - steal, total);
}

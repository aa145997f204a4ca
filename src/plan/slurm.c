/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/slurm.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "plan/workload.h"

#include <errno.h>
#include <string.h>

/* The step's own count first: the job's are in the batch script's environment too, which is one process. */
static const struct {
	const char *name;
	bool weak;
} counts[] = {
	{ "SLURM_STEP_TASKS_PER_NODE", false },
	{ "SLURM_TASKS_PER_NODE", true },
	{ "SLURM_NTASKS_PER_NODE", true },
};

/* One number that ends at one of `ends`; moves past it. 0, or -EINVAL. */
static int take_number(const char **text, const char *ends, unsigned *ret_number)
{
	char digits[12];
	const size_t length = strspn(*text, "0123456789");

	if (length == 0 || length >= sizeof(digits) || ((*text)[length] && !strchr(ends, (*text)[length])))
		return -EINVAL;
	memcpy(digits, *text, length);
	digits[length] = '\0';
	*text += length;
	return parse_unsigned(digits, ret_number);
}

/* Tasks of node `node` in "4(x2),3", which is 4, 4 and 3. 0, or -EINVAL. */
static int tasks_of_node(const char *list, unsigned node, unsigned *ret_tasks)
{
	for (;;) {
		unsigned tasks, times = 1;

		if (take_number(&list, "(,", &tasks) < 0)
			return -EINVAL;
		if (*list == '(') {
			list++;
			if (*list++ != 'x' || take_number(&list, ")", &times) < 0 || *list++ != ')')
				return -EINVAL;
		}
		if (node < times) {
			*ret_tasks = tasks;
			return *list && *list != ',' ? -EINVAL : 0;
		}
		node -= times;
		if (*list++ != ',')
			return -EINVAL;
	}
}

/* The batch script and what it starts without srun: one process, whatever the job's counts say. */
static bool is_batch_script(const struct workload *workload)
{
	const char *kind = workload_getenv(workload, "ENVIRONMENT");

	return kind && strcmp(kind, "BATCH") == 0 && !workload_getenv(workload, "SLURM_STEP_ID");
}

int slurm_count(const struct workload *workload, struct manager_claim *claim, const char **ret_name, struct err *err)
{
	const char *node_text = workload_getenv(workload, "SLURM_NODEID");
	unsigned node = 0;

	*ret_name = counts[0].name;
	if (is_batch_script(workload)) {
		claim->count = 1;
		return 0;
	}
	if (node_text && parse_unsigned(node_text, &node) < 0)
		return managers_misread("SLURM_NODEID", node_text, "a number", err);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		const char *value = workload_getenv(workload, counts[i].name);

		if (!value)
			continue;
		*ret_name = counts[i].name;
		claim->weak = counts[i].weak;
		/* The last one is a single number, of every node. */
		if (tasks_of_node(value, strchr(value, '(') || strchr(value, ',') ? node : 0, &claim->count) < 0)
			return managers_misread(*ret_name, value, "a list of tasks for each node that has this one",
						err);
		return 0;
	}
	return 0;
}

/* "mask_cpu:", "map_cpu:", "rank" ...; "none" or unset where srun left the tasks alone (srun(1), --cpu-bind). */
enum manager_bound slurm_bound(const struct workload *workload)
{
	const char *type = workload_getenv(workload, "SLURM_CPU_BIND_TYPE");

	return type && *type && strcmp(type, "none") != 0 ? BOUND_YES : BOUND_NO;
}

/* ---- SLURM_CPU_BIND_LIST: an entry for each local rank, from the first again where there are more ranks ---- */

struct bind_list {
	const char *text;
	bool are_masks; /* else numbers of CPUs */
	unsigned entries;
};

static bool find_list(const struct workload *workload, struct bind_list *ret_list)
{
	const char *text = workload_getenv(workload, "SLURM_CPU_BIND_LIST");
	const char *type = workload_getenv(workload, "SLURM_CPU_BIND_TYPE");
	struct bind_list list = { .text = text, .entries = 1 };

	if (!text || !*text || !type)
		return false;
	list.are_masks = strcmp(type, "mask_cpu:") == 0;
	for (; *text; text++)
		list.entries += *text == ',';
	*ret_list = list;
	return list.are_masks || strcmp(type, "map_cpu:") == 0;
}

/* CPUs of the next entry: the bits of "0x3" or "3", or CPU "3". -EINVAL: a form that we do not read ("0*2"). */
static int take_entry(char **rest, bool is_mask, hwloc_bitmap_t cpus)
{
	const char *entry = strsep(rest, ",");
	unsigned cpu;

	if (is_mask) {
		entry += strncmp(entry, "0x", 2) == 0 ? 2 : 0;
		if (!*entry || entry[strspn(entry, "0123456789abcdefABCDEF")])
			return -EINVAL;
		return hwloc_bitmap_taskset_sscanf(cpus, entry) < 0 ? -ENOMEM : 0;
	}
	if (parse_unsigned(entry, &cpu) < 0 || cpu >= CPULIST_MAX)
		return -EINVAL;
	return hwloc_bitmap_only(cpus, cpu) < 0 ? -ENOMEM : 0;
}

/* The CPUs of entry `number`. 0, -EINVAL or -ENOMEM. */
static int entry_at(const struct bind_list *list, unsigned number, hwloc_bitmap_t cpus)
{
	cleanup_free char *copy = strdup(list->text);
	char *rest = copy;
	int r = copy ? 0 : -ENOMEM;

	for (unsigned i = 0; r == 0 && i <= number; i++)
		r = take_entry(&rest, list->are_masks, cpus);
	return r;
}

/* How many of the first `ranks` ranks have entry `entry` of `entries`. */
static unsigned ranks_of(unsigned ranks, unsigned entry, unsigned entries)
{
	return ranks / entries + (entry < ranks % entries);
}

/* -EEXIST: some have a part of `ours` only; -EINVAL, -ENOMEM. */
static int count_sharers(const struct bind_list *list, const struct manager_claim *claim, hwloc_const_bitmap_t ours,
			 struct manager_sharers *sharers)
{
	cleanup_bitmap hwloc_bitmap_t theirs = hwloc_bitmap_alloc();
	cleanup_free char *copy = strdup(list->text);
	char *rest = copy;

	if (!theirs || !copy)
		return -ENOMEM;
	for (unsigned i = 0; i < list->entries; i++) {
		int r = take_entry(&rest, list->are_masks, theirs);

		if (r < 0)
			return r;
		if (hwloc_bitmap_isequal(ours, theirs)) {
			sharers->index += ranks_of(claim->index, i, list->entries);
			sharers->count += ranks_of(claim->count, i, list->entries);
		} else if (ranks_of(claim->count, i, list->entries) && hwloc_bitmap_intersects(ours, theirs)) {
			return -EEXIST;
		}
	}
	return 0;
}

int slurm_sharers(const struct workload *workload, const struct manager_claim *claim, hwloc_const_bitmap_t mask_os,
		  struct manager_sharers *ret_sharers)
{
	cleanup_bitmap hwloc_bitmap_t ours = hwloc_bitmap_alloc();
	struct manager_sharers sharers = { 0 };
	struct bind_list list;
	int r;

	if (!ours)
		return -ENOMEM;
	if (!find_list(workload, &list))
		return 0;
	r = entry_at(&list, claim->index % list.entries, ours);
	/* Else its CPUs were changed since, or Slurm counts CPUs otherwise than the kernel. */
	if (r == 0 && hwloc_bitmap_isincluded(mask_os, ours)) {
		r = count_sharers(&list, claim, ours, &sharers);
		if (r == 0) {
			*ret_sharers = sharers;
			return 1;
		}
	}
	return r == -EINVAL ? 0 : r;
}

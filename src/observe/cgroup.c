/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/cgroup.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "machine/cgroup_path.h"
#include "machine/cpuset.h"
#include "machine/limits.h"
#include "machine/mounts.h"
#include "observe/proc.h"

#include <errno.h>
#include <string.h>

/* A counter, where it stands in both versions, and by what it is brought to our unit. */
struct counter {
	size_t offset; /* of the fact in struct observed_cgroup */
	const char *controller;
	const char *v1_file, *v1_key, *v2_file, *v2_key;
	unsigned v1_times, v2_times;
	bool twice; /* read at both looks */
};

#define AT(field) offsetof(struct observed_cgroup, field)
static const struct counter counters[] = {
	{ AT(periods), "cpu", "cpu.stat", "nr_periods", "cpu.stat", "nr_periods", 1, 1, true },
	{ AT(throttled), "cpu", "cpu.stat", "nr_throttled", "cpu.stat", "nr_throttled", 1, 1, true },
	{ AT(throttled_ns), "cpu", "cpu.stat", "throttled_time", "cpu.stat", "throttled_usec", 1, 1000, true },
	{ AT(ooms), "memory", "memory.oom_control", "oom_kill", "memory.events", "oom_kill", 1, 1, true },
	{ AT(used_bytes), "memory", "memory.stat", "total_rss", "memory.stat", "anon", 1, 1, false },
};

static int read_one(const struct observe_request *request, const struct counter *counter, bool unified, const char *dir,
		    size_t dir_length, struct fact *ret_fact)
{
	cleanup_text struct text path = TEXT_INIT;
	cleanup_free char *text = NULL;
	uint64_t value;

	text_add_bytes(&path, dir, dir_length);
	text_add(&path, "/%s", unified ? counter->v2_file : counter->v1_file);
	if (path.failed)
		return -ENOMEM;
	if (sysroot_read(request->root, path.data, &text) < 0 ||
	    !proc_number(text, unified ? counter->v2_key : counter->v1_key, &value))
		return fact_set(ret_fact, FACT_ABSENT, 0, path.data, NULL);
	value *= unified ? counter->v2_times : counter->v1_times;
	return fact_set(ret_fact, FACT_KNOWN, value, path.data, NULL);
}

/*
 * A group without a quota counts no periods; the one that throttles is any of those above it. The used memory is that
 * of the group with the limit, which is the largest as one goes up: the own one is the first that has the file.
 */
static int read_up(const struct observe_request *request, const struct counter *counter, const struct cgroup_path *path,
		   struct fact *fact)
{
	size_t length = strlen(path->dir);
	bool found = false;

	for (;;) {
		struct fact level = { .state = FACT_UNKNOWN };
		int r = read_one(request, counter, path->unified, path->dir, length, &level);
		const bool better =
			level.state == FACT_KNOWN && (!found || (counter->twice && level.value > fact->value));

		if (r == 0 && (better || fact->state == FACT_UNKNOWN))
			r = fact_copy(fact, &level);
		found |= level.state == FACT_KNOWN;
		fact_clear(&level);
		if (r < 0 || length <= path->top_length)
			return r;
		while (length > path->top_length && path->dir[--length] != '/')
			;
	}
}

/* At the last look the counter is read where it was found at the first. */
static int read_again(const struct observe_request *request, const struct counter *counter, const struct fact *first,
		      struct fact *fact)
{
	cleanup_free char *text = NULL;
	const char *const keys[] = { counter->v2_key, counter->v1_key };
	uint64_t value;

	if (sysroot_read(request->root, first->source, &text) < 0)
		return fact_set(fact, FACT_UNKNOWN, 0, first->source, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (proc_number(text, keys[i], &value))
			return fact_set(fact, FACT_KNOWN, value * (i ? counter->v1_times : counter->v2_times),
					first->source, NULL);
	}
	return fact_set(fact, FACT_UNKNOWN, 0, first->source, NULL);
}

static int look(const struct observe_request *request, const struct mounts *mounts, const struct counter *counter,
		unsigned which, const struct observed_process *process, struct observed_cgroup *cgroup)
{
	struct fact *facts = (struct fact *)((char *)cgroup + counter->offset);
	struct cgroup_path path = { NULL };
	int r;

	if (which && counter->twice && facts[0].state == FACT_KNOWN)
		return read_again(request, counter, &facts[0], &facts[1]);
	r = cgroup_path_find(request->root, mounts, process->cgroup, counter->controller, process->pid, &path);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	r = read_up(request, counter, &path, &facts[counter->twice ? which : 0]);
	free(path.dir);
	return r;
}

int cgroup_look(const struct observe_request *request, unsigned which, const struct observed_process *process,
		struct observed_cgroup *cgroup)
{
	cleanup_mounts struct mounts mounts = { NULL };
	int r;

	if (!process->cgroup)
		return 0;
	r = mounts_read(request->root, &mounts);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(counters); i++)
		r = look(request, &mounts, &counters[i], which, process, cgroup);
	return r;
}

int cgroup_finish(const struct observe_request *request, const struct observed_process *process,
		  struct observed_cgroup *cgroup)
{
	cleanup_mounts struct mounts mounts = { NULL };
	int r;

	if (!process->cgroup)
		return 0;
	r = mounts_read(request->root, &mounts);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	hwloc_bitmap_free(cgroup->cpuset_os);
	cgroup->cpuset_os = NULL;
	if (cpuset_of_process(request->root, &mounts, process->cgroup, process->pid, &cgroup->cpuset_os) < 0)
		return -ENOMEM;
	return cgroup_limits_of(request->root, &mounts, process->cgroup, process->pid, &cgroup->quota_milli,
				&cgroup->memory_limit_bytes);
}

void cgroup_clear(struct observed_cgroup *cgroup)
{
	hwloc_bitmap_free(cgroup->cpuset_os);
	cgroup->cpuset_os = NULL;
	fact_clear(&cgroup->quota_milli);
	fact_clear(&cgroup->memory_limit_bytes);
	fact_clear(&cgroup->used_bytes);
	for (unsigned i = 0; i < 2; i++) {
		fact_clear(&cgroup->periods[i]);
		fact_clear(&cgroup->throttled[i]);
		fact_clear(&cgroup->throttled_ns[i]);
		fact_clear(&cgroup->ooms[i]);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/observe.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "observe/agent.h"
#include "observe/cgroup.h"
#include "observe/floats.h"
#include "observe/heap.h"
#include "observe/memory.h"
#include "observe/objects.h"
#include "observe/pools.h"
#include "observe/processes.h"
#include "observe/system.h"
#include "observe/threads.h"

#include <errno.h>
#include <string.h>

/* Processes of which maps and pages are read: a tree of hundreds is a shell's work, and says the same again. */
enum { DEEP_MAX = 64 };

uint64_t observation_window_ns(const struct observation *observation)
{
	return observation->looks > 1 ? observation->last_ns - observation->first_ns : 0;
}

static unsigned milli(uint64_t part, uint64_t whole)
{
	return whole ? (unsigned)((double)part / (double)whole * 1000) : 0;
}

/* A counter that runs backwards (a clock of another CPU, a pid used again) is no time. */
static uint64_t between(uint64_t first, uint64_t last)
{
	return last > first ? last - first : 0;
}

unsigned thread_ran_milli(const struct observation *observation, const struct observed_thread *thread)
{
	return milli(between(thread->first.run_ns, thread->last.run_ns), observation_window_ns(observation));
}

unsigned thread_wanted_milli(const struct observation *observation, const struct observed_thread *thread)
{
	const uint64_t waited = thread->has_wait ? between(thread->first.wait_ns, thread->last.wait_ns) : 0;

	return milli(between(thread->first.run_ns, thread->last.run_ns) + waited, observation_window_ns(observation));
}

enum { COMPUTES_MILLI = 250 };

bool thread_computes(const struct observation *observation, const struct observed_thread *thread)
{
	/* One that only waited has not been seen to compute. */
	return thread_wanted_milli(observation, thread) >= COMPUTES_MILLI && thread->last.run_ns > thread->first.run_ns;
}

bool thread_is_settled(const struct observed_thread *thread)
{
	return thread->held_to_ns - thread->held_from_ns >= OBSERVE_SETTLE_MS * 1000000ULL;
}

bool observation_is_unsettled(const struct observation *observation)
{
	for (size_t i = 0; i < observation->process_count; i++) {
		const struct observed_process *process = &observation->processes[i];

		for (size_t k = 0; !process->gone && k < process->thread_count; k++) {
			const struct observed_thread *thread = &process->threads[k];

			if (!thread->gone && thread->before_os && !thread_is_settled(thread))
				return true;
		}
	}
	return false;
}

static int look_cgroups(const struct observe_request *request, unsigned which, struct observation *observation,
			size_t first)
{
	for (size_t i = first; i < observation->instance_count; i++) {
		struct observed_instance *instance = &observation->instances[i];

		if (cgroup_look(request, which, &observation->processes[instance->root_idx], &instance->cgroup) < 0)
			return -ENOMEM;
	}
	return 0;
}

static uint64_t ran_ns(const struct observed_process *process)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < process->thread_count; i++)
		sum += between(process->threads[i].first.run_ns, process->threads[i].last.run_ns);
	return sum;
}

/* The process of the instance that everybody means: where nothing has run, the one with the most threads. */
static void choose_main(struct observation *observation, size_t instance_idx)
{
	struct observed_instance *instance = &observation->instances[instance_idx];

	for (size_t i = 0; i < observation->process_count; i++) {
		const struct observed_process *process = &observation->processes[i], *main;

		if (process->instance_idx != (int)instance_idx || process->gone)
			continue;
		main = &observation->processes[instance->main_idx];
		if (main->gone || ran_ns(process) > ran_ns(main) ||
		    (ran_ns(process) == ran_ns(main) && process->thread_count > main->thread_count))
			instance->main_idx = (int)i;
	}
}

int observe_start(const struct observe_request *request, uint64_t now_ns, struct observation **ret_observation,
		  struct err *err)
{
	cleanup_observation struct observation *observation = calloc(1, sizeof(*observation));

	if (!observation)
		return err_nomem(err);
	*observation = (struct observation){ .first_ns = now_ns,
					     .last_ns = now_ns,
					     .looks = 1,
					     .ticks_per_s = request->ticks_per_s,
					     .observer = request->observer };
	if (system_look(request, 0, observation) < 0 || processes_look(request, observation) < 0)
		return err_nomem(err);
	if (!observation->process_count)
		return err_set(err, -ESRCH, "no such process, or /proc does not show it to us");
	if (processes_group(request, observation, err) < 0 || look_cgroups(request, 0, observation, 0) < 0)
		return err_nomem(err);
	*ret_observation = TAKE(observation);
	return 0;
}

int observe_look(const struct observe_request *request, uint64_t now_ns, struct observation *observation,
		 struct err *err)
{
	const size_t instances = observation->instance_count;

	observation->looks++;
	observation->last_ns = now_ns;
	if (system_look(request, 1, observation) < 0 || processes_look(request, observation) < 0 ||
	    processes_group(request, observation, err) < 0 || look_cgroups(request, 0, observation, instances) < 0)
		return err_nomem(err);
	/* Who is read once at the end is chosen then. */
	for (size_t i = 0; request->planned && i < observation->instance_count; i++)
		choose_main(observation, i);
	return 0;
}

static int read_deep(const struct observe_request *request, struct observation *observation,
		     struct observed_process *process)
{
	process->deep = true;
	if (process_identify(request, observation, process) < 0 || threads_where(request, process) < 0 ||
	    objects_read(request, observation, process) < 0 || preloads_read(request, process) < 0 ||
	    memory_read(request, observation, process) < 0)
		return -ENOMEM;
	pools_tell(process);
	return 0;
}

/* More than half of the memory there may be is in use: it is worth knowing what for. */
static bool is_short(const struct observed_cgroup *cgroup)
{
	return cgroup->memory_limit_bytes.state == FACT_KNOWN && cgroup->used_bytes.state == FACT_KNOWN &&
	       cgroup->used_bytes.value > cgroup->memory_limit_bytes.value / 2;
}

int observe_finish(const struct observe_request *request, struct observation *observation, struct err *err)
{
	unsigned deep = 0;

	for (size_t i = 0; i < observation->instance_count; i++) {
		choose_main(observation, i);
		if (!observation->processes[observation->instances[i].main_idx].gone &&
		    read_deep(request, observation, &observation->processes[observation->instances[i].main_idx]) < 0)
			return err_nomem(err);
	}
	for (size_t i = 0; i < observation->process_count && deep < DEEP_MAX; i++) {
		struct observed_process *process = &observation->processes[i];

		if (process->gone || process->instance_idx < 0 || process->deep)
			continue;
		deep++;
		if (read_deep(request, observation, process) < 0)
			return err_nomem(err);
	}
	if (floats_read(request, observation) < 0 || look_cgroups(request, 1, observation, 0) < 0)
		return err_nomem(err);
	for (size_t i = 0; i < observation->instance_count; i++) {
		struct observed_instance *instance = &observation->instances[i];

		if (cgroup_finish(request, &observation->processes[instance->root_idx], &instance->cgroup) < 0 ||
		    (is_short(&instance->cgroup) &&
		     heap_read(request, observation, &observation->processes[instance->main_idx]) < 0) ||
		    agent_look(request, observation, instance) < 0)
			return err_nomem(err);
	}
	return system_finish(request, observation) < 0 ? err_nomem(err) : 0;
}

/* The process without what read_deep() fills in. */
static struct observed_process bare(const struct observed_process *process)
{
	struct observed_process bare = { .pid = process->pid,
					 .parent = process->parent,
					 .started = process->started,
					 .instance_idx = process->instance_idx,
					 .threads = process->threads,
					 .thread_count = process->thread_count,
					 .thread_capacity = process->thread_capacity,
					 .ticks = process->ticks,
					 .child_ticks_first = process->child_ticks_first,
					 .child_ticks_last = process->child_ticks_last,
					 .looked = process->looked };

	memcpy(bare.name, process->name, sizeof(bare.name));
	return bare;
}

/* Everything but the threads, which another has. */
static void clear_deep(struct observed_process *process)
{
	process->threads = NULL;
	process->thread_count = 0;
	process_clear(process);
}

static void forget_gaps(struct observation *observation, size_t count)
{
	while (observation->gap_count > count)
		free(observation->gaps[--observation->gap_count].path);
}

int observe_refresh(const struct observe_request *request, struct observation *observation, size_t instance_idx,
		    bool *ret_read, struct err *err)
{
	struct observed_instance *instance = &observation->instances[instance_idx];
	const struct observed_process *root = &observation->processes[instance->root_idx];
	const size_t gaps = observation->gap_count;
	struct observed_process *main, before;
	int r;

	choose_main(observation, instance_idx);
	main = &observation->processes[instance->main_idx];
	*ret_read = false;
	if (main->gone)
		return 0;
	before = *main;
	*main = bare(&before);
	r = read_deep(request, observation, main);
	*ret_read = r == 0 && main->command && !main->loading;
	if (*ret_read) {
		clear_deep(&before);
	} else {
		clear_deep(main);
		*main = before;
		forget_gaps(observation, gaps);
	}
	if (r == 0)
		r = cgroup_look(request, 1, root, &instance->cgroup);
	if (r == 0)
		r = cgroup_finish(request, root, &instance->cgroup);
	if (r == 0 && *ret_read && is_short(&instance->cgroup))
		r = heap_read(request, observation, main);
	return r < 0 ? err_nomem(err) : 0;
}

int observe_refresh_system(const struct observe_request *request, struct observation *observation, struct err *err)
{
	return system_finish(request, observation) < 0 ? err_nomem(err) : 0;
}

void observation_free(struct observation *observation)
{
	if (!observation)
		return;
	for (size_t i = 0; i < observation->process_count; i++)
		process_clear(&observation->processes[i]);
	for (size_t i = 0; i < observation->instance_count; i++) {
		planned_clear(&observation->instances[i].planned);
		free(observation->instances[i].record);
		cgroup_clear(&observation->instances[i].cgroup);
		observed_agent_free(observation->instances[i].agent);
	}
	for (size_t i = 0; i < observation->cpu_count; i++) {
		fact_clear(&observation->cpus[i].now_khz);
		fact_clear(&observation->cpus[i].cap_khz);
		fact_clear(&observation->cpus[i].hardware_khz);
	}
	for (size_t i = 0; i < observation->gap_count; i++)
		free(observation->gaps[i].path);
	fact_clear(&observation->cpu_flags);
	fact_clear(&observation->uptime_ms);
	fact_clear(&observation->numa_balancing);
	fact_clear(&observation->pressure_cpu);
	fact_clear(&observation->pressure_memory);
	hwloc_bitmap_free(observation->online_os);
	free(observation->processes);
	free(observation->instances);
	free(observation->cpus);
	free(observation->neighbours);
	free(observation->gaps);
	free(observation);
}

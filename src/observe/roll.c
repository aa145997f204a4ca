/* SPDX-License-Identifier: Apache-2.0 */
/* From one window to the next. */
#include "observe/observe.h"

#include "base/cleanup.h"
#include "observe/processes.h"

static void roll_threads(struct observed_process *process)
{
	size_t kept = 0;

	for (size_t i = 0; i < process->thread_count; i++) {
		struct observed_thread *thread = &process->threads[i];

		/* A change that has not settled is judged in the window to come. */
		if (thread->gone || thread_is_settled(thread)) {
			hwloc_bitmap_free(thread->before_os);
			thread->before_os = NULL;
		}
		if (thread->gone) {
			hwloc_bitmap_free(thread->allowed_os);
			continue;
		}
		thread->first = thread->last;
		thread->fresh = false;
		process->threads[kept++] = *thread;
	}
	process->thread_count = kept;
}

/* Does an instance stand on it? */
static bool is_needed(const struct observation *observation, size_t process_idx)
{
	for (size_t i = 0; i < observation->instance_count; i++) {
		if (observation->instances[i].root_idx == (int)process_idx ||
		    observation->instances[i].main_idx == (int)process_idx)
			return true;
	}
	return false;
}

static void move_instances(struct observation *observation, size_t from, size_t to)
{
	for (size_t i = 0; i < observation->instance_count; i++) {
		struct observed_instance *instance = &observation->instances[i];

		instance->root_idx = instance->root_idx == (int)from ? (int)to : instance->root_idx;
		instance->main_idx = instance->main_idx == (int)from ? (int)to : instance->main_idx;
	}
}

/* Threads of one that is gone stay as they were: they are the last that is known of it. */
static void roll_processes(struct observation *observation)
{
	size_t kept = 0;

	for (size_t i = 0; i < observation->process_count; i++) {
		struct observed_process *process = &observation->processes[i];

		if (process->gone && !is_needed(observation, i)) {
			process_clear(process);
			continue;
		}
		process->child_ticks_first = process->child_ticks_last;
		if (!process->gone)
			roll_threads(process);
		/* Places that were passed belong to nobody any more: they do not come up again in this walk. */
		if (kept != i) {
			observation->processes[kept] = *process;
			move_instances(observation, i, kept);
		}
		kept++;
	}
	observation->process_count = kept;
}

static void roll_neighbours(struct observation *observation)
{
	size_t kept = 0;

	for (size_t i = 0; i < observation->neighbour_count; i++) {
		struct observed_neighbour *neighbour = &observation->neighbours[i];

		if (neighbour->looked != observation->looks)
			continue;
		neighbour->first = neighbour->last;
		observation->neighbours[kept++] = *neighbour;
	}
	observation->neighbour_count = kept;
}

static void roll_cpus(struct observation *observation)
{
	for (size_t i = 0; i < observation->cpu_count; i++) {
		struct observed_cpu *cpu = &observation->cpus[i];

		cpu->busy[0] = cpu->busy[1];
		cpu->idle[0] = cpu->idle[1];
		cpu->steal[0] = cpu->steal[1];
		cpu->seen[0] = cpu->seen[1];
	}
}

void observe_roll(struct observation *observation)
{
	if (observation->looks < 2)
		return; /* the window has only begun */
	roll_processes(observation);
	roll_neighbours(observation);
	roll_cpus(observation);
	observation->first_ns = observation->last_ns;
}

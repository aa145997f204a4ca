/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/agent.h"

#include "base/cleanup.h"
#include "observe/observe.h"
#include "observe/proc.h"

#include <errno.h>
#include <string.h>

/* The record is another's memory: a text in it ends where its room does. */
static int take_text(const char *text, size_t room, char **ret_text)
{
	*ret_text = *text ? strndup(text, room) : NULL;
	return *text && !*ret_text ? -ENOMEM : 0;
}

static int take_set(const struct agent_mask *mask, hwloc_bitmap_t *ret_set)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(mask->words); i++) {
		const uint64_t word = mask->words[i];

		if (!word)
			continue;
		if (!set)
			set = hwloc_bitmap_alloc();
		for (unsigned bit = 0; set && bit < 64; bit++) {
			if (word >> bit & 1 && hwloc_bitmap_set(set, (unsigned)i * 64 + bit) < 0)
				return -ENOMEM;
		}
		if (!set)
			return -ENOMEM;
	}
	*ret_set = TAKE(set);
	return 0;
}

static int take_names(const struct agent_record *record, uint64_t bits, struct words *names)
{
	for (uint32_t i = 0; i < AGENT_VARIABLES; i++) {
		const char *name = record->variables[i].name;

		if (bits >> i & 1 && words_add_bytes(names, name, strnlen(name, AGENT_NAME)) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Two threads that noticed a runtime at once wrote it down twice. */
static int take_runtimes(const struct agent_process *row, struct observed_agent_process *process)
{
	process->runtimes_left_out = row->runtime_count > AGENT_RUNTIMES;
	for (uint32_t i = 0; i < AGENT_RUNTIMES; i++) {
		cleanup_free char *path = NULL;
		size_t k = 0;

		if (take_text(row->runtimes[i].path, AGENT_PATH, &path) < 0)
			return -ENOMEM;
		if (!path)
			continue;
		while (k < process->runtime_count && strcmp(process->runtimes[k].path, path) != 0)
			k++;
		if (k == process->runtime_count)
			process->runtimes[process->runtime_count++].path = TAKE(path);
		process->runtimes[k].threads += row->runtimes[i].threads;
	}
	return 0;
}

static int take_thread(const struct agent_thread *row, bool ended, struct observed_agent_process *process)
{
	struct observed_agent_thread *thread = &process->threads[process->thread_count++];

	*thread = (struct observed_agent_thread){ .tid = row->tid,
						  .of_runtime = row->flags & AGENT_OF_RUNTIME,
						  .ended = ended,
						  .float_first = row->float_first,
						  .float_last = row->float_last };
	return take_set(&row->first, &thread->first_os) < 0 || take_set(&row->last, &thread->last_os) < 0 ? -ENOMEM : 0;
}

/* Threads begin and end while we read: those are taken that were there when they were counted. */
static int take_threads(const struct agent_record *record, uint32_t owner, struct observed_agent_process *process)
{
	size_t count = 0;

	for (uint32_t i = 0; i < AGENT_THREADS; i++)
		count += record->thread_states[i] > AGENT_FILLING && record->threads[i].process == owner;
	process->threads = calloc(count + 1, sizeof(*process->threads));
	if (!process->threads)
		return -ENOMEM;
	for (uint32_t i = 0; i < AGENT_THREADS && process->thread_count < count; i++) {
		const uint32_t state = record->thread_states[i];

		if (state > AGENT_FILLING && record->threads[i].process == owner &&
		    take_thread(&record->threads[i], state == AGENT_ENDED, process) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void take_numbers(const struct agent_process *row, struct observed_agent_process *process)
{
	process->pid = row->pid;
	process->parent = row->parent;
	process->begun_ns = row->begun_ns;
	process->flags = row->flags;
	process->trouble = row->trouble;
	process->preloads = row->preloads;
	process->choices = row->choices;
	process->bindings = row->bindings;
	process->float_first = row->float_first;
	process->float_last = row->float_last;
	process->threads_started = row->threads_started;
	process->threads_ended = row->threads_ended;
	process->threads_unseen = row->threads_unseen;
	process->threads_left = row->threads_left;
	process->not_flushing = row->not_flushing;
	process->met_denormals = row->met_denormals;
	process->team_last = row->team_last;
	process->policy_first = row->policy_first;
	process->policy_last = row->policy_last;
}

static int take_process(const struct agent_record *record, uint32_t i, struct observed_agent_process *process)
{
	const struct agent_process *row = &record->processes[i];

	take_numbers(row, process);
	if (take_text(row->malloc_owner, AGENT_PATH, &process->malloc_owner) < 0 ||
	    take_text(row->gomp_owner, AGENT_PATH, &process->gomp_owner) < 0 ||
	    take_text(row->kmpc_owner, AGENT_PATH, &process->kmpc_owner) < 0 ||
	    take_text(row->chooser, AGENT_PATH, &process->chooser) < 0 ||
	    take_set(&row->first, &process->first_os) < 0 || take_set(&row->given, &process->given_os) < 0 ||
	    take_set(&row->last, &process->last_os) < 0 || take_set(&row->chosen, &process->chosen_os) < 0 ||
	    take_names(record, row->changed_before, &process->changed_before) < 0 ||
	    take_names(record, row->changed & ~row->changed_before, &process->changed) < 0 ||
	    take_runtimes(row, process) < 0)
		return -ENOMEM;
	return row->threads_started ? take_threads(record, i, process) : 0;
}

static void sort(struct observed_agent *agent)
{
	for (size_t i = 1; i < agent->process_count; i++) {
		const struct observed_agent_process moved = agent->processes[i];
		size_t place = i;

		for (; place > 0 && agent->processes[place - 1].begun_ns > moved.begun_ns; place--)
			agent->processes[place] = agent->processes[place - 1];
		agent->processes[place] = moved;
	}
}

/* By number: the last of it that began before the child. Rows are used again, so that they name nobody for long. */
static void find_parents(struct observed_agent *agent)
{
	for (size_t i = 0; i < agent->process_count; i++) {
		agent->processes[i].parent_idx = -1;
		for (size_t k = 0; k < i; k++) {
			if (agent->processes[k].pid == agent->processes[i].parent)
				agent->processes[i].parent_idx = (int)k;
		}
	}
}

int agent_read(const struct agent_file *file, struct observed_agent **ret_agent)
{
	const struct agent_record *record = file->record;
	struct observed_agent *agent = calloc(1, sizeof(*agent));
	int r = agent ? 0 : -ENOMEM;

	if (r == 0)
		agent->processes = calloc(AGENT_PROCESSES, sizeof(*agent->processes));
	if (r < 0 || !agent->processes) {
		free(agent);
		return -ENOMEM;
	}
	for (uint32_t i = 0; r == 0 && i < AGENT_PROCESSES; i++) {
		const uint32_t state = record->process_states[i];
		struct observed_agent_process *process = &agent->processes[agent->process_count];

		if (state <= AGENT_FILLING || state > AGENT_ENDED)
			continue;
		agent->process_count++;
		process->state = state;
		process->forked = record->processes[i].forked_from >= 0;
		r = take_process(record, i, process);
	}
	if (r < 0) {
		observed_agent_free(agent);
		return r;
	}
	sort(agent);
	find_parents(agent);
	agent->processes_lost = record->processes_lost;
	agent->threads_lost = record->threads_lost;
	agent->map_error = -(int)record->map_error;
	agent->variables = record->variable_count;
	agent->variables_left_out = record->variables_left_out;
	*ret_agent = agent;
	return 0;
}

int agent_look(const struct observe_request *request, struct observation *observation,
	       struct observed_instance *instance)
{
	static const char what[] = "what the agent wrote down (fettle has ended, or it may not be read)";
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT;
	int r;

	if (instance->agent || !instance->record || !agent_file_named(instance->record))
		return 0;
	r = agent_file_find(request->root, instance->record, &file);
	if (r < 0)
		return proc_gap(observation, "FETTLE_PLAN rec=", what, r);
	return agent_read(&file, &instance->agent);
}

static void clear_process(struct observed_agent_process *process)
{
	for (size_t i = 0; i < process->thread_count; i++) {
		hwloc_bitmap_free(process->threads[i].first_os);
		hwloc_bitmap_free(process->threads[i].last_os);
	}
	for (size_t i = 0; i < process->runtime_count; i++)
		free(process->runtimes[i].path);
	hwloc_bitmap_free(process->first_os);
	hwloc_bitmap_free(process->given_os);
	hwloc_bitmap_free(process->last_os);
	hwloc_bitmap_free(process->chosen_os);
	words_clear(&process->changed_before);
	words_clear(&process->changed);
	free(process->malloc_owner);
	free(process->gomp_owner);
	free(process->kmpc_owner);
	free(process->chooser);
	free(process->threads);
}

void observed_agent_free(struct observed_agent *agent)
{
	if (!agent)
		return;
	for (size_t i = 0; i < agent->process_count; i++)
		clear_process(&agent->processes[i]);
	free(agent->processes);
	free(agent);
}

const struct observed_agent_process *observed_agent_find(const struct observed_agent *agent, pid_t pid)
{
	const struct observed_agent_process *found = NULL;

	for (size_t i = 0; agent && i < agent->process_count; i++) {
		const struct observed_agent_process *process = &agent->processes[i];
		const bool fits = pid ? process->pid == pid
				      : !found || process->threads_started > found->threads_started ||
						  (found->state == AGENT_BECAME && process->pid == found->pid);

		if (fits)
			found = process;
	}
	return found;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Which instance a process belongs to. */
#include "observe/processes.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/record.h"

#include <errno.h>
#include <string.h>

static const char *record_of(const struct observed_process *process)
{
	return environ_value((const char *const *)process->environment, RECORD_VARIABLE);
}

static struct observed_process *parent_of(const struct observation *observation, const struct observed_process *process)
{
	for (size_t i = 0; i < observation->process_count; i++) {
		if (observation->processes[i].pid == process->parent)
			return &observation->processes[i];
	}
	return NULL;
}

static int add_instance(struct observation *observation, struct observed_process *root, const char *record,
			struct planned *planned)
{
	struct observed_instance *grown = array_grow(observation->instances, &observation->instance_capacity,
						     observation->instance_count, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	observation->instances = grown;
	grown += observation->instance_count;
	*grown = (struct observed_instance){ .record = record ? strdup(record) : NULL,
					     .root_idx = (int)(root - observation->processes),
					     .main_idx = (int)(root - observation->processes) };
	if (record && !grown->record)
		return -ENOMEM;
	grown->planned = *planned;
	*planned = (struct planned){ .known = false };
	root->instance_idx = (int)observation->instance_count++;
	return 0;
}

/* The instance of this index; -1: it was never seen. */
static int instance_of(const struct observation *observation, unsigned index)
{
	int i = (int)observation->instance_count - 1;

	while (i >= 0 && observation->instances[i].planned.index != index)
		i--;
	return i;
}

/* The first process of an instance, or of another life of it. */
static int place_root(const struct planned *planned, struct observation *observation, struct observed_process *root)
{
	cleanup_planned struct planned copy = { .known = false };
	struct observed_instance *instance;

	root->instance_idx = instance_of(observation, planned->index);
	if (root->instance_idx < 0)
		return planned_copy(planned, &copy) < 0 ? -ENOMEM : add_instance(observation, root, NULL, &copy);
	instance = &observation->instances[root->instance_idx];
	instance->root_idx = instance->main_idx = (int)(root - observation->processes);
	return 0;
}

/* As told by whoever started it. One that came to the observer without its parents names its instance itself. */
static int place_told(const struct observe_request *request, struct observation *observation,
		      struct observed_process *process)
{
	const struct observed_process *parent = parent_of(observation, process);
	cleanup_planned struct planned planned = { .known = false };
	struct err why = { 0 };
	int r;

	for (size_t i = 0; i < request->count; i++) {
		if (request->pids[i] == process->pid)
			return place_root(&request->planned[i], observation, process);
	}
	if (parent && parent->instance_idx >= 0) {
		process->instance_idx = parent->instance_idx;
		return 0;
	}
	r = planned_read(record_of(process), &planned, &why);
	if (r == 0)
		process->instance_idx = instance_of(observation, planned.index);
	return r == -ENOMEM ? r : 0;
}

static void mark_ended(struct observation *observation)
{
	for (size_t i = 0; i < observation->instance_count; i++)
		observation->instances[i].ended = true;
	for (size_t i = 0; i < observation->process_count; i++) {
		const struct observed_process *process = &observation->processes[i];

		if (process->instance_idx >= 0 && !process->gone)
			observation->instances[process->instance_idx].ended = false;
	}
}

static int group_told(const struct observe_request *request, struct observation *observation)
{
	for (size_t i = 0; i < observation->process_count; i++) {
		if (observation->processes[i].instance_idx < 0 &&
		    place_told(request, observation, &observation->processes[i]) < 0)
			return -ENOMEM;
	}
	mark_ended(observation);
	return 0;
}

/* By its own word, or else by its parent's. */
static int place(struct observation *observation, struct observed_process *process)
{
	const struct observed_process *parent = parent_of(observation, process);
	const int instance = parent ? parent->instance_idx : -1;
	const char *record = record_of(process);
	cleanup_planned struct planned planned = { .known = false };
	struct err why = { 0 };
	int r;

	if (instance >= 0 && (!record || (observation->instances[instance].record &&
					  strcmp(record, observation->instances[instance].record) == 0))) {
		process->instance_idx = instance;
		return 0;
	}
	r = record ? planned_read(record, &planned, &why) : -ENOENT;
	if (r == -ENOMEM)
		return r;
	return r < 0 ? 0 : add_instance(observation, process, record, &planned);
}

static bool is_below(const struct observation *observation, const struct observed_process *process, pid_t root)
{
	for (unsigned depth = 0; process && depth < 256; depth++) {
		if (process->pid == root)
			return true;
		process = parent_of(observation, process);
	}
	return false;
}

/* A tree in which nobody carries a plan is one instance, whose plan is yet to be inferred. */
static int adopt(struct observation *observation, struct observed_process *root)
{
	struct planned none = { .known = false };
	const size_t instance = observation->instance_count;
	int r;

	for (size_t i = 0; i < observation->process_count; i++) {
		if (observation->processes[i].instance_idx >= 0 &&
		    is_below(observation, &observation->processes[i], root->pid))
			return 0;
	}
	r = add_instance(observation, root, NULL, &none);
	for (size_t i = 0; r == 0 && i < observation->process_count; i++) {
		if (is_below(observation, &observation->processes[i], root->pid))
			observation->processes[i].instance_idx = (int)instance;
	}
	return r;
}

int processes_group(const struct observe_request *request, struct observation *observation, struct err *err)
{
	if (request->planned)
		return group_told(request, observation) < 0 ? err_nomem(err) : 0;
	for (size_t i = 0; i < observation->process_count; i++) {
		if (observation->processes[i].instance_idx < 0 && place(observation, &observation->processes[i]) < 0)
			return err_nomem(err);
	}
	for (size_t i = 0; observation->looks == 1 && i < observation->process_count; i++) {
		struct observed_process *process = &observation->processes[i];

		if (process->instance_idx < 0 && !parent_of(observation, process) && adopt(observation, process) < 0)
			return err_nomem(err);
	}
	return 0;
}

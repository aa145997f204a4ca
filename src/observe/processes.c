/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/processes.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "observe/objects.h"
#include "observe/proc.h"
#include "observe/stat_line.h"
#include "observe/threads.h"

#include <errno.h>
#include <string.h>

/* What one pass found; `ours` grows as parents are known. */
struct pass {
	struct stat_line *lines;
	bool *ours;
	size_t count;
};

static int read_lines(const struct observe_request *request, struct pass *pass)
{
	cleanup_free pid_t *pids = NULL;
	size_t count = 0;
	int r = proc_numbers(request->root, "/proc", &pids, &count);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	pass->lines = calloc(count + 1, sizeof(*pass->lines));
	pass->ours = calloc(count + 1, sizeof(*pass->ours));
	if (!pass->lines || !pass->ours)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		char path[PROC_PATH], text[1024];

		proc_path(path, pids[i], "stat");
		/* Gone meanwhile, or hidden (hidepid): the CPUs' own counts still tell that somebody was there. */
		if (proc_read_short(request->root, path, text, sizeof(text)) == 0 &&
		    stat_line_parse(text, &pass->lines[pass->count]) == 0)
			pass->count++;
	}
	return 0;
}

static int by_id(const void *key, const void *line)
{
	const pid_t wanted = *(const pid_t *)key, id = ((const struct stat_line *)line)->id;

	return (wanted > id) - (wanted < id);
}

/* Is the process one of ours? The lines ascend. */
static bool has(const struct pass *pass, pid_t pid)
{
	const struct stat_line *line = bsearch(&pid, pass->lines, pass->count, sizeof(*line), by_id);

	return line && pass->ours[line - pass->lines];
}

/* A process whose parent ended is still the tree's: it was seen in it. */
static bool was_ours(const struct observation *observation, const struct stat_line *line)
{
	for (size_t i = 0; i < observation->process_count; i++) {
		if (observation->processes[i].pid == line->id && observation->processes[i].started == line->started)
			return true;
	}
	return false;
}

/* Numbers mostly ascend from parent to child, so that one round finds nearly all, and a second that there are no more.
 */
static void mark_tree(const struct observe_request *request, const struct observation *observation, struct pass *pass)
{
	bool more = true;

	for (size_t i = 0; i < pass->count; i++) {
		for (size_t k = 0; k < request->count; k++)
			pass->ours[i] |= pass->lines[i].id == request->pids[k];
		pass->ours[i] |= was_ours(observation, &pass->lines[i]);
		/* Whoever started them has what outlived its parent for a child (it is the subreaper). */
		pass->ours[i] |= request->planned && pass->lines[i].parent == observation->observer;
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < pass->count; i++) {
			if (pass->ours[i] || pass->lines[i].id == observation->observer ||
			    !has(pass, pass->lines[i].parent))
				continue;
			pass->ours[i] = more = true;
		}
	}
}

static int take_process(const struct observe_request *request, struct observation *observation,
			const struct stat_line *line)
{
	struct observed_process *process = NULL;
	int r;

	for (size_t i = 0; i < observation->process_count && !process; i++) {
		if (observation->processes[i].pid == line->id && observation->processes[i].started == line->started)
			process = &observation->processes[i];
	}
	if (!process) {
		process = array_grow(observation->processes, &observation->process_capacity, observation->process_count,
				     sizeof(*process));
		if (!process)
			return -ENOMEM;
		observation->processes = process;
		process += observation->process_count++;
		*process = (struct observed_process){ .pid = line->id,
						      .started = line->started,
						      .instance_idx = -1,
						      .child_ticks_first =
							      observation->looks > 1 ? 0 : line->child_ticks };
		r = process_identify(request, observation, process);
		if (r < 0)
			return r;
	}
	process->parent = line->parent;
	memcpy(process->name, line->name, sizeof(process->name));
	process->ticks = line->ticks;
	process->child_ticks_last = line->child_ticks;
	process->looked = observation->looks;
	r = line->state == 'Z' ? -ESRCH : threads_look(request, observation, process);
	if (r == -ESRCH)
		process->looked = 0; /* it has just ended */
	return r == -ENOMEM ? r : 0;
}

static int take_neighbour(struct observation *observation, const struct stat_line *line, size_t *next)
{
	struct observed_neighbour *grown;
	const bool first = observation->looks == 1;

	for (size_t n = 0; !first && n < observation->neighbour_count; n++) {
		const size_t i = (*next + n) % observation->neighbour_count;

		if (observation->neighbours[i].pid != line->id)
			continue;
		observation->neighbours[i].last = line->ticks;
		observation->neighbours[i].looked = observation->looks;
		observation->neighbours[i].cpu_os = line->cpu_os;
		*next = i + 1;
		return 0;
	}
	grown = array_grow(observation->neighbours, &observation->neighbour_capacity, observation->neighbour_count,
			   sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	observation->neighbours = grown;
	grown += observation->neighbour_count++;
	/* One that came up in the window did all it did in it. */
	*grown = (struct observed_neighbour){ .pid = line->id,
					      .first = first ? line->ticks : 0,
					      .last = line->ticks,
					      .cpu_os = line->cpu_os,
					      .looked = observation->looks };
	memcpy(grown->name, line->name, sizeof(grown->name));
	return 0;
}

int processes_look(const struct observe_request *request, struct observation *observation)
{
	struct pass pass = { NULL };
	size_t next = 0;
	int r = read_lines(request, &pass);

	if (r == 0)
		mark_tree(request, observation, &pass);
	for (size_t i = 0; r == 0 && i < pass.count; i++) {
		if (pass.ours[i])
			r = take_process(request, observation, &pass.lines[i]);
		else if (request->neighbours && pass.lines[i].id != observation->observer)
			r = take_neighbour(observation, &pass.lines[i], &next);
	}
	for (size_t i = 0; i < observation->process_count; i++)
		observation->processes[i].gone = observation->processes[i].looked != observation->looks;
	free(pass.lines);
	free(pass.ours);
	return r;
}

void process_clear(struct observed_process *process)
{
	for (size_t i = 0; i < process->thread_count; i++) {
		hwloc_bitmap_free(process->threads[i].allowed_os);
		hwloc_bitmap_free(process->threads[i].before_os);
	}
	for (size_t i = 0; i < process->object_count; i++)
		object_clear(&process->objects[i]);
	for (size_t i = 0; i < process->preload_count; i++)
		free(process->preloads[i].name);
	free(process->threads);
	free(process->objects);
	free(process->preloads);
	free(process->pages);
	free(process->command);
	free(process->program);
	free(process->environment);
	free(process->environment_text);
	free(process->cgroup);
	fact_clear(&process->rss_bytes);
	fact_clear(&process->peak_bytes);
	fact_clear(&process->swap_bytes);
	fact_clear(&process->anonymous_bytes);
	fact_clear(&process->huge_bytes);
	fact_clear(&process->kept_bytes);
	fact_clear(&process->numa_faults);
}

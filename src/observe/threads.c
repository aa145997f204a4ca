/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/threads.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "observe/proc.h"
#include "observe/stat_line.h"

#include <errno.h>
#include <string.h>

/* Paths below a task folder that is open already: the kernel need not walk to it a thousand times. */
struct task {
	struct sysroot folder;
	const struct observe_request *request;
	struct observation *observation;
	struct observed_process *process;
	size_t next; /* where in `threads` the following one is to be expected */
};

static int read_file(const struct task *task, pid_t tid, const char *name, char **ret_text)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%d/%s", (int)tid, name);
	return sysroot_read(&task->folder, path, ret_text);
}

enum { STAT_BYTES = 1024 };

static int read_short(const struct task *task, pid_t tid, const char *name, char *text, size_t size)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%d/%s", (int)tid, name);
	return proc_read_short(&task->folder, path, text, size);
}

/* Both lists ascend, so that the one looked for stands next in nearly every case. NULL: it is new. */
static struct observed_thread *find(struct task *task, pid_t tid)
{
	struct observed_process *process = task->process;

	for (size_t n = 0; n < process->thread_count; n++) {
		const size_t i = (task->next + n) % process->thread_count;
		struct observed_thread *thread = &process->threads[i];

		/* The number of one that has ended may come again. */
		if (thread->tid == tid && !thread->gone) {
			task->next = i + 1;
			return thread;
		}
	}
	return NULL;
}

/* NULL: memory ran out. */
static struct observed_thread *add(struct task *task, const struct stat_line *line)
{
	struct observed_process *process = task->process;
	struct observed_thread *grown =
		array_grow(process->threads, &process->thread_capacity, process->thread_count, sizeof(*grown));

	if (!grown)
		return NULL;
	process->threads = grown;
	grown += process->thread_count++;
	*grown = (struct observed_thread){ .tid = line->id,
					   .started = line->started,
					   .fresh = task->observation->looks > 1 };
	return grown;
}

/* "RUN WAIT TIMES" in nanoseconds; false: this kernel has it not (CONFIG_SCHED_INFO). */
static bool read_schedstat(const struct task *task, pid_t tid, uint64_t *ret_run, uint64_t *ret_wait)
{
	char text[128];
	const char *at = text;

	return read_short(task, tid, "schedstat", text, sizeof(text)) == 0 && proc_take(&at, 10, ret_run) &&
	       proc_take(&at, 10, ret_wait);
}

static void hold_mask(const struct task *task, struct observed_thread *thread, hwloc_bitmap_t set)
{
	const bool same = thread->allowed_os && hwloc_bitmap_isequal(thread->allowed_os, set);

	thread->held_to_ns = task->observation->last_ns;
	if (!same)
		thread->held_from_ns = thread->held_to_ns;
	if (thread->allowed_os && !same && !thread->before_os)
		thread->before_os = TAKE(thread->allowed_os);
	hwloc_bitmap_free(thread->allowed_os);
	thread->allowed_os = set;
}

/* It has not run. One that waits for a CPU may be between two steps of whatever it does; one that sleeps has done. */
static void hold_on(const struct task *task, struct observed_thread *thread)
{
	if (thread->state == 'S')
		thread->held_to_ns = task->observation->last_ns;
}

static int read_status(const struct task *task, struct observed_thread *thread)
{
	cleanup_free char *text = NULL;
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	struct err ignored = { 0 };
	char *list;

	if (read_file(task, thread->tid, "status", &text) < 0)
		return 0;
	thread->has_switches = proc_number(text, "voluntary_ctxt_switches", &thread->last.voluntary) &&
			       proc_number(text, "nonvoluntary_ctxt_switches", &thread->last.involuntary);
	list = (char *)proc_field(text, "Cpus_allowed_list");
	if (!list)
		return 0;
	list[strcspn(list, "\n")] = '\0';
	if (cpulist_parse(list, &set, &ignored) == -ENOMEM)
		return -ENOMEM;
	if (!set)
		return 0;
	hold_mask(task, thread, TAKE(set));
	return 0;
}

/* Only its owner may read it, and a kernel without CONFIG_SCHED_DEBUG has none. */
static void read_sched(const struct task *task, struct observed_thread *thread)
{
	cleanup_free char *text = NULL;

	if (read_file(task, thread->tid, "sched", &text) == 0)
		thread->has_migrations = proc_number(text, "se.nr_migrations", &thread->last.migrations);
}

/* It has run, or is new: all that is to be known of it. */
static int update(struct task *task, struct observed_thread *thread, const struct stat_line *line)
{
	uint64_t run, wait;

	memcpy(thread->name, line->name, sizeof(thread->name));
	thread->state = line->state;
	thread->last.cpu_os = line->cpu_os;
	thread->ticks = line->ticks;
	thread->last.run_ns = line->ticks * (1000000000 / task->request->ticks_per_s);
	if (read_schedstat(task, line->id, &run, &wait)) {
		thread->last.run_ns = run;
		thread->last.wait_ns = wait;
		thread->has_wait = true;
	}
	read_sched(task, thread);
	return read_status(task, thread);
}

/*
 * One thread. One that has neither run nor waited since the last look is as it was, and that is the cheapest file to
 * tell it. A thread that ended between the folder and its file is no news.
 */
static int look(struct task *task, pid_t tid)
{
	struct observed_thread *thread = find(task, tid);
	char text[STAT_BYTES];
	struct stat_line line;
	uint64_t run, wait;
	bool fresh;

	if (thread && thread->has_wait && read_schedstat(task, tid, &run, &wait) && run == thread->last.run_ns &&
	    wait == thread->last.wait_ns) {
		thread->looked = task->observation->looks;
		hold_on(task, thread);
		return 0;
	}
	if (read_short(task, tid, "stat", text, sizeof(text)) < 0 || stat_line_parse(text, &line) < 0)
		return 0;
	fresh = !thread || thread->started != line.started;
	if (fresh)
		thread = add(task, &line);
	if (!thread)
		return -ENOMEM;
	thread->looked = task->observation->looks;
	if (!fresh && !thread->has_wait && line.ticks == thread->ticks) {
		hold_on(task, thread);
		return 0;
	}
	if (update(task, thread, &line) < 0)
		return -ENOMEM;
	if (fresh)
		thread->first = thread->last;
	/* All a thread ever did that came up in the window, it did in the window. */
	if (fresh && thread->fresh)
		thread->first = (struct thread_counters){ .cpu_os = thread->last.cpu_os };
	return 0;
}

int threads_look(const struct observe_request *request, struct observation *observation,
		 struct observed_process *process)
{
	struct task task = { .request = request, .observation = observation, .process = process };
	cleanup_free pid_t *tids = NULL;
	cleanup_close int fd = -1;
	char path[PROC_PATH];
	size_t count = 0;
	int r;

	proc_path(path, process->pid, "task");
	fd = sysroot_open_file(request->root, path);
	if (fd < 0)
		return fd == -ENOMEM ? fd : -ESRCH;
	task.folder = (struct sysroot){ .fd = fd, .live = request->root->live };
	r = proc_numbers(&task.folder, ".", &tids, &count);
	if (r < 0)
		return r == -ENOMEM ? r : -ESRCH;
	for (size_t i = 0; i < count; i++) {
		r = look(&task, tids[i]);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < process->thread_count; i++)
		process->threads[i].gone = process->threads[i].looked != observation->looks;
	return count ? 0 : -ESRCH;
}

/*
 * "NUMBER ARGUMENTS... STACK CODE" of a thread that waits in a system call, "-1 STACK CODE" of one that waits
 * elsewhere, "running" else (proc_pid_syscall(5)).
 */
int threads_where(const struct observe_request *request, struct observed_process *process)
{
	for (size_t i = 0; i < process->thread_count; i++) {
		cleanup_free char *text = NULL;
		char name[64], path[PROC_PATH];
		const char *last;
		int r;

		(void)snprintf(name, sizeof(name), "task/%d/syscall", (int)process->threads[i].tid);
		proc_path(path, process->pid, name);
		r = sysroot_read(request->root, path, &text);
		if (r == -ENOMEM)
			return r;
		if (r == -EACCES || r == -EPERM || (r == -ENOENT && i == 0))
			return 0; /* the same for all of them */
		last = r == 0 ? strrchr(text, ' ') : NULL;
		if (last)
			process->threads[i].pc = strtoull(last + 1, NULL, 16);
	}
	return 0;
}

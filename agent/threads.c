/* SPDX-License-Identifier: Apache-2.0 */
#include "threads.h"

#include "agent.h"
#include "denormal.h"
#include "kernel.h"
#include "recorder.h"

#include <signal.h>

/* Threads that were made and have not begun to run yet. */
enum { PLACES = 256 };

struct threads_start {
	atomic_bool taken;
	void *(*start)(void *);
	void *argument;
	uint32_t flags;
};

static struct threads_start places[PLACES];
static _Atomic uint32_t next_place;

static pthread_key_t key;
static bool has_key;

/* What the calling thread is: its row, if there was one for it. Initial-exec: reading it never allocates. */
static _Thread_local struct {
	bool accompanied;
	struct agent_thread *row;
	uint32_t float_first;
} here __attribute__((tls_model("initial-exec")));

/* glibc keeps the values of the first 32 keys in the thread itself, and allocates for those after. */
enum { KEYS_WITHOUT_MEMORY = 32 };

static void note_float(uint32_t first, uint32_t last)
{
	struct agent_process *const process = recorder_process();

	if (!process || !(last & AGENT_FLOAT_KNOWN))
		return;
	if (process->flags & AGENT_TO_FLUSH && !(first & last & AGENT_FLUSHES))
		recorder_add(&process->not_flushing);
	if (last & ~first & AGENT_MET_OPERAND)
		recorder_add(&process->met_denormals);
}

/* A row of a process that ended may be another thread's by now. */
static bool is_ours(const struct agent_thread *row)
{
	return row && row->process == recorder_row() && row->tid == kernel_tid();
}

static void thread_ends(void *value)
{
	struct agent_process *const process = recorder_process();
	struct agent_thread *const row = here.row;
	const uint32_t last = denormal_state();

	(void)value;
	if (!process || !here.accompanied)
		return;
	here.accompanied = false;
	recorder_add(&process->threads_ended);
	note_float(here.float_first, last);
	if (recorder_is_quiet() || !is_ours(row))
		return;
	row->float_last = last;
	(void)recorder_mask(0, &row->last);
	atomic_store(&recorder_file()->thread_states[row - recorder_file()->threads], AGENT_ENDED);
}

void threads_begin(void)
{
	const struct behind *libc = agent_behind();

	if (!recorder_on() || has_key || !libc->pthread_key_create || !libc->pthread_setspecific)
		return;
	has_key = libc->pthread_key_create(&key, thread_ends) == 0;
	if (has_key && key >= KEYS_WITHOUT_MEMORY) {
		(void)(libc->pthread_key_delete && libc->pthread_key_delete(key));
		has_key = false;
	}
	if (!has_key)
		recorder_trouble(AGENT_NO_THREAD_KEY);
}

struct threads_start *threads_prepare(void *(*start)(void *), void *argument, uint32_t flags)
{
	const uint32_t first = atomic_fetch_add_explicit(&next_place, 1, memory_order_relaxed);

	if (!recorder_process())
		return NULL;
	for (uint32_t n = 0; n < PLACES; n++) {
		struct threads_start *place = &places[(first + n) % PLACES];

		if (atomic_exchange_explicit(&place->taken, true, memory_order_acquire))
			continue;
		place->start = start;
		place->argument = argument;
		place->flags = flags;
		return place;
	}
	recorder_trouble(AGENT_NO_PLACE);
	return NULL;
}

void threads_abandon(struct threads_start *prepared)
{
	atomic_store_explicit(&prepared->taken, false, memory_order_release);
}

void threads_unaccompanied(void)
{
	struct agent_process *const process = recorder_process();

	if (!process)
		return;
	recorder_add(&process->threads_started);
	recorder_add(&process->threads_unseen);
}

/* One that is free, or was a thread's that ended, or a process's that did. */
static struct agent_thread *take_row(struct agent_record *file)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		const uint32_t first = atomic_load_explicit(&file->thread_next, memory_order_relaxed);

		for (uint32_t n = 0; n < AGENT_THREADS; n++) {
			const uint32_t i = (first + n) % AGENT_THREADS;
			uint32_t state = atomic_load_explicit(&file->thread_states[i], memory_order_relaxed);

			if (state != AGENT_FREE &&
			    (!pass || (state != AGENT_ENDED &&
				       (state != AGENT_RUNS || file->threads[i].process >= AGENT_PROCESSES ||
					atomic_load(&file->process_states[file->threads[i].process]) != AGENT_ENDED))))
				continue;
			if (!atomic_compare_exchange_strong(&file->thread_states[i], &state, AGENT_FILLING))
				continue;
			atomic_store_explicit(&file->thread_next, (i + 1) % AGENT_THREADS, memory_order_relaxed);
			return &file->threads[i];
		}
	}
	return NULL;
}

static void thread_begins(uint32_t flags)
{
	struct agent_process *const process = recorder_process();
	struct agent_thread *row;

	if (!process)
		return;
	here.accompanied = true;
	here.float_first = denormal_state();
	recorder_add(&process->threads_started);
	if (has_key)
		(void)agent_behind()->pthread_setspecific(key, &here);
	row = recorder_is_quiet() ? NULL : take_row(recorder_file());
	if (!row) {
		recorder_add(&process->threads_unseen);
		if (!recorder_is_quiet())
			recorder_add(&recorder_file()->threads_lost);
		return;
	}
	*row = (struct agent_thread){
		.process = recorder_row(), .tid = kernel_tid(), .flags = flags, .float_first = here.float_first
	};
	(void)recorder_mask(0, &row->first);
	here.row = row;
	atomic_store(&recorder_file()->thread_states[row - recorder_file()->threads], AGENT_RUNS);
}

void *threads_run(void *prepared)
{
	struct threads_start *const place = prepared;
	void *(*const start)(void *) = place->start;
	void *const argument = place->argument;
	const uint32_t flags = place->flags;

	atomic_store_explicit(&place->taken, false, memory_order_release);
	thread_begins(flags);
	return start(argument);
}

void threads_fork(void)
{
	if (here.accompanied && has_key)
		(void)agent_behind()->pthread_setspecific(key, NULL);
	here.accompanied = false;
	here.row = NULL;
	here.float_first = denormal_state();
	/* Threads that were about to begin are the parent's. */
	for (uint32_t i = 0; i < PLACES; i++)
		atomic_store_explicit(&places[i].taken, false, memory_order_relaxed);
}

void threads_note_here(void)
{
	struct agent_process *const process = recorder_process();
	const uint32_t now = denormal_state();

	if (here.accompanied) {
		if (here.row && !recorder_is_quiet() && is_ours(here.row))
			here.row->float_last = now;
		return;
	}
	if (process)
		process->float_last = now;
}

void threads_end(bool quiet)
{
	struct agent_record *const file = recorder_file();
	struct agent_process *const process = recorder_process();
	const uint32_t row = recorder_row();

	threads_note_here();
	if (!here.accompanied)
		note_float(process->float_first, process->float_last);
	for (uint32_t i = 0; !quiet && process->threads_started && i < AGENT_THREADS; i++) {
		struct agent_thread *thread = &file->threads[i];

		if (atomic_load(&file->thread_states[i]) != AGENT_RUNS || thread->process != row ||
		    kernel_call3(SYS_tgkill, process->pid, thread->tid, 0) < 0)
			continue;
		recorder_add(&process->threads_left);
		(void)recorder_mask(thread->tid, &thread->last);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "recorder.h"

#include "agent.h"
#include "denormal.h"
#include "kernel.h"
#include "search.h"
#include "threads.h"
#include "variables.h"

#include "base/record.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>

static struct {
	struct agent_record *file;
	struct agent_process *process;
	uint32_t row;
	bool ended;
	_Atomic unsigned quiet; /* a filter of system calls is in the way, or about to be */
	bool filtered;          /* one was there from the start: what it lets through we cannot know */
} recorder;

_Static_assert(sizeof(struct mask) == sizeof(struct agent_mask), "one is copied into the other");

bool recorder_on(void)
{
	return recorder.file != NULL;
}

struct agent_record *recorder_file(void)
{
	return recorder.file;
}

struct agent_process *recorder_process(void)
{
	return recorder.process;
}

uint32_t recorder_row(void)
{
	return recorder.row;
}

bool recorder_is_quiet(void)
{
	return recorder.quiet;
}

void recorder_trouble(enum agent_trouble trouble)
{
	if (recorder.process)
		atomic_fetch_or(&recorder.process->trouble, (uint32_t)trouble);
}

void recorder_filter_comes(void)
{
	atomic_fetch_add(&recorder.quiet, 1);
}

void recorder_filter_came(bool succeeded)
{
	if (succeeded)
		recorder_trouble(AGENT_FILTERED);
	else
		atomic_fetch_sub(&recorder.quiet, 1);
}

bool recorder_mask(pid_t tid, struct agent_mask *ret_mask)
{
	return !recorder.quiet &&
	       kernel_call3(SYS_sched_getaffinity, tid, sizeof(ret_mask->words), ret_mask->words) > 0;
}

void recorder_path(const char *path, char to[AGENT_PATH])
{
	const size_t length = strlen(path), skipped = length < AGENT_PATH ? 0 : length - AGENT_PATH + 1;

	memcpy(to, path + skipped, length - skipped);
	to[length - skipped] = '\0';
	if (skipped && recorder.process)
		atomic_fetch_or(&recorder.process->flags, AGENT_CUT_OFF);
}

/* The loader calls the program "". */
static void name_library(const char *path, char to[AGENT_PATH])
{
	char own[AGENT_PATH];
	long length;

	if (path && *path) {
		recorder_path(path, to);
		return;
	}
	length = path && !recorder.quiet
			 ? kernel_call5(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", own, sizeof(own) - 1, 0)
			 : -1;
	if (length <= 0)
		length = 0;
	own[length] = '\0';
	recorder_path(length || !path ? own : "(the program)", to);
}

static bool take_decimal(const char **p, unsigned *ret_number)
{
	unsigned value = 0;
	const char *begin = *p;

	for (; **p >= '0' && **p <= '9' && *p - begin < 10; (*p)++)
		value = value * 10 + (unsigned)(**p - '0');
	*ret_number = value;
	return *p > begin;
}

/* "PID:FD:COOKIE". */
static bool read_field(const char *plan, unsigned *ret_pid, unsigned *ret_fd, const char **ret_cookie)
{
	size_t length = 0;
	const char *p = record_field(plan, AGENT_RECORD_FIELD, &length), *const end = p ? p + length : NULL;

	if (!p || !take_decimal(&p, ret_pid) || *p++ != ':' || !take_decimal(&p, ret_fd) || *p++ != ':')
		return false;
	*ret_cookie = p;
	return end - p == AGENT_COOKIE_DIGITS;
}

static char *put_decimal(char *to, unsigned number)
{
	char digits[12];
	size_t n = sizeof(digits);

	do
		digits[--n] = (char)('0' + number % 10);
	while (number /= 10);
	memcpy(to, &digits[n], sizeof(digits) - n);
	return to + sizeof(digits) - n;
}

static char *put_text(char *to, const char *text, size_t length)
{
	memcpy(to, text, length);
	return to + length;
}

/* Is what the descriptor is called the record? Asked before it is opened: in another PID namespace it may be anything.
 */
static bool is_named(const char *path, const char *cookie)
{
	char wanted[64], found[64];
	char *end = put_text(wanted, "/memfd:" AGENT_RECORD_NAME, strlen("/memfd:" AGENT_RECORD_NAME));
	long length;

	end = put_text(end, cookie, AGENT_COOKIE_DIGITS);
	end = put_text(end, " (deleted)", strlen(" (deleted)"));
	length = kernel_call5(SYS_readlinkat, AT_FDCWD, path, found, sizeof(found), 0);
	return length == end - wanted && memcmp(found, wanted, (size_t)length) == 0;
}

/* The descriptor is closed at once: a program that closes all of them closes none of ours. */
static struct agent_record *map(const char *path)
{
	long fd = kernel_call5(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0, 0);
	struct agent_record *file = NULL;
	uint32_t code;
	void *mapped;

	if (fd < 0)
		return NULL;
	if (kernel_call3(SYS_lseek, fd, 0, SEEK_END) == (long)sizeof(*file)) {
		mapped = mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
		code = (uint32_t)errno;
		if (mapped != MAP_FAILED)
			file = mapped;
		else
			(void)kernel_call5(SYS_pwrite64, fd, &code, sizeof(code),
					   offsetof(struct agent_record, map_error), 0);
	}
	(void)kernel_call1(SYS_close, fd);
	return file;
}

static struct agent_record *find_record(const char *plan)
{
	struct agent_record *file;
	const char *cookie;
	unsigned pid, fd;
	char path[64], *end;

	if (!read_field(plan, &pid, &fd, &cookie))
		return NULL;
	end = put_decimal(put_text(path, "/proc/", 6), pid);
	*put_decimal(put_text(end, "/fd/", 4), fd) = '\0';
	if (!is_named(path, cookie))
		return NULL;
	file = map(path);
	if (file && (memcmp(file->magic, AGENT_RECORD_MAGIC, sizeof(file->magic)) != 0 ||
		     file->version != AGENT_RECORD_VERSION || file->size != sizeof(*file))) {
		(void)munmap(file, sizeof(*file));
		file = NULL;
	}
	return file;
}

/* Ended or became another program, and nothing stands in it that anybody would miss. */
static bool is_plain(const struct agent_process *row)
{
	return !row->changed && !row->changed_before && !row->choices && !row->threads_started && !row->trouble &&
	       !row->not_flushing && !row->met_denormals;
}

/* The first row is that of the program itself, and stays. */
static bool take_row(struct agent_record *file, uint32_t *ret_row)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		const uint32_t first = atomic_load(&file->process_next);

		for (uint32_t n = 0; n < AGENT_PROCESSES; n++) {
			const uint32_t i = (first + n) % AGENT_PROCESSES;
			uint32_t state = atomic_load(&file->process_states[i]);

			if (state != AGENT_FREE && (!pass || !i || (state != AGENT_ENDED && state != AGENT_BECAME) ||
						    !is_plain(&file->processes[i])))
				continue;
			if (!atomic_compare_exchange_strong(&file->process_states[i], &state, AGENT_FILLING))
				continue;
			atomic_store(&file->process_next, (i + 1) % AGENT_PROCESSES);
			*ret_row = i;
			return true;
		}
	}
	recorder_add(&file->processes_lost);
	return false;
}

static int32_t memory_policy(void)
{
	int mode = AGENT_NO_POLICY;

	/* A filter that does not know the call may kill for it. */
	if (recorder.quiet || recorder.filtered || kernel_call5(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) < 0)
		return AGENT_NO_POLICY;
	return mode;
}

static bool begin_row(int32_t forked_from)
{
	struct timespec now = { 0 };
	struct agent_process *row;
	uint32_t taken;

	recorder.process = NULL;
	recorder.ended = false;
	if (!take_row(recorder.file, &taken))
		return false;
	row = &recorder.file->processes[taken];
	memset(row, 0, sizeof(*row));
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	row->pid = kernel_pid();
	row->parent = (int32_t)kernel_call0(SYS_getppid);
	row->begun_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	row->forked_from = forked_from;
	row->float_first = denormal_state();
	row->policy_first = memory_policy();
	row->policy_last = AGENT_NO_POLICY;
	recorder.row = taken;
	recorder.process = row;
	return true;
}

static void show_row(void)
{
	atomic_store(&recorder.file->process_states[recorder.row], AGENT_RUNS);
}

static void note_owners(struct agent_process *row)
{
	struct search owners[] = { { .name = "malloc" }, { .name = "GOMP_parallel" }, { .name = "__kmpc_fork_call" } };
	char *const names[] = { row->malloc_owner, row->gomp_owner, row->kmpc_owner };

	search_all(owners, sizeof(owners) / sizeof(owners[0]), false);
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		if (owners[i].address)
			name_library(owners[i].path, names[i]);
	}
}

/* A bit for the place of the library's file name among those that the plan preloads. */
static uint32_t planned_preload(const char *plan, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	size_t length = 0;
	const char *list = record_field(plan, "pre=", &length);

	for (uint32_t bit = 1; list && length && *name && bit; bit <<= 1) {
		const char *comma = memchr(list, ',', length);
		const size_t here = comma ? (size_t)(comma - list) : length;

		if (strlen(name) == here && memcmp(list, name, here) == 0)
			return bit;
		list += here + !!comma;
		length -= here + !!comma;
	}
	return 0;
}

static void see_library(const char *path, void *plan)
{
	if (agent_names_runtime(path))
		recorder_runtime(path, false);
	if (plan)
		recorder.process->preloads |= planned_preload(plan, path);
}

void recorder_begin(const char *plan, bool flush)
{
	recorder.filtered = kernel_call1(SYS_prctl, PR_GET_SECCOMP) > 0;
	recorder.file = find_record(plan);
	if (!recorder.file || !begin_row(-1))
		return;
	(void)recorder_mask(0, &recorder.process->first);
	recorder.process->given = recorder.process->first;
	note_owners(recorder.process);
	search_each(see_library, (void *)(size_t)plan);
	if (flush)
		atomic_fetch_or(&recorder.process->flags, AGENT_TO_FLUSH);
	recorder.process->watched = variables_watch(plan, recorder.file);
	recorder.process->changed_before = variables_changed(recorder.file, recorder.process->watched);
	show_row();
}

void recorder_fork(const struct mask *before, bool widened)
{
	struct agent_process *const parent = recorder.process, *row;
	const uint32_t from = recorder.row;

	if (!recorder.file)
		return;
	threads_fork();
	/* Who we are is not to be asked: a process without a row. */
	recorder.process = NULL;
	if (recorder.quiet || !begin_row(parent ? (int32_t)from : -1))
		return;
	row = recorder.process;
	if (before)
		memcpy(&row->first, before, sizeof(row->first));
	row->given = row->first;
	if (widened) {
		(void)recorder_mask(0, &row->given);
		atomic_fetch_or(&row->flags, AGENT_WIDENED);
	}
	if (parent) {
		atomic_fetch_or(&row->flags, parent->flags & AGENT_TO_FLUSH);
		memcpy(row->malloc_owner, parent->malloc_owner, sizeof(row->malloc_owner));
		memcpy(row->gomp_owner, parent->gomp_owner, sizeof(row->gomp_owner));
		memcpy(row->kmpc_owner, parent->kmpc_owner, sizeof(row->kmpc_owner));
		row->preloads = parent->preloads;
		row->watched = parent->watched;
		row->changed_before = variables_changed(recorder.file, row->watched);
		/* As the parent had it at that moment: with the values it began with it has changed nothing. */
		atomic_fetch_or(&parent->changed, row->changed_before & ~parent->changed_before);
	}
	show_row();
}

/* What can be told at any time: of the environment, and of the memory policy. */
static void note_changes(struct agent_process *row)
{
	const uint64_t changed = variables_changed(recorder.file, row->watched);

	atomic_fetch_or(&row->changed, changed & ~row->changed_before);
	row->policy_last = memory_policy();
}

void recorder_becomes(void)
{
	struct agent_process *const row = recorder.process;

	if (!row || recorder.ended || recorder.quiet || kernel_pid() != row->pid)
		return;
	note_changes(row);
	threads_note_here();
	(void)recorder_mask(0, &row->last);
	atomic_store(&recorder.file->process_states[recorder.row], AGENT_BECAME);
}

void recorder_stays(void)
{
	uint32_t state = AGENT_BECAME;

	if (!recorder.process || recorder.quiet || kernel_pid() != recorder.process->pid)
		return;
	/* Not ours any more if another process took it meanwhile. */
	if (!atomic_compare_exchange_strong(&recorder.file->process_states[recorder.row], &state, AGENT_RUNS) &&
	    state != AGENT_RUNS && state != AGENT_ENDED)
		recorder.process = NULL;
}

/*
 * How many threads the program's next team would have: what omp_set_num_threads() left, which torch.set_num_threads()
 * calls, also where no team was made. GNU's runtime alone: it reads a variable of the thread, also after its own end,
 * where LLVM's would begin anew.
 */
static void note_team(struct agent_process *row)
{
	int (*get_max_threads)(void);
	void *address;

	if (!row->runtime_count || kernel_tid() != row->pid)
		return;
	address = search_alone("omp_get_max_threads", "GOMP_parallel", "__kmpc_fork_call");
	memcpy(&get_max_threads, &address, sizeof(get_max_threads));
	if (get_max_threads)
		row->team_last = (uint32_t)get_max_threads();
}

void recorder_end(void)
{
	struct agent_process *const row = recorder.process;

	if (!row || recorder.ended || (!recorder.quiet && kernel_pid() != row->pid))
		return;
	recorder.ended = true;
	note_changes(row);
	search_each(see_library, NULL);
	if (!recorder.quiet)
		note_team(row);
	(void)recorder_mask(row->pid, &row->last);
	threads_end(recorder.quiet);
	atomic_fetch_or(&row->flags, AGENT_EXITS);
	atomic_store(&recorder.file->process_states[recorder.row], AGENT_ENDED);
}

void recorder_choice(const void *caller, bool runtime, size_t size, const void *set)
{
	struct agent_process *const row = recorder.process;
	struct agent_mask chosen = { { 0 } };

	if (!row)
		return;
	recorder_add(runtime ? &row->bindings : &row->choices);
	if (runtime) {
		atomic_fetch_or(&row->flags, AGENT_OF_RUNTIME);
		return;
	}
	memcpy(chosen.words, set, size < sizeof(chosen.words) ? size : sizeof(chosen.words));
	/* What it was given already is no change; the last that was one stays. */
	if (memcmp(&chosen, &row->given, sizeof(chosen)) == 0)
		return;
	row->chosen = chosen;
	name_library(search_library(caller), row->chooser);
}

void recorder_undo(unsigned times)
{
	struct agent_process *const row = recorder.process;

	/* The one that undoes it was counted, too. */
	if (!row || atomic_fetch_sub(&row->choices, times + 1) != times + 1)
		return;
	memset(&row->chosen, 0, sizeof(row->chosen));
	row->chooser[0] = '\0';
}

void recorder_runtime(const char *path, bool starts_thread)
{
	struct agent_process *const row = recorder.process;
	char name[AGENT_PATH];
	uint32_t count;

	if (!row)
		return;
	name_library(path, name);
	count = atomic_load(&row->runtime_count);
	for (uint32_t i = 0; i < count && i < AGENT_RUNTIMES; i++) {
		if (strcmp(row->runtimes[i].path, name) != 0)
			continue;
		if (starts_thread)
			recorder_add(&row->runtimes[i].threads);
		return;
	}
	/* Two threads at once may both write it: the reader adds them up. */
	count = atomic_fetch_add(&row->runtime_count, 1);
	if (count >= AGENT_RUNTIMES)
		return;
	memcpy(row->runtimes[count].path, name, sizeof(name));
	if (starts_thread)
		recorder_add(&row->runtimes[count].threads);
}

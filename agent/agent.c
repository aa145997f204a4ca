/* SPDX-License-Identifier: Apache-2.0 */
#include "agent.h"

#include "denormal.h"
#include "kernel.h"
#include "recorder.h"
#include "search.h"
#include "threads.h"

#include "base/record.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct behind behind;

/* The variables by which runtimes bind threads. */
enum { OMP_PLACES, OMP_PROC_BIND, GOMP_CPU_AFFINITY, KMP_AFFINITY, BINDING_VARIABLES };
static const char *const binding_variables[BINDING_VARIABLES] = { "OMP_PLACES", "OMP_PROC_BIND", "GOMP_CPU_AFFINITY",
								  "KMP_AFFINITY" };

static struct {
	atomic_bool ready;
	bool active;
	pid_t process;  /* whose memory this is: another pid here is a vfork()ed child */
	bool forked;    /* a copy of the process that was started with this program */
	unsigned ours;  /* bits: the binding variables that fettle set, not the user */
	char *affinity; /* the value of KMP_AFFINITY where fettle set it, in the memory the process began with */
	struct mask mask;
	atomic_bool runtime_bound;     /* an OpenMP runtime bound some thread of this process */
	_Atomic unsigned chosen_times; /* the program itself chose CPUs for so many threads, and has not undone it */
} agent;

/* What the calling thread's affinity is due to. Initial-exec: reading it never allocates. */
static _Thread_local struct {
	bool bound, chose;
	struct mask binding; /* bound: what the runtime made it */
	struct mask choice;  /* chose: what the program had made it, last */
	struct mask before;  /* chose: what it was before the first choice */
	bool bound_before;
	unsigned choices;
	pid_t child_chose; /* a vfork()ed child that chose for itself, in memory that is ours */
} here __attribute__((tls_model("initial-exec")));

/*
 * LLVM's and Intel's runtimes begin anew in a forked child, read KMP_AFFINITY again and bind the child's main thread at
 * its first parallel region: every data loader to one and the same CPU (seen with 13 to 19, and Intel 2026). Our
 * handler runs before theirs, which came later; the value is changed where it stands, as nothing may allocate here.
 */
static void free_affinity(void)
{
	static const char none[] = "none";
	size_t length;

	for (char **entry = environ; agent.affinity && entry && *entry; entry++) {
		char *equals = strchr(*entry, '=');

		if (!equals || equals + 1 != agent.affinity)
			continue;
		length = strlen(agent.affinity);
		if (length < sizeof(none) - 1)
			return;
		memset(agent.affinity, 0, length);
		memcpy(agent.affinity, none, sizeof(none) - 1);
		return;
	}
}

static void in_child(void)
{
	const int kept = errno;
	struct mask before;
	bool known, widened;

	if (!recorder_is_quiet())
		agent.process = kernel_pid();
	agent.forked = true;
	free_affinity();
	known = recorder_on() && !recorder_is_quiet() && mask_get(&before);
	widened = agent_widen(&before);
	if (widened)
		here.bound = false;
	recorder_fork(known ? &before : NULL, widened);
	errno = kept;
}

static void find_behind(void)
{
	static struct search rows[] = {
		{ .name = "pthread_getaffinity_np" },
		{ .name = "pthread_setaffinity_np" },
		{ .name = "pthread_attr_getaffinity_np" },
		{ .name = "pthread_create" },
		{ .name = "pthread_key_create" },
		{ .name = "pthread_key_delete" },
		{ .name = "pthread_setspecific" },
		{ .name = "sched_setaffinity" },
		{ .name = "execve" },
		{ .name = "execvpe" },
		{ .name = "fexecve" },
		{ .name = "execveat" },
		{ .name = "posix_spawn" },
		{ .name = "posix_spawnp" },
		{ .name = "system" },
		{ .name = "popen" },
		{ .name = "prctl" },
		{ .name = "syscall" },
		{ .name = "_exit" },
	};
	void *const slots[] = {
		&behind.pthread_getaffinity_np,
		&behind.pthread_setaffinity_np,
		&behind.pthread_attr_getaffinity_np,
		&behind.pthread_create,
		&behind.pthread_key_create,
		&behind.pthread_key_delete,
		&behind.pthread_setspecific,
		&behind.sched_setaffinity,
		&behind.execve,
		&behind.execvpe,
		&behind.fexecve,
		&behind.execveat,
		&behind.posix_spawn,
		&behind.posix_spawnp,
		&behind.system,
		&behind.popen,
		&behind.prctl,
		&behind.syscall,
		&behind.exit_now,
	};

	search_all(rows, sizeof(rows) / sizeof(rows[0]), true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		memcpy(slots[i], &rows[i].address, sizeof(rows[i].address));
}

/* Which of the binding variables does the list "NAME,NAME" name? */
static unsigned read_ours(const char *list, size_t length)
{
	const char *const end = list + length;
	unsigned ours = 0;

	while (list < end) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		const size_t name = (size_t)((comma ? comma : end) - list);

		for (unsigned i = 0; i < BINDING_VARIABLES; i++) {
			if (strlen(binding_variables[i]) == name && memcmp(list, binding_variables[i], name) == 0)
				ours |= 1U << i;
		}
		list += name + 1;
	}
	return ours;
}

static bool plan_says(const char *record, const char *key, const char *value)
{
	size_t length;
	const char *said = record_field(record, key, &length);

	return said && length == strlen(value) && memcmp(said, value, length) == 0;
}

/* The plan's word on the children of this process. Anything odd in it: no word. */
static bool read_plan(const char *record)
{
	const char *mask, *set;
	size_t length;

	if (!plan_says(record, "pin=", "threads"))
		return false;
	mask = record_field(record, "mask=", &length);
	if (!mask || !mask_parse(mask, length, &agent.mask))
		return false;
	set = record_field(record, "set=", &length);
	agent.ours = set ? read_ours(set, length) : 0;
	agent.affinity = (agent.ours & 1U << KMP_AFFINITY) ? getenv(binding_variables[KMP_AFFINITY]) : NULL;
	return true;
}

__attribute__((constructor)) static void agent_start(void)
{
	const int kept = errno;
	const char *record;
	bool flush;

	if (atomic_exchange(&agent.ready, true))
		return;
	find_behind();
	record = getenv(RECORD_VARIABLE);
	/* Now, while there is one thread: those to come are made as copies of it. */
	flush = plan_says(record, "fp=", "flush");
	if (flush)
		(void)denormal_flush();
	agent.process = kernel_pid();
	agent.active = read_plan(record);
	recorder_begin(record, flush);
	threads_begin();
	if ((agent.active || recorder_on()) && pthread_atfork(NULL, NULL, in_child) != 0) {
		agent.active = false;
		recorder_trouble(AGENT_NO_FORK_HANDLER);
	}
	errno = kept;
}

__attribute__((destructor)) static void agent_stop(void)
{
	const int kept = errno;

	recorder_end();
	errno = kept;
}

const struct behind *agent_behind(void)
{
	if (!atomic_load_explicit(&agent.ready, memory_order_relaxed))
		agent_start();
	return &behind;
}

const struct behind *agent_find_again(void)
{
	find_behind();
	threads_begin();
	return &behind;
}

bool agent_active(void)
{
	return agent.active;
}

bool agent_names_runtime(const char *file)
{
	/* Beginnings would miss nothing but a renamed wheel's copy: those keep the name inside. */
	static const char *const runtimes[] = { "libgomp", "libomp", "libiomp" };
	const char *slash = file ? strrchr(file, '/') : NULL;

	if (!file)
		return false;
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); i++) {
		if (strstr(slash ? slash + 1 : file, runtimes[i]))
			return true;
	}
	return false;
}

bool agent_is_runtime(const void *address)
{
	return agent_names_runtime(search_library(address));
}

bool agent_withheld(const char *name, const char *value)
{
	/* The program itself began with all of them. */
	const bool child = agent.forked || recorder_row();

	for (size_t i = 0; i < BINDING_VARIABLES; i++) {
		if (child && strcmp(binding_variables[i], name) == 0)
			return !value || strcmp(value, "none") == 0;
	}
	return false;
}

void agent_note_choice(void)
{
	atomic_fetch_add(&agent.chosen_times, 1);
}

/*
 * The program set CPUs for the calling thread. Who only looks around (libtorch goes from one CPU that it may use to the
 * next and asks each what it is) and puts the thread back has chosen nothing; no more has who sets what there is.
 */
static void note_own_choice(const struct agent_set *set)
{
	struct mask now;

	if (!mask_get(&now))
		return;
	if (set->known && mask_equal(&now, &set->before)) {
		recorder_undo(0);
		return;
	}
	if (here.chose && set->known && mask_equal(&now, &here.before)) {
		here.chose = false;
		here.bound = here.bound_before;
		atomic_fetch_sub(&agent.chosen_times, 1);
		recorder_undo(here.choices);
		here.choices = 0;
		return;
	}
	if (!here.chose) {
		here.before = set->before;
		here.bound_before = here.bound;
		atomic_fetch_add(&agent.chosen_times, 1);
	}
	here.choices++;
	here.bound = false;
	here.chose = true;
	here.choice = now;
}

void agent_set_begins(pid_t tid, struct agent_set *ret_set)
{
	ret_set->noted = (agent.active || recorder_on()) && !recorder_is_quiet();
	ret_set->self = ret_set->noted && (!tid || tid == kernel_tid());
	ret_set->known = ret_set->self && mask_get(&ret_set->before);
}

void agent_set_done(const struct agent_set *set, const void *caller, size_t size, const void *mask)
{
	const int kept = errno;
	const bool runtime = set->noted && agent_is_runtime(caller);
	const pid_t process = set->noted ? kernel_pid() : 0;

	if (!set->noted)
		return;
	if (process != agent.process) {
		here.child_chose = process;
		errno = kept;
		return;
	}
	recorder_choice(caller, runtime, size, mask);
	if (runtime) {
		atomic_store(&agent.runtime_bound, true);
		if (set->self)
			here.bound = mask_get(&here.binding);
	} else if (set->self) {
		note_own_choice(set);
	} else {
		agent_note_choice();
	}
	errno = kept;
}

/* Is the calling thread's affinity a runtime's binding, and nothing else's? `current` is what it has. */
static bool is_binding(const struct mask *current, const struct mask *wide)
{
	if (!mask_strictly_inside(current, wide))
		return false;
	/* What we saw the runtime do; if it is another mask now, taskset or a cpuset came after it. */
	if (here.bound)
		return mask_equal(current, &here.binding);
	/* A worker got its place at birth and a thread of a bound thread inherited it; so it does a program's choice.
	 */
	return !here.chose && !atomic_load(&agent.chosen_times);
}

bool agent_widen(struct mask *ret_before)
{
	const struct mask *wide = here.chose ? &here.choice : &agent.mask;

	if (!agent.active || recorder_is_quiet() || !atomic_load(&agent.runtime_bound))
		return false;
	if (here.child_chose && here.child_chose == kernel_pid())
		return false;
	return mask_get(ret_before) && is_binding(ret_before, wide) && mask_set(wide);
}

void agent_narrow(const struct mask *before)
{
	(void)mask_set(before);
}

bool agent_filters(bool inside_libc)
{
	if (!agent.active || !agent.ours || recorder_is_quiet() || !atomic_load(&agent.runtime_bound))
		return false;
	/* A process that becomes another program keeps its places for it. */
	return inside_libc || agent.forked || kernel_pid() != agent.process;
}

static bool is_ours(const char *variable)
{
	for (unsigned i = 0; i < BINDING_VARIABLES; i++) {
		const size_t length = strlen(binding_variables[i]);

		if (agent.ours & 1U << i && strncmp(variable, binding_variables[i], length) == 0 &&
		    variable[length] == '=')
			return true;
	}
	return false;
}

void agent_filter(char *const *from, char **to)
{
	for (; *from; from++) {
		if (!is_ours(*from))
			*to++ = *from;
	}
	*to = NULL;
}

/*
 * A second copy of libgomp (a wheel's own, loaded beside the distribution's) asks when it loads which CPUs there are,
 * and takes the binding of the first for all of them: its whole team on one CPU ("Number of places reduced"). It is
 * told what the first was told. `set` holds the answer so far.
 */
static void answer_unbound(size_t size, cpu_set_t *set)
{
	const struct mask *wide = here.chose ? &here.choice : &agent.mask;
	struct mask current;

	if (mask_fits(wide, size) && mask_get(&current) && is_binding(&current, wide))
		mask_copy(wide, size, set);
}

HOOK int pthread_getaffinity_np(pthread_t thread, size_t size, cpu_set_t *set)
{
	const struct behind *libc = agent_behind();
	const int kept = errno;
	int r;

	if (!libc->pthread_getaffinity_np)
		return ENOSYS;
	r = libc->pthread_getaffinity_np(thread, size, set);
	if (!r && agent.active && !recorder_is_quiet() && atomic_load(&agent.runtime_bound) &&
	    pthread_equal(thread, pthread_self()) && agent_is_runtime(__builtin_return_address(0)))
		answer_unbound(size, set);
	errno = kept;
	return r;
}

HOOK int pthread_setaffinity_np(pthread_t thread, size_t size, const cpu_set_t *mask)
{
	const struct behind *libc = agent_behind();
	const bool self = pthread_equal(thread, pthread_self());
	struct agent_set set;
	int r;

	if (!libc->pthread_setaffinity_np)
		return ENOSYS;
	agent_set_begins(self ? 0 : -1, &set);
	r = libc->pthread_setaffinity_np(thread, size, mask);
	if (!r)
		agent_set_done(&set, __builtin_return_address(0), size, mask);
	return r;
}

HOOK int sched_setaffinity(pid_t pid, size_t size, const cpu_set_t *mask)
{
	const struct behind *libc = agent_behind();
	struct agent_set set;
	int r;

	if (!libc->sched_setaffinity) {
		errno = ENOSYS;
		return -1;
	}
	agent_set_begins(pid, &set);
	r = libc->sched_setaffinity(pid, size, mask);
	if (!r)
		agent_set_done(&set, __builtin_return_address(0), size, mask);
	return r;
}

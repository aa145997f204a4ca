/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/may.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/json.h"
#include "base/sysroot.h"
#include "machine/cgroup_path.h"
#include "machine/machine.h"
#include "machine/may_probe.h"
#include "machine/mounts.h"
#include "machine/query.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* A probe takes microseconds; one that hangs is ended. */
enum { PROBE_SECONDS = 2 };

static const struct {
	const char *name, *call;
	may_probe_fn *try;
} rights[MAY_RIGHT_COUNT] = {
	[MAY_BIND_CPU] = { "bind_cpu", "sched_setaffinity", may_try_bind_cpu },
	[MAY_BIND_MEMORY] = { "bind_memory", "set_mempolicy(MPOL_BIND)", may_try_bind_memory },
	[MAY_PREFER_MEMORY] = { "prefer_memory", "set_mempolicy(MPOL_PREFERRED)", may_try_prefer_memory },
	[MAY_PREFER_MANY] = { "prefer_many", "set_mempolicy(MPOL_PREFERRED_MANY)", may_try_prefer_many },
	[MAY_INTERLEAVE] = { "interleave_memory", "set_mempolicy(MPOL_INTERLEAVE)", may_try_interleave },
	[MAY_WEIGHTED_INTERLEAVE] = { "weighted_interleave", "set_mempolicy(MPOL_WEIGHTED_INTERLEAVE)",
				      may_try_weighted_interleave },
	[MAY_LOCAL_MEMORY] = { "local_memory", "set_mempolicy(MPOL_LOCAL)", may_try_local_memory },
	[MAY_BIND_RANGE] = { "bind_range", "mbind", may_try_bind_range },
	[MAY_MOVE_PAGES] = { "move_pages", "move_pages", may_try_move_pages },
	[MAY_MIGRATE_PAGES] = { "migrate_pages", "migrate_pages", may_try_migrate_pages },
	[MAY_COUNTERS] = { "counters", "perf_event_open", may_try_counters },
	[MAY_SOFTWARE_COUNTERS] = { "software_counters", "perf_event_open", may_try_software_counters },
	[MAY_TRACE_CHILDREN] = { "trace_children", "ptrace", may_try_trace_children },
	[MAY_TRACE_OTHERS] = { "trace_others", "ptrace", may_try_trace_others },
	[MAY_WRITE_CGROUPS] = { "write_cgroups", "faccessat", may_try_write_cgroups },
	[MAY_USE_AMX] = { "use_amx", "arch_prctl(ARCH_REQ_XCOMP_PERM)", may_try_use_amx },
};

static const struct {
	const char *name;
	int resource;
} limits[LIMIT_COUNT] = {
	[LIMIT_LOCKED_BYTES] = { "locked_bytes", RLIMIT_MEMLOCK },
	[LIMIT_OPEN_FILES] = { "open_files", RLIMIT_NOFILE },
	[LIMIT_PROCESSES] = { "processes", RLIMIT_NPROC },
	[LIMIT_STACK_BYTES] = { "stack_bytes", RLIMIT_STACK },
	[LIMIT_ADDRESS_SPACE_BYTES] = { "address_space_bytes", RLIMIT_AS },
	[LIMIT_CPU_SECONDS] = { "cpu_seconds", RLIMIT_CPU },
};

/* The mask of one number, as the kernel takes it; NULL when memory ran out. */
static unsigned long *mask_of(unsigned os, size_t *ret_bytes)
{
	const size_t bits = sizeof(unsigned long) * CHAR_BIT, words = os / bits + 1;
	unsigned long *mask = calloc(words, sizeof(*mask));

	if (mask)
		mask[os / bits] = 1UL << os % bits;
	*ret_bytes = words * sizeof(*mask);
	return mask;
}

static int find_cgroup(char **ret_path)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_mounts struct mounts mounts = { NULL };
	cleanup_free char *memberships = NULL;
	struct cgroup_path path = { NULL };
	struct err ignored = { 0 };
	int r = sysroot_open(&root, "/", &ignored);

	if (r == 0)
		r = sysroot_read(&root, "/proc/self/cgroup", &memberships);
	if (r == 0)
		r = mounts_read(&root, &mounts);
	if (r == 0)
		r = cgroup_path_find(&root, &mounts, memberships, "cpuset", getpid(), &path);
	if (r == 0)
		*ret_path = path.dir;
	return r == -ENOMEM ? r : 0;
}

static int scene_make(const struct machine *machine, struct may_scene *scene)
{
	const int cpu = hwloc_bitmap_first(machine->limits.pus_os);
	size_t bytes = 0;

	if (cpu >= 0) {
		scene->cpu = mask_of((unsigned)cpu, &scene->cpu_bytes);
		if (!scene->cpu)
			return -ENOMEM;
	}
	for (size_t i = 0; i < machine->node_count && !scene->node; i++) {
		if (!machine_node_has_memory(machine, (int)i))
			continue;
		scene->node = mask_of(machine->nodes[i].os, &bytes);
		if (!scene->node)
			return -ENOMEM;
		scene->node_os = (int)machine->nodes[i].os;
		scene->node_count = bytes * CHAR_BIT + 1; /* the kernel takes one off */
	}
	return find_cgroup(&scene->cgroup);
}

static void scene_clear(struct may_scene *scene)
{
	free(scene->cpu);
	free(scene->node);
	free(scene->cgroup);
}

static void __attribute__((noreturn)) child_main(may_probe_fn *try, const struct may_scene *scene, int pipe_fd)
{
	/* A filter may end us: no handler of the caller's, and no core file. A probe waits for children of its own. */
	static const int plain[] = { SIGSYS, SIGALRM, SIGSEGV, SIGBUS, SIGCHLD };
	const struct rlimit none = { 0, 0 };
	struct may_answer answer = { .state = FACT_UNKNOWN };
	sigset_t all;

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		(void)signal(plain[i], SIG_DFL);
	(void)sigemptyset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)alarm(PROBE_SECONDS);
	try(scene, &answer);
	_exit(write(pipe_fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) ? 0 : 1);
}

/* Run one probe in a child. Whatever keeps it from answering is in the answer. */
static void ask_child(may_probe_fn *try, const struct may_scene *scene, struct may_answer *ret_answer)
{
	cleanup_close int read_end = -1;
	int fds[2], status = 0;
	ssize_t n;
	pid_t pid;

	may_none(ret_answer, FACT_UNKNOWN, "no process to try it in");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return;
	read_end = fds[0];
	pid = fork();
	if (pid == 0)
		child_main(try, scene, fds[1]);
	(void)close(fds[1]);
	if (pid < 0)
		return;
	do {
		n = read(read_end, ret_answer, sizeof(*ret_answer));
	} while (n < 0 && errno == EINTR);
	/* ECHILD where our parent left SIGCHLD ignored: how it died is then not known. */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (n == (ssize_t)sizeof(*ret_answer))
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		may_no_because(ret_answer, "a filter ends whoever tries");
	else
		may_none(ret_answer, FACT_UNKNOWN, "trying it ended in no answer");
}

static int set_right(struct fact *fact, const char *call, const struct may_answer *answer)
{
	const char *words = answer->error ? strerror(answer->error) : answer->words;

	return fact_set(fact, answer->state, (uint64_t)answer->may, call, *words ? words : NULL);
}

static int ask_all(const struct may_scene *scene, struct may *may)
{
	for (size_t i = 0; i < MAY_RIGHT_COUNT; i++) {
		struct may_answer answer;

		ask_child(rights[i].try, scene, &answer);
		if (set_right(&may->rights[i], rights[i].call, &answer) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void read_limits(struct may *may)
{
	for (size_t i = 0; i < LIMIT_COUNT; i++) {
		struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

		(void)getrlimit((__rlimit_resource_t)limits[i].resource, &limit); /* fails for no resource there is */
		may->limits[i].soft = limit.rlim_cur == RLIM_INFINITY ? MAY_UNLIMITED : limit.rlim_cur;
		may->limits[i].hard = limit.rlim_max == RLIM_INFINITY ? MAY_UNLIMITED : limit.rlim_max;
	}
}

int machine_read_may(struct machine *machine, struct err *err)
{
	struct may_scene scene = { NULL };
	struct may *may;
	int r;

	if (machine->source != MACHINE_LIVE)
		return 0;
	may = calloc(1, sizeof(*may));
	if (!may)
		return err_nomem(err);
	read_limits(may);
	r = scene_make(machine, &scene);
	if (r == 0)
		r = ask_all(&scene, may);
	scene_clear(&scene);
	if (r < 0) {
		may_free(may);
		return err_nomem(err);
	}
	may_free(machine->may);
	machine->may = may;
	return 0;
}

void may_free(struct may *may)
{
	if (!may)
		return;
	for (size_t i = 0; i < MAY_RIGHT_COUNT; i++)
		fact_clear(&may->rights[i]);
	free(may);
}

const char *may_right_name(enum may_right right)
{
	return rights[right].name;
}

const char *may_limit_name(enum may_limit limit)
{
	return limits[limit].name;
}

static json_t *limit_to_json(uint64_t value)
{
	return value == MAY_UNLIMITED ? json_null() : json_integer((json_int_t)value);
}

/* "set_mempolicy(MPOL_BIND): Operation not permitted" */
static json_t *why_to_json(const struct fact *fact)
{
	return json_sprintf("%s: %s", fact->source, fact->raw ? fact->raw : "no reason known");
}

json_t *may_to_json(const struct may *may, json_t *unknown)
{
	json_t *object = json_object(), *why = json_object(), *bounds = json_object();
	int r = 0;

	for (enum may_right i = 0; i < MAY_RIGHT_COUNT; i++) {
		const struct fact *fact = &may->rights[i];
		const bool known = fact->state == FACT_KNOWN;

		r |= json_object_set_new(object, rights[i].name, known ? json_boolean(fact->value) : json_null());
		if (fact->state == FACT_UNKNOWN)
			r |= json_array_append_new(unknown, json_string(rights[i].name));
		if (!known || !fact->value)
			r |= json_object_set_new(why, rights[i].name, why_to_json(fact));
	}
	for (enum may_limit i = 0; i < LIMIT_COUNT; i++) {
		json_t *pair = json_object();

		r |= json_object_set_new(pair, "soft", limit_to_json(may->limits[i].soft));
		r |= json_object_set_new(pair, "hard", limit_to_json(may->limits[i].hard));
		r |= json_object_set_new(bounds, limits[i].name, pair);
	}
	r |= json_object_set_new(object, "why", why);
	r |= json_object_set_new(object, "limits", bounds);
	return json_finish(object, r);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/source.h"
#include "machine/topology.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

/*
 * What a foreign source may cost before we give up on it: hwloc's time grows with the square of
 * the CPUs. Linux stops at 8192 of them; those take half a second.
 */
enum { CHILD_CPU_SECONDS = 3 };
#define CHILD_ADDRESS_BYTES (4ULL << 30)

/* gcc says it with a macro, clang with a feature. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#else
#define SANITIZED 0
#endif

/*
 * hwloc takes orders from some forty variables: another root, another file, plugins to load.
 * A user who has one of them set for their MPI must not get facts about another machine, and
 * plugins (CUDA, OpenCL) cost milliseconds, so hwloc sees these environments and nothing else.
 */
#define HWLOC_QUIET "HWLOC_PLUGINS_PATH=/dev/null", "HWLOC_HIDE_ERRORS=2"
/* 1: tell distances, but do not guess from them which CPUs a node without any belongs to: the kernel says none. */
static const char *const live_environment[] = { "HWLOC_COMPONENTS=linux,stop", "HWLOC_USE_NUMA_DISTANCES=1",
						HWLOC_QUIET, NULL };
static const char *const foreign_environment[] = { HWLOC_QUIET, NULL };
/* Without /sys the linux component gives up; this one asks libc how many CPUs there are. */
static const char *const masked_environment[] = { "HWLOC_COMPONENTS=no_os,stop", HWLOC_QUIET, NULL };

static void cleanup_topology_(hwloc_topology_t *topology)
{
	if (*topology)
		hwloc_topology_destroy(*topology);
}
#define cleanup_topology cleanup_(cleanup_topology_)

/* Load only what a plan needs: every object type left out saves files read at each start. */
static int configure(hwloc_topology_t topology)
{
	static const hwloc_obj_type_t unused[] = { HWLOC_OBJ_MISC, HWLOC_OBJ_MEMCACHE, HWLOC_OBJ_DIE };
	unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED;

#if HWLOC_API_VERSION >= 0x00020800
	flags |= HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS;
#endif
	if (hwloc_topology_set_flags(topology, flags) < 0 ||
	    hwloc_topology_set_io_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE) < 0 ||
	    hwloc_topology_set_icache_types_filter(topology, HWLOC_TYPE_FILTER_KEEP_NONE) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(unused); i++) {
		if (hwloc_topology_set_type_filter(topology, unused[i], HWLOC_TYPE_FILTER_KEEP_NONE) < 0)
			return -errno;
	}
	return 0;
}

static int load_in_place(const struct source *source, hwloc_topology_t *ret_topology)
{
	cleanup_topology hwloc_topology_t topology = NULL;
	int r;

	if (hwloc_topology_init(&topology) < 0)
		return -ENOMEM;
	r = configure(topology);
	if (r < 0)
		return r;
	/* hwloc wants the XML's NUL counted. */
	if (source->kind == MACHINE_XML &&
	    hwloc_topology_set_xmlbuffer(topology, source->bytes, (int)source->length + 1) < 0)
		return -EINVAL;
	if (source->kind == MACHINE_SYNTHETIC && hwloc_topology_set_synthetic(topology, source->bytes) < 0)
		return -EINVAL;
	if (hwloc_topology_load(topology) < 0)
		return errno ? -errno : -EINVAL;
	*ret_topology = TAKE(topology);
	return 0;
}

static int load_with(const char *const environment[], const struct source *source, hwloc_topology_t *ret_topology)
{
	char **const kept = environ;
	int r;

	environ = (char **)environment;
	r = load_in_place(source, ret_topology);
	environ = kept;
	return r;
}

static int load(const struct source *source, hwloc_topology_t *ret_topology)
{
	int r;

	if (source->kind != MACHINE_LIVE)
		return load_with(foreign_environment, source, ret_topology);
	r = load_with(live_environment, source, ret_topology);
	return r < 0 ? load_with(masked_environment, source, ret_topology) : r;
}

static int load_failed(const struct source *source, int code, struct err *err)
{
	if (source->kind == MACHINE_LIVE)
		return err_errno(err, code, "cannot read this machine's topology: hwloc");
	if (source->kind == MACHINE_SYNTHETIC) {
		err_set(err, -EINVAL, "'%.200s' is no hwloc synthetic text", source->bytes);
		return err_hint(err, "for example 'synthetic:package:2 core:4 pu:2'");
	}
	err_set(err, -EINVAL, "cannot read machine '%s': no XML that hwloc %d.%d can read", source->name,
		HWLOC_API_VERSION >> 16, (HWLOC_API_VERSION >> 8) & 0xff);
	return err_hint(err, "a newer lstopo writes one with --export-xml-flags v2");
}

static int load_and_fill(const struct source *source, hwloc_const_bitmap_t extra_pus, struct machine *machine,
			 struct err *err)
{
	cleanup_topology hwloc_topology_t topology = NULL;
	int r = load(source, &topology);

	if (r < 0)
		return load_failed(source, r, err);
	return topology_fill(topology, extra_pus, machine, err);
}

/* A crash must end the child, not enter a handler of the program we are a library of and run on as its double. */
static void die_of_crashes(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS, SIGXCPU };

	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
		(void)signal(crashes[i], SIG_DFL);
}

static void limit_child(void)
{
	const struct rlimit cpu = { CHILD_CPU_SECONDS, CHILD_CPU_SECONDS + 1 }, core = { 0, 0 };
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
	}
	(void)setrlimit(RLIMIT_CPU, &cpu);
	(void)setrlimit(RLIMIT_CORE, &core);
	/* Not under AddressSanitizer: its shadow alone is terabytes. */
	if (!SANITIZED) {
		const struct rlimit memory = { CHILD_ADDRESS_BYTES, CHILD_ADDRESS_BYTES };

		(void)setrlimit(RLIMIT_AS, &memory);
	}
}

/* The child reads the source to its end and sends its error down the pipe; a crash sends nothing. */
static void __attribute__((noreturn)) child_main(const struct source *source, int pipe_fd)
{
	struct machine *scratch;
	struct err err = { 0 };
	int r;

	die_of_crashes();
	limit_child();
	scratch = calloc(1, sizeof(*scratch));
	if (!scratch)
		_exit(1);
	r = load_and_fill(source, NULL, scratch, &err);
	err.code = r < 0 ? r : 0;
	_exit(write(pipe_fd, &err, sizeof(err)) == (ssize_t)sizeof(err) ? 0 : 1);
}

/* Read what the child has to say; false when it died before it could. */
static bool hear_child(int pipe_fd, struct err *ret_said)
{
	size_t have = 0;

	while (have < sizeof(*ret_said)) {
		const ssize_t n = read(pipe_fd, (char *)ret_said + have, sizeof(*ret_said) - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		have += (size_t)n;
	}
	return true;
}

static int child_died(const struct source *source, int status, struct err *err)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return err_set(err, -EFBIG, "cannot read machine '%.200s': it takes hwloc more than %d s", source->name,
			       CHILD_CPU_SECONDS);
	return load_failed(source, -EINVAL, err);
}

static int try_in_child(const struct source *source, struct err *err)
{
	cleanup_close int read_end = -1, write_end = -1;
	struct err said = { 0 };
	int fds[2], status = 0;
	pid_t pid;
	bool heard;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot read machine '%s': pipe", source->name);
	read_end = fds[0];
	write_end = fds[1];
	pid = fork();
	if (pid < 0)
		return err_errno(err, -errno, "cannot read machine '%s': fork", source->name);
	if (pid == 0)
		child_main(source, write_end);
	(void)close(write_end);
	write_end = -1;
	heard = hear_child(read_end, &said);
	/* ECHILD where our parent left SIGCHLD ignored: the pipe has told what matters. */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!heard)
		return child_died(source, status, err);
	if (said.code < 0)
		*err = said;
	return said.code;
}

int topology_read(const struct source *source, hwloc_const_bitmap_t extra_pus, struct machine *machine, struct err *err)
{
	int r = source->kind == MACHINE_LIVE ? 0 : try_in_child(source, err);

	return r < 0 ? r : load_and_fill(source, extra_pus, machine, err);
}

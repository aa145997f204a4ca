/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/source.h"
#include "machine/topology.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "machine/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

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

/*
 * A folder of nodes without a node, as when something else is mounted over it: no kernel has that, and hwloc 2.9
 * ends the process by an assertion.
 */
static bool nodes_are_masked(void)
{
	static const char folder[] = "/sys/devices/system/node";
	cleanup_dir DIR *stream = opendir(folder);
	const struct dirent *entry;

	if (!stream || faccessat(dirfd(stream), "online", R_OK, AT_EACCESS) == 0)
		return false;
	while ((entry = readdir(stream))) {
		if (strncmp(entry->d_name, "node", 4) == 0 && entry->d_name[4] >= '0' && entry->d_name[4] <= '9')
			return false;
	}
	return true;
}

static int load(const struct source *source, hwloc_topology_t *ret_topology)
{
	int r;

	if (source->kind != MACHINE_LIVE)
		return load_with(foreign_environment, source, ret_topology);
	r = nodes_are_masked() ? -ENOENT : load_with(live_environment, source, ret_topology);
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
	r = topology_fill(topology, extra_pus, machine, err);
	return r < 0 && r != -ENOMEM && source->kind == MACHINE_XML
		       ? err_wrap(err, "cannot read machine '%s'", source->name)
		       : r;
}

static int fill_scratch(const void *context, struct text *answer, struct err *err)
{
	struct machine *scratch = calloc(1, sizeof(*scratch));

	(void)answer;
	/* The child's memory goes with it. */
	return scratch ? load_and_fill(context, NULL, scratch, err) : err_nomem(err);
}

static int child_died(const struct source *source, int code, struct err *err)
{
	if (code == -ETIME)
		return err_set(err, -EFBIG, "cannot read machine '%.200s': it takes hwloc more than %d s", source->name,
			       SANDBOX_CPU_SECONDS);
	return load_failed(source, -EINVAL, err);
}

static int try_in_child(const struct source *source, struct err *err)
{
	cleanup_text struct text answer = TEXT_INIT;
	int r = sandbox_run(fill_scratch, source, &answer, err);

	return r == -ETIME || r == -ECHILD ? child_died(source, r, err) : r;
}

/* hwloc takes a captured root only through variables, for the whole process: here that is a child. */
static int export_root(const void *context, struct text *answer, struct err *err)
{
	const struct topology_root *const root = context;
	cleanup_topology hwloc_topology_t topology = NULL;
	const struct source nothing = { .kind = MACHINE_ROOT };
	cleanup_free char *where = NULL;
	const char *environment[] = { root->cpuid ? "HWLOC_COMPONENTS=x86,stop" : "HWLOC_COMPONENTS=linux,stop",
				      HWLOC_QUIET, NULL, NULL };
	char *xml = NULL;
	int length = 0, r;

	if (asprintf(&where, "%s=%s", root->cpuid ? "HWLOC_CPUID_PATH" : "HWLOC_FSROOT", root->dir) < 0) {
		where = NULL;
		return err_nomem(err);
	}
	environment[ARRAY_SIZE(environment) - 2] = where;
	r = load_with(environment, &nothing, &topology);
	if (r < 0 || hwloc_topology_export_xmlbuffer(topology, &xml, &length, 0) < 0)
		return err_set(err, -EINVAL, "cannot read machine '%s': hwloc finds no machine in it", root->name);
	text_add_bytes(answer, xml, strlen(xml));
	hwloc_free_xmlbuffer(topology, xml);
	return 0;
}

int topology_read_root(const struct topology_root *root, struct machine *machine, struct err *err)
{
	cleanup_source struct source xml = SOURCE_INIT;
	cleanup_text struct text answer = TEXT_INIT;
	int r;

	xml.kind = MACHINE_XML;
	xml.name = strdup(root->name);
	r = xml.name ? sandbox_run(export_root, root, &answer, err) : err_nomem(err);
	if (r == -ETIME)
		return err_set(err, -EFBIG, "cannot read machine '%s': it takes hwloc too long", root->name);
	if (r == -ECHILD)
		return err_set(err, -EINVAL, "cannot read machine '%s': hwloc breaks on it", root->name);
	if (r < 0)
		return r;
	xml.length = answer.length;
	xml.bytes = text_take(&answer);
	return xml.bytes ? topology_read(&xml, NULL, machine, err) : err_nomem(err);
}

int topology_read(const struct source *source, hwloc_const_bitmap_t extra_pus, struct machine *machine, struct err *err)
{
	int r = source->kind == MACHINE_LIVE ? 0 : try_in_child(source, err);

	return r < 0 ? r : load_and_fill(source, extra_pus, machine, err);
}

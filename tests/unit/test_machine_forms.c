/* SPDX-License-Identifier: Apache-2.0 */
/* One machine in several forms: hwloc XML, a captured root in an archive, lscpu's text. All must tell the same. */
#include "machine_help.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/text.h"
#include "machine/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/resource.h>

enum aspect { PACKAGES, CORES, NODES, ALLOWED_PUS, ALLOWED_NODES, ASPECTS };

static const char *const aspect_names[] = { "packages", "cores", "nodes", "allowed CPUs", "allowed nodes" };

/* Where a form cannot know what the XML says. */
static const struct {
	const char *name, *form;
	enum aspect aspect;
	const char *reason;
} exceptions[] = {
	{ "amd-opteron-4x8347-cgroup", "lscpu", ALLOWED_PUS, "lscpu does not look at cpusets" },
	{ "amd-opteron-4x8347-cgroup", "lscpu", ALLOWED_NODES, "lscpu does not look at cpusets" },
	{ "arm-gh200-1s-recon", "lscpu", ALLOWED_NODES, "nodes without memory are forbidden by the cpuset" },
	{ "qemu-meminitiators", "lscpu", ALLOWED_NODES, "nodes without memory are forbidden by the cpuset" },
	{ "qemu-meminitiators", "lscpu", NODES, "hwloc places nodes without CPUs by their initiators" },
};

static const char *shared_dir(void)
{
	const char *dir = getenv("FETTLE_SHARED");

	return dir ? dir : "../shared";
}

/* The folder of a form, or NULL and a word about it. */
static DIR *open_form(const char *form)
{
	char path[512];
	DIR *stream;

	(void)snprintf(path, sizeof(path), "%s/topologies/%s", shared_dir(), form);
	stream = opendir(path);
	if (!stream)
		print_message("# no captured machines at %s\n", path);
	return stream;
}

static hwloc_const_bitmap_t package_of(const struct machine *m, int package_idx)
{
	return package_idx == MACHINE_NONE ? NULL : m->packages[package_idx].pus_os;
}

/* One aspect as text that does not depend on the order things were found in: each CPU with the first of its group. */
static char *describe(const struct machine *m, enum aspect aspect)
{
	cleanup_free int *lead = malloc(sizeof(*lead) * CPULIST_MAX);
	cleanup_free char *pus = cpulist_text(m->limits.pus_os), *nodes = cpulist_text(m->limits.nodes_os);
	struct text text = TEXT_INIT;

	assert_true(lead && pus && nodes);
	for (size_t i = 0; i < CPULIST_MAX; i++)
		lead[i] = MACHINE_NONE;
	for (size_t i = 0; i < m->pu_count; i++) {
		const struct machine_core *const core = &m->cores[m->pus[i].core_idx];
		const hwloc_const_bitmap_t package = package_of(m, core->package_idx);

		if (aspect == PACKAGES)
			lead[m->pus[i].os] = package ? hwloc_bitmap_first(package) : CPULIST_MAX;
		if (aspect == CORES)
			lead[m->pus[i].os] = (int)m->pus[core->pu_idx].os;
	}
	for (size_t i = 0; i < CPULIST_MAX; i++) {
		if (lead[i] != MACHINE_NONE)
			text_add(&text, "%zu:%d ", i, lead[i]);
	}
	for (size_t i = 0; aspect == NODES && i < m->node_count; i++) {
		cleanup_free char *list = cpulist_text(m->nodes[i].pus_os);

		text_add(&text, "%u:%s ", m->nodes[i].os, list);
	}
	if (aspect == ALLOWED_PUS || aspect == ALLOWED_NODES)
		text_add(&text, "%s", aspect == ALLOWED_PUS ? pus : nodes);
	return text_take(&text);
}

/* Why the form may differ here, and then must; NULL: it may not. */
static const char *excepted(const char *name, const char *form, enum aspect aspect)
{
	for (size_t i = 0; i < ARRAY_SIZE(exceptions); i++) {
		if (strcmp(exceptions[i].name, name) == 0 && strcmp(exceptions[i].form, form) == 0 &&
		    exceptions[i].aspect == aspect)
			return exceptions[i].reason;
	}
	return NULL;
}

static void compare(const char *name, const char *form, const char *spec)
{
	cleanup_machine struct machine *xml = NULL, *other = read_machine(spec);
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/topologies/xml/%s.xml", shared_dir(), name);
	xml = read_machine(path);
	for (enum aspect aspect = 0; aspect < ASPECTS; aspect++) {
		cleanup_free char *wanted = describe(xml, aspect), *got = describe(other, aspect);
		const char *const reason = excepted(name, form, aspect);
		const bool same = strcmp(wanted, got) == 0;

		if (reason)
			print_message("# %s %s: %s differ: %s\n", name, form, aspect_names[aspect], reason);
		if (same != !reason)
			fail_msg("%s %s: %s: '%.200s', in XML '%.200s'", name, form, aspect_names[aspect], got, wanted);
	}
}

/* Every file of a form. `prefix` stands before its path in --machine. */
static void compare_all(const char *form, const char *prefix, size_t least)
{
	cleanup_dir DIR *stream = open_form(form);
	const struct dirent *entry;
	size_t count = 0;

	if (!stream)
		skip();
	while ((entry = readdir(stream))) {
		char name[256], spec[512];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(entry->d_name, "."), entry->d_name);
		(void)snprintf(spec, sizeof(spec), "%s%s/topologies/%s/%s", prefix, shared_dir(), form, entry->d_name);
		compare(name, form, spec);
		count++;
	}
	assert_true(count >= least);
}

static void lscpu_text_tells_what_the_xml_does(void **state)
{
	(void)state;
	compare_all("lscpu", "lscpu:", 40);
}

static void captured_roots_tell_what_the_xml_does(void **state)
{
	(void)state;
	compare_all("dumps", "", 42);
}

static double cpu_seconds(int who)
{
	struct rusage usage;

	assert_int_equal(getrusage(who, &usage), 0);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static void all_xml_is_read_in_five_seconds(void **state)
{
	cleanup_dir DIR *stream = open_form("xml");
	const struct dirent *entry;
	double seconds;

	(void)state;
	if (!stream)
		skip();
	/* Ours and the children's, so that a busy machine does not decide. */
	seconds = -cpu_seconds(RUSAGE_SELF) - cpu_seconds(RUSAGE_CHILDREN);
	while ((entry = readdir(stream))) {
		char path[512];

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/topologies/xml/%s", shared_dir(), entry->d_name);
		machine_free(read_machine(path));
	}
	seconds += cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN);
	print_message("# %.2f s of CPU time\n", seconds);
	assert_true(seconds < 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lscpu_text_tells_what_the_xml_does),
		cmocka_unit_test(captured_roots_tell_what_the_xml_does),
		cmocka_unit_test(all_xml_is_read_in_five_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

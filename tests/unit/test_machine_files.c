/* SPDX-License-Identifier: Apache-2.0 */
/* Files that name a machine: the shared captures against their catalogue, and files that are broken or hostile. */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "machine/machine.h"
#include "machine/narrow.h"
#include "machine/query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Columns of catalogue.tsv. */
enum { NAME, PACKAGES = 6, NODES = 7, CORES = 11, PUS = 12, NO_CPUS = 20, NO_NODES = 21, TRAITS = 23, COLUMNS = 27 };

static const char *shared_dir(void)
{
	const char *dir = getenv("FETTLE_SHARED");

	return dir ? dir : "../shared";
}

static struct machine *read_shared(const char *name)
{
	struct machine *machine = NULL;
	struct err err = { 0 };
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/topologies/xml/%s.xml", shared_dir(), name);
	if (machine_read(path, &machine, &err) < 0)
		fail_msg("%s: %s", path, err.text);
	return machine;
}

static bool have_shared(void)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/topologies/catalogue.tsv", shared_dir());
	if (access(path, R_OK) == 0)
		return true;
	print_message("# no captured machines at %s\n", path);
	return false;
}

/* What is allowed must be all of `all` but the numbers in `disallowed` ("-": none). */
static void assert_all_but(hwloc_const_bitmap_t allowed, hwloc_bitmap_t all, const char *disallowed)
{
	cleanup_bitmap hwloc_bitmap_t minus = NULL;
	struct err err = { 0 };

	assert_int_equal(cpulist_parse(strcmp(disallowed, "-") ? disallowed : "", &minus, &err), 0);
	assert_int_equal(hwloc_bitmap_andnot(all, all, minus), 0);
	assert_true(hwloc_bitmap_isequal(all, allowed));
}

/* Every index points where it should, and siblings stand together in order. */
static void assert_sound(const struct machine *m)
{
	size_t next = 0;

	for (size_t c = 0; c < m->core_count; c++) {
		const struct machine_core *core = &m->cores[c];

		assert_int_equal(core->pu_idx, next);
		assert_true(core->pu_count > 0);
		next += core->pu_count;
		assert_in_range(core->package_idx, 0, m->package_count - 1);
		assert_in_range(core->kind_idx, 0, m->kind_count - 1);
		assert_true(core->node_idx >= MACHINE_NONE && core->node_idx < (int)m->node_count);
		assert_true(core->l3_idx >= MACHINE_NONE && core->l3_idx < (int)m->cache_count);
		for (size_t i = core->pu_idx; i < next; i++) {
			assert_int_equal(m->pus[i].core_idx, c);
			assert_true(i == core->pu_idx || m->pus[i].os > m->pus[i - 1].os);
			assert_true(hwloc_bitmap_isset(m->packages[core->package_idx].pus_os, m->pus[i].os));
			assert_true(hwloc_bitmap_isset(m->kinds[core->kind_idx].pus_os, m->pus[i].os));
		}
	}
	assert_int_equal(next, m->pu_count);
	for (size_t n = 1; n < m->node_count; n++)
		assert_true(m->nodes[n].os > m->nodes[n - 1].os);
}

static void check_row(char *columns[COLUMNS])
{
	cleanup_machine struct machine *m = read_shared(columns[NAME]);
	cleanup_bitmap hwloc_bitmap_t pus = hwloc_bitmap_alloc(), nodes = hwloc_bitmap_alloc();
	const char *trait = strstr(columns[TRAITS], " PUs without a Core");
	unsigned long orphans = 0;

	/* A PU without a Core is a core of its own with us. */
	if (trait) {
		while (trait > columns[TRAITS] && trait[-1] >= '0' && trait[-1] <= '9')
			trait--;
		orphans = strtoul(trait, NULL, 10);
	}
	print_message("# %s\n", columns[NAME]);
	assert_int_equal(m->package_count, strtoul(columns[PACKAGES], NULL, 10));
	assert_int_equal(m->node_count, strtoul(columns[NODES], NULL, 10));
	assert_int_equal(m->core_count, strtoul(columns[CORES], NULL, 10) + orphans);
	assert_int_equal(m->pu_count, strtoul(columns[PUS], NULL, 10));
	for (size_t i = 0; i < m->pu_count; i++)
		assert_int_equal(hwloc_bitmap_set(pus, m->pus[i].os), 0);
	for (size_t i = 0; i < m->node_count; i++)
		assert_int_equal(hwloc_bitmap_set(nodes, m->nodes[i].os), 0);
	assert_all_but(m->limits.pus_os, pus, columns[NO_CPUS]);
	assert_all_but(m->limits.nodes_os, nodes, columns[NO_NODES]);
	assert_sound(m);
}

static void every_captured_machine_is_what_its_catalogue_says(void **state)
{
	cleanup_file FILE *file = NULL;
	cleanup_free char *line = NULL;
	char path[512], *columns[COLUMNS];
	size_t capacity = 0, rows = 0;

	(void)state;
	if (!have_shared())
		skip();
	(void)snprintf(path, sizeof(path), "%s/topologies/catalogue.tsv", shared_dir());
	file = fopen(path, "re");
	assert_non_null(file);
	while (getline(&line, &capacity, file) > 0) {
		char *rest = line;
		size_t n = 0;

		while (n < COLUMNS && rest)
			columns[n++] = strsep(&rest, "\t\n");
		if (n <= TRAITS || strcmp(columns[1], "shared") != 0)
			continue;
		check_row(columns);
		rows++;
	}
	assert_true(rows >= 62);
}

static void kinds_follow_what_separates_designs(void **state)
{
	/* Cores of each kind from the weakest on; small ones in front of the bar. */
	static const struct {
		const char *name;
		size_t kinds, small;
		const char *weakest;
	} rows[] = {
		{ "intel-adl-i7-1260p", 2, 1, "8-15" },
		{ "intel-rpl-i7-1370p", 2, 1, "12-19" },
		{ "intel-arl-h", 3, 2, "12-13" },
		{ "arm-a510-a710-a715-x3", 3, 1, "0-2" },
		{ "arm-galaxy-a8-cpu3off", 2, 1, NULL },
		{ "intel-icx-2x8360y", 1, 0, "0-143" },
		{ "amd-strixpoint-hx370-cpuid", 1, 0, "0-23" },
		{ "intel-srf-2x6710e", 1, 0, "0-127" },
	};

	(void)state;
	if (!have_shared())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_machine struct machine *m = read_shared(rows[i].name);
		cleanup_free char *weakest = cpulist_text(m->kinds[0].pus_os);

		print_message("# %s\n", rows[i].name);
		assert_int_equal(m->kind_count, rows[i].kinds);
		for (size_t k = 0; k < m->kind_count; k++)
			assert_int_equal(m->kinds[k].small, k < rows[i].small);
		if (rows[i].weakest)
			assert_string_equal(weakest, rows[i].weakest);
	}
}

static void homes_and_memory_on_odd_machines(void **state)
{
	cleanup_machine struct machine *knl = NULL, *nonode = NULL, *naples = NULL, *gi = NULL;
	const struct machine_narrow mcdram = { .allowed_nodes = "1" };
	struct err err = { 0 };

	(void)state;
	if (!have_shared())
		skip();
	/* Two nodes over the same CPUs: the allowed one is home. */
	knl = read_shared("intel-knl-7250-quad-flat");
	assert_int_equal(knl->cores[0].node_idx, 0);
	assert_int_equal(machine_narrow(knl, &mcdram, &err), 0);
	assert_int_equal(knl->cores[0].node_idx, 1);
	assert_int_equal(machine_nearest_memory(knl, 0), 1);
	/* CPUs of no node: no home, nothing to measure by. */
	nonode = read_shared("amd-tr-2990wx-nonode");
	assert_int_equal(nonode->cores[nonode->core_count - 1].node_idx, MACHINE_NONE);
	assert_int_equal(machine_nearest_memory(nonode, MACHINE_NONE), MACHINE_NONE);
	/* Sizes nobody gives are unknown, and such nodes may be used. */
	naples = read_shared("amd-naples-2x7451");
	assert_int_equal(naples->nodes[0].memory_bytes.state, FACT_UNKNOWN);
	assert_true(machine_node_has_memory(naples, 0));
	/* A node without memory beside one with the same CPUs: home is where the memory is. */
	gi = read_shared("qemu-meminitiators");
	assert_int_equal(gi->nodes[gi->cores[0].node_idx].os, 5);
	assert_int_equal(gi->nodes[machine_nearest_memory(gi, machine_node_idx(gi, 4))].os, 7);
}

static void assert_refused(const char *spec, int code)
{
	struct machine *machine = NULL;
	struct err err = { 0 };
	int r = machine_read(spec, &machine, &err);

	machine_free(machine);
	if (r >= 0)
		fail_msg("'%s' was read", spec);
	if (code)
		assert_int_equal(r, code);
	assert_true(err.text[0]);
	assert_null(strchr(err.text, '\n'));
}

static void what_is_no_machine_is_refused_in_one_line(void **state)
{
	char dir[] = "/tmp/fettle-files-XXXXXX", path[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_refused(dir, -EINVAL);
	assert_refused("/dev/zero", -EINVAL);
	assert_refused("/nowhere/at/all.xml", -ENOENT);
	assert_refused("", -ENOENT);
	assert_refused("machine.tar.xz", -ENOENT);
	assert_refused("lscpu:", -ENOENT);
	assert_refused("lscpu:/dev/zero", -EINVAL);
	assert_refused("synthetic:", -EINVAL);
	assert_refused("synthetic:core:0 pu:2", -EINVAL);
	assert_refused("synthetic:node:9999999 pu:9999999", -EFBIG);
	(void)snprintf(path, sizeof(path), "%s/fifo.xml", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(path, -EINVAL);
	assert_int_equal(unlink(path), 0);
	(void)snprintf(path, sizeof(path), "%s/huge.xml", dir);
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_refused(path, -EINVAL); /* still empty */
	assert_int_equal(ftruncate(fd, (64LL << 20) + 1), 0);
	assert_refused(path, -EFBIG);
	assert_int_equal(pwrite(fd, "# not XML\n", 10, 0), 10);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_refused(path, -EINVAL);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static char *slurp(const char *path, size_t *ret_length)
{
	cleanup_file FILE *file = fopen(path, "re");
	char *bytes = malloc(1 << 20);

	assert_non_null(file);
	assert_non_null(bytes);
	*ret_length = fread(bytes, 1, 1 << 20, file);
	return bytes;
}

/* Read what may be broken: an error or a sound machine, never a crash. */
static void survive(const char *path, const char *bytes, size_t length)
{
	struct machine *machine = NULL;
	struct err err = { 0 };
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	if (machine_read(path, &machine, &err) == 0) {
		cleanup_free char *summary = machine_summary(machine);
		json_t *document = machine_to_json(machine);

		assert_non_null(summary);
		assert_non_null(document);
		assert_true(machine->pu_count > 0);
		json_decref(document);
		machine_free(machine);
	} else {
		assert_true(err.text[0]);
	}
}

/* Cut off and with bytes changed, always the same ones. */
static void mistreat(const char *source, const char *path, size_t step, unsigned rounds)
{
	size_t length = 0;
	cleanup_free char *bytes = slurp(source, &length);
	uint32_t random = 12345;

	for (size_t cut = 0; cut < length; cut += step)
		survive(path, bytes, cut);
	for (unsigned i = 0; i < rounds && length; i++) {
		size_t at;
		char kept;

		random = random * 1664525 + 1013904223;
		at = (random >> 4) % length;
		kept = bytes[at];
		bytes[at] = (char)(kept ^ (1 << (random >> 29)));
		survive(path, bytes, length);
		/* Every other change stays: damage adds up. */
		if (i % 2)
			bytes[at] = kept;
	}
}

/* Set by a handler of ours that was entered; shared with every child. */
static volatile sig_atomic_t *handler_entered;

static void crash_handler(int number)
{
	*handler_entered = number;
	_exit(1);
}

static void broken_files_never_bring_the_reader_down(void **state)
{
	static const char *const captures[] = { "two-nodes-smt", "hybrid", "memory-only-node" };
	static const char *const shared[] = { "amd-bulldozer-4x6276", "qemu-meminitiators" };
	char path[] = "/tmp/fettle-broken-XXXXXX.xml", source[512];
	const int fd = mkstemps(path, 4);

	(void)state;
	/* A crash belongs to the child that tries the file: no handler of the program (cmocka has some too) may see it.
	 */
	handler_entered =
		mmap(NULL, sizeof(*handler_entered), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(handler_entered, MAP_FAILED);
	assert_true(signal(SIGSEGV, crash_handler) != SIG_ERR && signal(SIGABRT, crash_handler) != SIG_ERR);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	for (size_t i = 0; i < ARRAY_SIZE(captures); i++) {
		(void)snprintf(source, sizeof(source), "%s/machines/%s.xml", getenv("FETTLE_TEST_DATA"), captures[i]);
		mistreat(source, path, 200, 60);
	}
	for (size_t i = 0; have_shared() && i < ARRAY_SIZE(shared); i++) {
		(void)snprintf(source, sizeof(source), "%s/topologies/xml/%s.xml", shared_dir(), shared[i]);
		mistreat(source, path, 1000, 60);
	}
	assert_int_equal(*handler_entered, 0);
	assert_int_equal(munmap((void *)handler_entered, sizeof(*handler_entered)), 0);
	assert_int_equal(unlink(path), 0);
}

static void names_that_are_no_utf8_do_not_break_the_json(void **state)
{
	char path[] = "/tmp/fettle-\xff\xfe-XXXXXX.xml", source[512], *model;
	size_t length = 0;
	cleanup_free char *bytes = NULL;
	cleanup_machine struct machine *machine = NULL;
	struct err err = { 0 };
	json_t *document;

	(void)state;
	assert_int_equal(close(mkstemps(path, 4)), 0);
	(void)snprintf(source, sizeof(source), "%s/machines/two-nodes-smt.xml", getenv("FETTLE_TEST_DATA"));
	bytes = slurp(source, &length);
	model = memmem(bytes, length, "Example", 7);
	assert_non_null(model);
	model[0] = '\xff';
	model[1] = '\033';
	survive(path, bytes, length);
	assert_int_equal(machine_read(path, &machine, &err), 0);
	document = machine_to_json(machine);
	assert_non_null(document);
	assert_null(strchr(machine->model, '\033'));
	json_decref(document);
	assert_int_equal(unlink(path), 0);
}

/* The same file as other systems save it. */
static void save_for_windows(const char *path, const char *bytes, size_t length)
{
	cleanup_file FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs("\xef\xbb\xbf", file) >= 0);
	for (size_t i = 0; i < length; i++)
		assert_true((bytes[i] != '\n' || fputc('\r', file) != EOF) && fputc(bytes[i], file) != EOF);
}

static json_t *read_without_source(const char *spec)
{
	cleanup_machine struct machine *machine = NULL;
	struct err err = { 0 };
	json_t *document;

	if (machine_read(spec, &machine, &err) < 0)
		fail_msg("%s: %s", spec, err.text);
	document = machine_to_json(machine);
	assert_non_null(document);
	assert_int_equal(json_object_del(document, "source"), 0);
	/* Evidence names the file. */
	assert_int_equal(json_object_del(json_object_get(document, "allowed"), "evidence"), 0);
	return document;
}

static void what_contradicts_itself_is_named(void **state)
{
	char path[] = "/tmp/fettle-twice-XXXXXX.xml", source[512], *second;
	size_t length = 0;
	cleanup_free char *bytes = NULL;
	cleanup_machine struct machine *machine = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(close(mkstemps(path, 4)), 0);
	(void)snprintf(source, sizeof(source), "%s/machines/two-nodes-smt.xml", getenv("FETTLE_TEST_DATA"));
	bytes = slurp(source, &length);
	second = memmem(bytes, length, "type=\"PU\" os_index=\"1\"", 22);
	assert_non_null(second);
	second[20] = '0';
	survive(path, bytes, length);
	assert_int_equal(machine_read(path, &machine, &err), -EINVAL);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(unlink(path), 0);
}

static void byte_order_marks_and_carriage_returns_change_nothing(void **state)
{
	static const char lscpu[] = "0,0,0,0,,0,0,0,0\n1,1,0,0,,1,1,1,0\n";
	char path[] = "/tmp/fettle-windows-XXXXXX.xml", source[512], spec[64];
	size_t length = 0;
	cleanup_free char *bytes = NULL;
	json_t *plain, *saved;

	(void)state;
	assert_int_equal(close(mkstemps(path, 4)), 0);
	(void)snprintf(source, sizeof(source), "%s/machines/two-nodes-smt.xml", getenv("FETTLE_TEST_DATA"));
	bytes = slurp(source, &length);
	plain = read_without_source(source);
	save_for_windows(path, bytes, length);
	saved = read_without_source(path);
	assert_true(json_equal(plain, saved));
	json_decref(saved);
	json_decref(plain);
	(void)snprintf(spec, sizeof(spec), "lscpu:%s", path);
	save_for_windows(path, lscpu, strlen(lscpu));
	saved = read_without_source(spec);
	assert_int_equal(json_integer_value(json_object_get(saved, "pus")), 2);
	json_decref(saved);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_captured_machine_is_what_its_catalogue_says),
		cmocka_unit_test(kinds_follow_what_separates_designs),
		cmocka_unit_test(homes_and_memory_on_odd_machines),
		cmocka_unit_test(what_is_no_machine_is_refused_in_one_line),
		cmocka_unit_test(broken_files_never_bring_the_reader_down),
		cmocka_unit_test(what_contradicts_itself_is_named),
		cmocka_unit_test(byte_order_marks_and_carriage_returns_change_nothing),
		cmocka_unit_test(names_that_are_no_utf8_do_not_break_the_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

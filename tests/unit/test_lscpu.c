/* SPDX-License-Identifier: Apache-2.0 */
/* Saved lscpu text in its four forms, with all that util-linux and locales did to them. */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/text.h"
#include "machine/lscpu.h"
#include "machine/machine.h"
#include "machine/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static int read_text(const char *text, struct machine **ret_machine, struct err *err)
{
	cleanup_machine struct machine *machine = calloc(1, sizeof(*machine));
	cleanup_free char *copy = strdup(text);
	const struct source source = { MACHINE_LSCPU, (char *)"lscpu:test", copy, strlen(text) };
	int r;

	assert_non_null(machine);
	assert_non_null(copy);
	machine->source = MACHINE_LSCPU;
	machine->source_name = strdup(source.name);
	r = lscpu_read(&source, machine, err);
	if (r == 0)
		*ret_machine = TAKE(machine);
	return r;
}

static void add_set(struct text *text, hwloc_const_bitmap_t set)
{
	cleanup_free char *list = cpulist_text(set);

	assert_non_null(list);
	text_add(text, "%s ", list);
}

/* "P: packages C: cores N: nodes 3: L3s K: kinds@MHz", each as lists. */
static char *describe(const struct machine *m)
{
	struct text text = TEXT_INIT;

	text_add(&text, "P: ");
	for (size_t i = 0; i < m->package_count; i++)
		add_set(&text, m->packages[i].pus_os);
	text_add(&text, "C: ");
	for (size_t c = 0; c < m->core_count; c++) {
		cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();

		for (unsigned i = 0; i < m->cores[c].pu_count; i++)
			assert_int_equal(hwloc_bitmap_set(set, m->pus[m->cores[c].pu_idx + i].os), 0);
		add_set(&text, set);
	}
	text_add(&text, "N: ");
	for (size_t i = 0; i < m->node_count; i++) {
		text_add(&text, "%u=", m->nodes[i].os);
		add_set(&text, m->nodes[i].pus_os);
	}
	text_add(&text, "3: ");
	for (size_t i = 0; i < m->cache_count; i++) {
		if (m->caches[i].level == 3)
			add_set(&text, m->caches[i].pus_os);
	}
	text_add(&text, "K:");
	for (size_t i = 0; i < m->kind_count; i++)
		text_add(&text, " %llu", (unsigned long long)m->kinds[i].max_mhz.value);
	return text_take(&text);
}

struct sample {
	const char *what, *text, *machine;
};

static void check_samples(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_machine struct machine *machine = NULL;
		cleanup_free char *got = NULL;
		struct err err = { 0 };

		print_message("# %s\n", samples[i].what);
		if (read_text(samples[i].text, &machine, &err) < 0 || !machine) {
			fail_msg("%s", err.text);
			return;
		}
		got = describe(machine);
		assert_string_equal(got, samples[i].machine);
		assert_int_equal(hwloc_bitmap_weight(machine->limits.pus_os), machine->pu_count);
	}
}

static void every_form_gives_the_same_machine(void **state)
{
	static const char two_by_two[] = "P: 0-3 C: 0,2 1,3 N: 0=0,2 1=1,3 3: 0-3 K: 0";
	const struct sample samples[] = {
		{ "-p",
		  "# The following is the parsable format\n# CPU,Core,Socket,Node,,L1d,L1i,L2,L3\n0,0,0,0,,0,0,0,0\n"
		  "1,1,0,1,,1,1,1,0\n2,0,0,0,,0,0,0,0\n3,1,0,1,,1,1,1,0\n",
		  two_by_two },
		{ "-p without its header", "0,0,0,0,,0,0,0,0\n1,1,0,1,,1,1,1,0\n2,0,0,0,,0,0,0,0\n3,1,0,1,,1,1,1,0\n",
		  "P: 0-3 C: 0,2 1,3 N: 0=0,2 1=1,3 3: K: 0" },
		{ "-p, columns in another order, Windows line ends",
		  "# Node,L3,CPU,Core,Socket\r\n0,0,0,0,0\r\n1,0,1,1,0\r\n0,0,2,0,0\r\n1,0,3,1,0\r\n", two_by_two },
		{ "-e",
		  "CPU NODE SOCKET CORE L1d:L1i:L2:L3 ONLINE\n  0    0      0    0 0:0:0:0          yes\n"
		  "  1    1      0    1 1:1:1:0          yes\n  2    0      0    0 0:0:0:0          yes\n"
		  "  3    1      0    1 1:1:1:0          yes\n",
		  two_by_two },
		{ "-e, CPUs in any order, N for NODE -, one word for no caches",
		  "SOCKET CPU CORE NODE L1d:L1i:L2:L3 ONLINE\n0 3 1 1 1:1:1:0 Y\n0 0 0 0 0:0:0:0 Y\n- 4 - - - N\n"
		  "0 1 1 1 1:1:1:0 Y\n0 2 0 0 0:0:0:0 Y\n",
		  two_by_two },
		{ "-J -e",
		  "{\"cpus\": [{\"cpu\": 0, \"node\": 0, \"socket\": 0, \"core\": 0, \"l1d:l1i:l2:l3\": \"0:0:0:0\", "
		  "\"online\": true},{\"cpu\":1,\"node\":1,\"socket\":0,\"core\":1,\"l1d:l1i:l2:l3\":\"1:1:1:0\"},"
		  "{\"cpu\":2,\"node\":0,\"socket\":0,\"core\":0,\"l1d:l1i:l2:l3\":\"0:0:0:0\"},"
		  "{\"cpu\":3,\"node\":1,\"socket\":0,\"core\":1,\"l1d:l1i:l2:l3\":\"1:1:1:0\"}]}",
		  two_by_two },
		{ "old -J -e: text for numbers, a bare dash for nothing",
		  "{ \"cpus\": [ {\"cpu\": \"0\", \"core\": \"0\", \"socket\": \"0\", \"node\": \"0\", \"l3\": \"0\", "
		  "\"maxmhz\": -},"
		  "{\"cpu\": \"1\", \"core\": \"1\", \"socket\": \"0\", \"node\": \"1\", \"l3\": \"0\", \"maxmhz\": - "
		  "},"
		  "{\"cpu\": \"2\", \"core\": \"0\", \"socket\": \"0\", \"node\": \"0\", \"l3\": \"0\", \"maxmhz\": -},"
		  "{\"maxmhz\": -, \"cpu\": \"3\", \"core\": \"1\", \"socket\": \"0\", \"node\": \"1\", \"l3\": \"0\"},"
		  "{\"cpu\": \"4\", \"core\": -, \"socket\": -, \"node\": -, \"l3\": -, \"maxmhz\": -, \"online\": "
		  "\"no\"}]}",
		  two_by_two },
	};

	(void)state;
	check_samples(samples, ARRAY_SIZE(samples));
}

static void a_summary_tells_what_follows_from_it(void **state)
{
	static const struct sample samples[] = {
		{ "one thread a core, one socket, nodes that are no ranges, one empty",
		  "Architecture: x86_64\nCPU(s): 5\nOn-line CPU(s) list: 0-2,4\nOff-line CPU(s) list: 3\n"
		  "Thread(s) per core: 1\nCore(s) per socket: 4\nSocket(s): 1\nNUMA node(s): 3\n"
		  "NUMA node0 CPU(s): 0,2\nNUMA node1 CPU(s): 1,3,4\nNUMA node8 CPU(s):\n",
		  "P: 0-2,4 C: 0 2 1 4 N: 0=0,2 1=1,4 8= 3: K: 0" },
		{ "two sockets: which CPU is in which is not told",
		  "On-line CPU(s) list: 0-1\nThread(s) per core: 1\nCore(s) per socket: 1\nSocket(s): 2\n",
		  "P: C: 0 1 N: 0=0-1 3: K: 0" },
		{ "one core of two threads",
		  "On-line CPU(s) list: 0,1\nThread(s) per core: 2\nCore(s) per socket: 1\nSocket(s): 1\n",
		  "P: 0-1 C: 0-1 N: 0=0-1 3: K: 0" },
		{ "masks, and the tree of newer versions",
		  "On-line CPU(s) mask: f\nVendor ID: X\n  Model name: Y\n    Thread(s) per core: 1\n    Socket(s): 1\n"
		  "NUMA:\n  NUMA node(s): 2\n  NUMA node0 CPU(s): 5\n  NUMA node1 CPU(s): a\n",
		  "P: 0-3 C: 0 2 1 3 N: 0=0,2 1=1,3 3: K: 0" },
		{ "-J, nested",
		  "{\"lscpu\":[{\"field\":\"On-line CPU(s) list:\",\"data\":\"0,1\"},{\"field\":\"Vendor "
		  "ID:\",\"data\":\"X\","
		  "\"children\":[{\"field\":\"Thread(s) per core:\",\"data\":\"1\"}]}]}\n{\"lscpu\":[]}",
		  "P: C: 0 1 N: 0=0-1 3: K: 0" },
	};

	(void)state;
	check_samples(samples, ARRAY_SIZE(samples));
}

/* "packages/cores/threads" as told without members; "?" before what stands for siblings that are not known. */
static void counts_are_known_where_members_are_not(void **state)
{
	static const struct {
		const char *what, *text, *told;
	} samples[] = {
		{ "all of it", "On-line CPU(s) list: 0-7\nThread(s) per core: 2\nCore(s) per socket: 2\nSocket(s): 2\n",
		  "?2/4/2" },
		{ "one socket: its members are known",
		  "On-line CPU(s) list: 0-3\nThread(s) per core: 2\nCore(s) per socket: 2\nSocket(s): 1\n", "?0/2/2" },
		{ "a CPU is offline: the product says nothing",
		  "On-line CPU(s) list: 0-6\nThread(s) per core: 2\nCore(s) per socket: 2\nSocket(s): 2\n", "?2/0/2" },
		{ "a virtual machine's zeros",
		  "On-line CPU(s) list: 0-7\nThread(s) per core: 0\nCore(s) per socket: 0\nSocket(s): 0\n", "?0/0/0" },
		{ "no topology at all", "On-line CPU(s) list: 0-7\n", "?0/0/0" },
		{ "more sockets than CPUs", "On-line CPU(s) list: 0-1\nThread(s) per core: 2\nSocket(s): 3\n",
		  "?0/0/2" },
		{ "products that overflow",
		  "On-line CPU(s) list: 0-1\nThread(s) per core: 2\nCore(s) per socket: 4294967295\n"
		  "Socket(s): 4294967295\n",
		  "?0/0/2" },
		{ "one thread a core: only sockets are a count",
		  "On-line CPU(s) list: 0-3\nThread(s) per core: 1\nCore(s) per socket: 2\nSocket(s): 2\n", "2/0/0" },
		{ "two kinds of CPU: each is counted for itself",
		  "On-line CPU(s) list: 0-3\nThread(s) per core: 2\nCore(s) per socket: 1\nSocket(s): 2\n"
		  "Thread(s) per core: 1\nCore(s) per socket: 2\nSocket(s): 2\n",
		  "?0/0/2" },
		{ "a table without cores", "# CPU,Socket\n0,0\n1,0\n", "?0/0/0" },
		{ "a table whose cores are empty", "# CPU,Core,Socket,Node\n0,,,0\n1,,,0\n", "?0/0/0" },
		{ "the tables tell it", "On-line CPU(s) list: 0-1\nThread(s) per core: 2\nCPU CORE\n0 0\n1 0\n",
		  "0/0/0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		cleanup_machine struct machine *m = NULL;
		struct err err = { 0 };
		char got[64];

		print_message("# %s\n", samples[i].what);
		if (read_text(samples[i].text, &m, &err) < 0 || !m) {
			fail_msg("%s", err.text);
			return;
		}
		(void)snprintf(got, sizeof(got), "%s%u/%u/%u", m->siblings_unknown ? "?" : "", m->told_packages,
			       m->told_cores, m->told_threads);
		assert_string_equal(got, samples[i].told);
		if (m->siblings_unknown)
			assert_int_equal(m->core_count, m->pu_count);
	}
}

static void cells_may_be_empty_missing_or_written_another_way(void **state)
{
	static const struct sample samples[] = {
		{ "offline CPUs of -p -a: nothing is told of them", "# CPU,Core,Socket,Node\n0,0,0,0\n1,,,\n2,1,0,0\n",
		  "P: 0,2 C: 0 2 N: 0=0,2 3: K: 0" },
		{ "offline CPUs of -p -a: a neighbour still lists one in its socket",
		  "# CPU,Core,Socket,Node\n0,0,0,0\n1,,0,0\n2,1,0,0\n", "P: 0,2 C: 0 2 N: 0=0,2 3: K: 0" },
		{ "offline by the summary although the table has them",
		  "On-line CPU(s) list: 0\n# CPU,Core,Socket\n0,0,0\n1,1,0\n", "P: 0 C: 0 N: 0=0 3: K: 0" },
		{ "no socket, no node: a kernel without NUMA", "# CPU,Core,Socket,Node\n0,0,,\n1,1,,\n",
		  "P: C: 0 1 N: 0=0-1 3: K: 0" },
		{ "no node column: nodes are not known", "# CPU,Core,Socket\n0,0,0\n1,1,0\n",
		  "P: 0-1 C: 0 1 N: 3: K: 0" },
		{ "decimal commas between commas",
		  "# CPU,MAXMHZ,Core,MINMHZ\n0,5000,0000,0,800,0000\n1,3900,0000,1,800,0000\n2,,2,\n",
		  "P: C: 0 1 2 N: 3: K: 3900 5000" },
		{ "decimal commas in -e", "CPU CORE MAXMHZ MINMHZ\n0 0 3700,0000 1000,0000\n1 0 3700,0000 1000,0000\n",
		  "P: C: 0-1 N: 3: K: 3700" },
		{ "favoured cores are one kind", "CPU CORE MAXMHZ\n0 0 5800.0000\n1 1 5400.0000\n",
		  "P: C: 0 1 N: 3: K: 5800" },
		{ "a model's name with blanks",
		  "CPU MODELNAME          NODE CORE\n  0 Some Thing(TM) X      0    0\n"
		  "  1 -                     0    1\n",
		  "P: C: 0 1 N: 0=0-1 3: K: 0" },
		{ "cells left blank: the alignment tells",
		  "CPU NODE SOCKET CORE\n  0    0           0\n 10    1      2    1\n",
		  "P: 10 C: 0 10 N: 0=0 1=10 3: K: 0" },
		{ "books and drawers repeat the sockets' numbers",
		  "CPU DRAWER BOOK SOCKET CORE\n0 0 0 0 0\n1 0 0 1 1\n2 0 1 0 2\n3 1 0 0 3\n",
		  "P: 0 1 2 3 C: 0 1 2 3 N: 3: K: 0" },
		{ "core numbers of --physical repeat; the summary knows better",
		  "On-line CPU(s) list: 0-2\nThread(s) per core: 1\n# CPU,Core,Socket,Node\n0,1,-,\n1,1,-,\n2,2,-,\n",
		  "P: C: 0 1 2 N: 0=0-2 3: K: 0" },
		{ "core numbers repeat between kinds of CPU; L1 caches do not",
		  "On-line CPU(s) list: 0-3\nThread(s) per core: 1\nThread(s) per core: 1\n# "
		  "CPU,Core,Socket,Node,,L1d,L3\n"
		  "0,0,0,,,0,0\n1,1,0,,,1,0\n2,0,0,,,2,0\n3,1,0,,,3,0\n",
		  "P: 0-3 C: 0 1 2 3 N: 0=0-3 3: 0-3 K: 0" },
		{ "logical and physical numbers complete each other",
		  "# CPU,Core,Socket\n0,0,0\n1,1,0\n2,0,0\n# CPU,Core,Socket\n0,7,3\n1,8,3\n2,7,4\n",
		  "P: 0-1 2 C: 0 1 2 N: 3: K: 0" },
		{ "core numbers repeat between the nodes of a package", "# CPU,Core,Socket,Node\n0,0,0,0\n1,0,0,1\n",
		  "P: 0-1 C: 0 1 N: 0=0 1=1 3: K: 0" },
		{ "a CPU that a table puts in no core",
		  "# CPU,Core,Socket\n0,,\n1,,\n\n# CPU,Core,Socket\n0,0,0\n1,0,0\n", "P: 0-1 C: 0 1 N: 3: K: 0" },
		{ "cores that share an L2 stand together, as hwloc has them",
		  "# CPU,Core,Socket,Node,,L1d,L2\n0,0,0,0,,0,0\n1,1,0,0,,1,1\n2,2,0,0,,2,0\n3,3,0,0,,3,1\n",
		  "P: 0-3 C: 0 2 1 3 N: 0=0-3 3: K: 0" },
		{ "a CPU with a cache less, which -e leaves out too",
		  "CPU CORE SOCKET NODE L1d:L1i:L2:L3\n0 0 0 0 0:0:0:0\n1 1 0 0 1:1:1\n",
		  "P: 0-1 C: 0 1 N: 0=0-1 3: 0 K: 0" },
		{ "caches that -p leaves out with their commas are not known",
		  "# CPU,Core,Socket,Node,,L1d,L1i,L2,L3\n0,0,0,0,,0,0,0,0\n1,1,0,0,,2,0\n2,2,0,0,,64,64,8\n",
		  "P: 0-2 C: 0 1 2 N: 0=0-2 3: 0 K: 0" },
	};

	(void)state;
	check_samples(samples, ARRAY_SIZE(samples));
}

static void sizes_that_may_be_sums_or_rounded_stay_unknown(void **state)
{
	static const struct {
		const char *size, *rows;
		uint64_t bytes;
	} samples[] = {
		{ "32 MiB (1 instance)", "0,0,0\n1,1,0\n", 32 << 20 },
		{ "39424K", "0,0,0\n1,1,0\n", 39424 << 10 },
		{ "33554432 (1 instance)", "0,0,0\n1,1,0\n", 33554432 },
		{ "64 MiB (2 instances)", "0,0,0\n1,1,1\n", 0 },
		{ "39424K", "0,0,0\n1,1,1\n", 0 },
		{ "1.5 MiB (1 instance)", "0,0,0\n1,1,0\n", 0 },
		{ "1,5 MiB (1 instance)", "0,0,0\n1,1,0\n", 0 },
		{ "plenty", "0,0,0\n1,1,0\n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		cleanup_machine struct machine *m = NULL;
		struct err err = { 0 };
		char text[256];

		(void)snprintf(text, sizeof(text), "L3 cache: %s\nModel name: -\n# CPU,Core,L3\n%s", samples[i].size,
			       samples[i].rows);
		if (read_text(text, &m, &err) < 0 || !m) {
			fail_msg("%s", err.text);
			return;
		}
		assert_int_equal(m->caches[0].size_bytes.state, samples[i].bytes ? FACT_KNOWN : FACT_UNKNOWN);
		assert_int_equal(m->caches[0].size_bytes.value, samples[i].bytes);
		assert_null(m->model);
	}
}

static void what_contradicts_itself_or_is_cut_off_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} samples[] = {
		{ "", "no text that lscpu writes" },
		{ "hello\n", "no text that lscpu writes" },
		{ "# CPU,Core\n", "no CPU is online" },
		{ "# CPU,Core\n0,0\n0,1\n", "line 3: CPU 0 stands there twice" },
		{ "# CPU,Core,Node\n0,0,0\n1,1\n", "line 3: 2 cells under 3 columns" },
		{ "# CPU,Core\n0,0\n1,1,5\n", "line 3: 3 cells under 2 columns" },
		{ "# CPU,Core\n0,x\n", "line 2: CPU 0: 'x' cannot be understood" },
		{ "# CPU,Core\n99999999999,0\n", "line 2: '99999999999' is no CPU number" },
		{ "# CPU,Core,CPU\n0,0,0\n", "line 1: 2 CPU columns" },
		{ "CPU NODE\n0 0\n1 0 0\n", "line 3: 3 cells under 2 columns" },
		{ "CPU NODE L1d:L2\n0 0 0:0:0\n", "line 2: CPU 0: the caches cannot be understood" },
		{ "CPU ONLINE\n0 perhaps\n", "line 2: CPU 0: 'perhaps' cannot be understood" },
		{ "On-line CPU(s) list: 0-1\n# CPU,Core\n0,0\n", "CPU 1 is online in one part" },
		{ "On-line CPU(s) list: 0-\n", "line 1: " },
		{ "On-line CPU(s) list: 0-1\nOn-line CPU(s) list: 0\n", "line 2: two lists of online CPUs" },
		{ "NUMA node0 CPU(s): 0-3\nNUMA node1 CPU(s): 3-4\n", "line 2: NUMA node 1 has CPUs of another node" },
		{ "NUMA node0 CPU(s): 0\nNUMA node1 CPU(s): 1\n# CPU,Core,Node\n0,0,0\n1,1,0\n",
		  "CPU 1 is in NUMA node 1 and in node 0" },
		{ "NUMA node0 CPU(s): 0\n# CPU,Core,Node\n0,0,0\n1,1,7\n",
		  "CPU 1 is in NUMA node 7, which the summary" },
		{ "Thread(s) per core: 2\n# CPU,Core\n0,0\n1,0\n2,0\n", "CPU 2 shares its core with 2 others" },
		{ "{\"cpus\": [{\"cpu\": 0, \"core\": 0}", "line 1 is no JSON" },
		{ "{\"cpus\": [{\"core\": 0}]}", "a CPU without a number" },
		{ "{\"cpus\": [7]}", "a CPU that is no object" },
		{ "{}", "no text that lscpu writes" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		struct machine *machine = NULL;
		struct err err = { 0 };

		if (read_text(samples[i].text, &machine, &err) == 0)
			fail_msg("read: %s", samples[i].text);
		if (!strstr(err.text, samples[i].why))
			fail_msg("'%s' for: %s", err.text, samples[i].text);
		assert_null(strchr(err.text, '\n'));
	}
}

static void it_takes_4096_cpus(void **state)
{
	cleanup_machine struct machine *machine = NULL;
	cleanup_free char *bytes = NULL;
	struct text text = TEXT_INIT;
	struct err err = { 0 };

	(void)state;
	text_add(&text, "CPU NODE SOCKET CORE L1d:L1i:L2:L3 ONLINE\n");
	for (unsigned i = 0; i < 4096; i++)
		text_add(&text, "%4u %4u %6u %4u %u:%u:%u:%u yes\n", i, i % 2048 / 128, i % 2048 / 256, i % 2048,
			 i % 2048, i % 2048, i % 2048, i % 2048 / 16);
	bytes = text_take(&text);
	assert_non_null(bytes);
	if (read_text(bytes, &machine, &err) < 0 || !machine) {
		fail_msg("%s", err.text);
		return;
	}
	assert_int_equal(machine->pu_count, 4096);
	assert_int_equal(machine->core_count, 2048);
	assert_int_equal(machine->node_count, 16);
	assert_int_equal(machine->package_count, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_gives_the_same_machine),
		cmocka_unit_test(a_summary_tells_what_follows_from_it),
		cmocka_unit_test(counts_are_known_where_members_are_not),
		cmocka_unit_test(cells_may_be_empty_missing_or_written_another_way),
		cmocka_unit_test(sizes_that_may_be_sums_or_rounded_stay_unknown),
		cmocka_unit_test(what_contradicts_itself_or_is_cut_off_is_refused),
		cmocka_unit_test(it_takes_4096_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

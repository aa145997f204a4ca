/* SPDX-License-Identifier: Apache-2.0 */
/* Host facts read from prepared roots: each test lays out the files of one kind of host. */
#include "root_help.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/json.h"
#include "base/sysroot.h"
#include "machine/host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

struct fixture {
	char *dir;
	struct sysroot root;
	struct host *host;
};

static void put(const struct fixture *fixture, const char *path, const char *content)
{
	root_put(fixture->dir, path, content);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct err err = { 0 };

	assert_non_null(fixture);
	fixture->dir = root_make();
	assert_int_equal(sysroot_open(&fixture->root, fixture->dir, &err), 0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	host_free(fixture->host);
	sysroot_close(&fixture->root);
	root_remove(fixture->dir);
	free(fixture);
	return 0;
}

/* What makes a root a whole capture. */
static void put_whole(const struct fixture *fixture)
{
	put(fixture, "/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
	put(fixture, "/sys/devices/system/cpu/possible", "0-3\n");
}

static const struct fact *fact_of(struct fixture *fixture, const char *cpus, enum host_fact fact)
{
	cleanup_bitmap hwloc_bitmap_t pus = NULL;
	struct err err = { 0 };

	host_free(fixture->host);
	fixture->host = NULL;
	assert_int_equal(cpulist_parse(cpus, &pus, &err), 0);
	assert_int_equal(host_read(&fixture->root, pus, 0, &fixture->host, &err), 0);
	assert_non_null(fixture->host);
	return &fixture->host->facts[fact];
}

static void assert_text(const struct fact *fact, const char *source, const char *raw)
{
	assert_int_equal(fact->state, FACT_KNOWN);
	assert_string_equal(fact->source, source);
	assert_string_equal(fact->raw, raw);
}

static void assert_number(const struct fact *fact, uint64_t value)
{
	assert_int_equal(fact->state, FACT_KNOWN);
	assert_int_equal(fact->value, value);
}

#define FREQ(cpu, file) "/sys/devices/system/cpu/cpu" cpu "/cpufreq/" file

static void the_governors_of_our_cpus_are_named_and_of_no_other(void **state)
{
	struct fixture *f = *state;

	put(f, FREQ("0", "scaling_governor"), "performance\n");
	put(f, FREQ("1", "scaling_governor"), "performance\n");
	put(f, FREQ("2", "scaling_governor"), "powersave\n");
	assert_text(fact_of(f, "0-1", HOST_GOVERNOR), FREQ("0", "scaling_governor"), "performance");
	assert_text(fact_of(f, "0-2", HOST_GOVERNOR), FREQ("2", "scaling_governor"), "performance,powersave");
	assert_text(fact_of(f, "2", HOST_GOVERNOR), FREQ("2", "scaling_governor"), "powersave");
}

static void frequencies_are_in_mhz_and_of_the_fastest(void **state)
{
	struct fixture *f = *state;

	put(f, FREQ("0", "cpuinfo_max_freq"), "3200000\n");
	put(f, FREQ("1", "cpuinfo_max_freq"), "5400000\n");
	put(f, FREQ("0", "cpuinfo_min_freq"), "800000\n");
	put(f, FREQ("1", "cpuinfo_min_freq"), "400000\n");
	put(f, FREQ("0", "scaling_max_freq"), "2000000\n");
	put(f, FREQ("1", "scaling_max_freq"), "2400000\n");
	put(f, FREQ("0", "scaling_cur_freq"), "1234567\n");
	put(f, "/sys/devices/system/cpu/cpu0/acpi_cppc/nominal_freq", "2100\n");
	assert_number(fact_of(f, "0-1", HOST_MAX_MHZ), 5400);
	assert_number(fact_of(f, "0", HOST_MAX_MHZ), 3200);
	assert_number(fact_of(f, "0-1", HOST_MIN_MHZ), 400);
	assert_number(fact_of(f, "0-1", HOST_LIMIT_MHZ), 2400);
	assert_number(fact_of(f, "0-1", HOST_CURRENT_MHZ), 1234);
	assert_number(fact_of(f, "0-1", HOST_BASE_MHZ), 2100);
	put(f, FREQ("1", "base_frequency"), "2500000\n");
	assert_number(fact_of(f, "0-1", HOST_BASE_MHZ), 2500);
}

static void boost_is_read_from_either_driver(void **state)
{
	struct fixture *f = *state;

	put(f, "/sys/devices/system/cpu/cpufreq/boost", "1\n");
	assert_number(fact_of(f, "0", HOST_BOOST), 1);
	put(f, "/sys/devices/system/cpu/cpufreq/boost", "0\n");
	assert_number(fact_of(f, "0", HOST_BOOST), 0);
	put(f, "/sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
	assert_number(fact_of(f, "0", HOST_BOOST), 1);
	put(f, "/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
	assert_number(fact_of(f, "0", HOST_BOOST), 0);
	put(f, "/sys/devices/system/cpu/intel_pstate/no_turbo", "on\n");
	assert_int_equal(fact_of(f, "0", HOST_BOOST)->state, FACT_UNKNOWN);
}

static void a_file_missing_in_a_whole_capture_is_absent_and_else_unknown(void **state)
{
	struct fixture *f = *state;
	const struct fact *fact = fact_of(f, "0", HOST_GOVERNOR);

	assert_int_equal(fact->state, FACT_UNKNOWN);
	assert_string_equal(fact->raw, "not there");
	assert_string_equal(fact->source, FREQ("0", "scaling_governor"));
	put_whole(f);
	for (enum host_fact i = HOST_GOVERNOR; i <= HOST_HUGETLB; i++) {
		if (fact_of(f, "0-3", i)->state != FACT_ABSENT)
			fail_msg("%s is %d", host_fact_name(i), f->host->facts[i].state);
	}
	assert_int_equal(fact_of(f, "0-3", HOST_NUMA_BALANCING)->state, FACT_ABSENT);
	/* Always there in Linux: its being missing says nothing. */
	assert_int_equal(fact_of(f, "0-3", HOST_ISA)->state, FACT_UNKNOWN);
}

static void the_bracketed_word_is_the_mode(void **state)
{
	struct fixture *f = *state;
	static const char enabled[] = "/sys/kernel/mm/transparent_hugepage/enabled";

	put(f, enabled, "always [madvise] never\n");
	put(f, "/sys/kernel/mm/transparent_hugepage/defrag", "always defer [defer+madvise] madvise never\n");
	assert_text(fact_of(f, "0", HOST_HUGE_PAGES), enabled, "madvise");
	assert_string_equal(f->host->facts[HOST_HUGE_PAGES_DEFRAG].raw, "defer+madvise");
	put(f, enabled, "always madvise\n");
	assert_int_equal(fact_of(f, "0", HOST_HUGE_PAGES)->state, FACT_UNKNOWN);
	assert_string_equal(f->host->facts[HOST_HUGE_PAGES].raw, "always madvise");
}

static void pools_are_listed_by_page_size(void **state)
{
	struct fixture *f = *state;

	put(f, "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "2\n");
	put(f, "/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
	put(f, "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
	put(f, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "512\n");
	put(f, "/sys/kernel/mm/hugepages/hugepages-oddkB/nr_hugepages", "1\n");
	assert_number(fact_of(f, "0", HOST_HUGETLB), 3ULL << 30);
	assert_int_equal(f->host->pool_count, 2);
	assert_int_equal(f->host->pools[0].page_bytes, 2 << 20);
	assert_int_equal(f->host->pools[0].pages, 512);
	assert_int_equal(f->host->pools[1].free_pages, 1);
}

static void swap_is_counted_in_bytes_and_none_is_zero(void **state)
{
	struct fixture *f = *state;

	put(f, "/proc/meminfo", "MemTotal: 100 kB\nSwapTotal:  2048 kB\nSwapFree:  1024 kB\n");
	assert_number(fact_of(f, "0", HOST_SWAP), 2 << 20);
	assert_number(&f->host->facts[HOST_SWAP_USED], 1 << 20);
	put(f, "/proc/meminfo", "SwapTotal: 0 kB\nSwapFree: 0 kB\n");
	assert_number(fact_of(f, "0", HOST_SWAP), 0);
	put(f, "/proc/meminfo", "MemTotal: 100 kB\n");
	assert_int_equal(fact_of(f, "0", HOST_SWAP)->state, FACT_UNKNOWN);
}

static void shared_memory_is_what_its_mount_allows(void **state)
{
	struct fixture *f = *state;
	static const char path[] = "/proc/self/mountinfo";

	put(f, path, "31 23 0:28 / /dev/shm rw,nosuid - tmpfs shm rw,size=65536k\n");
	assert_number(fact_of(f, "0", HOST_SHARED_MEMORY), 64 << 20);
	assert_string_equal(f->host->facts[HOST_SHARED_MEMORY].raw, "rw,size=65536k");
	put(f, path, "31 23 0:28 / /dev/shm rw - tmpfs tmpfs rw\n");
	assert_int_equal(fact_of(f, "0", HOST_SHARED_MEMORY)->state, FACT_UNKNOWN);
	put(f, "/proc/meminfo", "MemTotal: 4096 kB\n");
	assert_number(fact_of(f, "0", HOST_SHARED_MEMORY), 2 << 20);
	put(f, path, "31 23 0:28 / /dev rw - devtmpfs dev rw,size=65536k\n");
	assert_int_equal(fact_of(f, "0", HOST_SHARED_MEMORY)->state, FACT_UNKNOWN);
	/* The last mount of a point hides those before it. */
	put(f, path,
	    "31 23 0:28 / /dev/shm rw - tmpfs shm rw,size=65536k\n"
	    "40 31 0:31 / /dev/shm rw - tmpfs dshm rw,size=8388608k\n");
	assert_number(fact_of(f, "0", HOST_SHARED_MEMORY), 8ULL << 30);
	put(f, path,
	    "31 23 0:28 / /dev/shm rw - tmpfs shm rw,size=65536k\n"
	    "40 31 8:1 /pods/1 /dev/shm rw - ext4 /dev/sda1 rw\n");
	put(f, "/proc/sys/kernel/osrelease", "6.1.0\n");
	assert_int_equal(fact_of(f, "0", HOST_SHARED_MEMORY)->state, FACT_ABSENT);
	assert_string_equal(f->host->facts[HOST_SHARED_MEMORY].raw, "ext4 on /dev/shm");
	put(f, path, "31 23 0:28 / /dev rw - devtmpfs dev rw\n");
	assert_int_equal(fact_of(f, "0", HOST_SHARED_MEMORY)->state, FACT_ABSENT);
	assert_string_equal(f->host->facts[HOST_SHARED_MEMORY].raw, "nothing mounted on /dev/shm");
}

static void isolated_cpus_are_a_list_and_null_is_none(void **state)
{
	struct fixture *f = *state;

	put(f, "/sys/devices/system/cpu/isolated", "2-3\n");
	put(f, "/sys/devices/system/cpu/nohz_full", "  (null)\n");
	assert_text(fact_of(f, "0", HOST_ISOLATED), "/sys/devices/system/cpu/isolated", "2-3");
	assert_text(&f->host->facts[HOST_NOHZ_FULL], "/sys/devices/system/cpu/nohz_full", "");
	put(f, "/sys/devices/system/cpu/isolated", "two\n");
	assert_int_equal(fact_of(f, "0", HOST_ISOLATED)->state, FACT_UNKNOWN);
}

static void the_partition_is_that_of_our_cpuset(void **state)
{
	struct fixture *f = *state;

	put(f, "/proc/self/cgroup", "0::/box\n");
	put(f, "/proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
	put(f, "/sys/fs/cgroup/box/cgroup.procs", "");
	assert_int_equal(fact_of(f, "0", HOST_PARTITION)->state, FACT_ABSENT);
	put(f, "/sys/fs/cgroup/box/cpuset.cpus.partition", "isolated\n");
	assert_text(fact_of(f, "0", HOST_PARTITION), "/sys/fs/cgroup/box/cpuset.cpus.partition", "isolated");
}

static void pressure_is_the_ten_second_average(void **state)
{
	struct fixture *f = *state;

	put(f, "/proc/pressure/cpu", "some avg10=31.92 avg60=8.02 avg300=2.62 total=14379041\nfull avg10=0.00\n");
	put(f, "/proc/pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	put(f, "/proc/pressure/io", "some avg10=no\n");
	assert_number(fact_of(f, "0", HOST_PRESSURE_CPU), 31920);
	assert_number(&f->host->facts[HOST_PRESSURE_MEMORY], 0);
	assert_int_equal(f->host->facts[HOST_PRESSURE_IO].state, FACT_UNKNOWN);
}

static void steal_is_a_share_of_our_cpus_time(void **state)
{
	struct fixture *f = *state;

	put(f, "/proc/stat",
	    "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 50 0 20 25 0 0 0 5 0 0\ncpu1 50 0 20 15 0 0 0 15 0 0\nintr 1\n");
	assert_number(fact_of(f, "0", HOST_STEAL), 5000);
	assert_number(fact_of(f, "0-1", HOST_STEAL), 10000);
	assert_int_equal(fact_of(f, "7", HOST_STEAL)->state, FACT_UNKNOWN);
	assert_int_equal(f->host->facts[HOST_LOAD_NOW].state, FACT_UNKNOWN);
	put(f, "/proc/stat", "cpu0 50 0 20 25\n");
	assert_int_equal(fact_of(f, "0", HOST_STEAL)->state, FACT_UNKNOWN);
}

static void the_isa_is_what_the_kernel_lists_by_whole_words(void **state)
{
	struct fixture *f = *state;

	put(f, "/proc/cpuinfo",
	    "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: X\n"
	    "flags\t\t: fpu avx2 avx512f avx512_vnni amx_tile avx512bwx xavx\n");
	assert_text(fact_of(f, "0", HOST_ISA), "/proc/cpuinfo", "avx2 avx512f avx512_vnni amx_tile");
	assert_number(&f->host->facts[HOST_CPU_MODEL], 143);
	assert_int_equal(f->host->facts[HOST_HYPERVISOR].state, FACT_ABSENT);
	put(f, "/proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd asimddp sve bf16\n");
	assert_text(fact_of(f, "0", HOST_ISA), "/proc/cpuinfo", "asimd asimddp bf16 sve");
	assert_int_equal(f->host->facts[HOST_HYPERVISOR].state, FACT_UNKNOWN);
	put(f, "/proc/cpuinfo", "processor\t: 0\nisa\t\t: rv64imafdc\n");
	assert_int_equal(fact_of(f, "0", HOST_ISA)->state, FACT_UNKNOWN);
}

static void a_hypervisor_is_named_where_the_firmware_does(void **state)
{
	struct fixture *f = *state;

	put(f, "/proc/cpuinfo", "flags\t\t: fpu hypervisor\n");
	assert_string_equal(fact_of(f, "0", HOST_HYPERVISOR)->raw, "unnamed");
	put(f, "/sys/class/dmi/id/sys_vendor", "QEMU\n");
	assert_string_equal(fact_of(f, "0", HOST_HYPERVISOR)->raw, "QEMU");
	put(f, "/sys/hypervisor/type", "xen\n");
	assert_string_equal(fact_of(f, "0", HOST_HYPERVISOR)->raw, "xen");
}

static void hostile_text_reaches_the_document_tamed(void **state)
{
	struct fixture *f = *state;
	char huge[2048];
	json_t *unknown = json_array(), *object;

	memset(huge, 'g', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	put(f, FREQ("0", "scaling_governor"), huge);
	put(f, "/proc/sys/kernel/osrelease", "6.1\033[2J\xff\n");
	put(f, "/proc/sys/vm/swappiness", "99999999999999999999999\n");
	assert_string_equal(fact_of(f, "0", HOST_KERNEL)->raw, "6.1?[2J?");
	assert_true(strlen(f->host->facts[HOST_GOVERNOR].raw) < 256);
	assert_int_equal(f->host->facts[HOST_SWAPPINESS].state, FACT_UNKNOWN);
	object = host_to_json(f->host, unknown);
	assert_non_null(object);
	assert_true(json_is_null(json_object_get(object, "swappiness")));
	json_decref(object);
	json_decref(unknown);
}

static bool names(const json_t *unknown, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(unknown, i, item)
	{
		if (strcmp(json_string_value(item), name) == 0)
			return true;
	}
	return false;
}

static void the_document_has_every_fact_and_names_the_unknown_ones(void **state)
{
	struct fixture *f = *state;
	json_t *unknown = json_array(), *object;
	const struct fact *facts;

	put_whole(f);
	put(f, "/proc/sys/kernel/perf_event_paranoid", "-1\n");
	put(f, "/sys/devices/system/cpu/cpufreq/boost", "0\n");
	facts = fact_of(f, "0-1", HOST_KERNEL); /* the first of the array */
	object = host_to_json(f->host, unknown);
	assert_non_null(object);
	for (enum host_fact i = 0; i < HOST_FACT_COUNT; i++) {
		const json_t *value = json_object_get(object, host_fact_name(i));

		assert_non_null(value);
		assert_int_equal(names(unknown, host_fact_name(i)), facts[i].state == FACT_UNKNOWN);
		assert_int_equal(json_is_null(value), facts[i].state != FACT_KNOWN);
	}
	assert_int_equal(json_integer_value(json_object_get(object, "perf_event_paranoid")), -1);
	assert_true(json_is_false(json_object_get(object, "boost")));
	json_decref(object);
	json_decref(unknown);
}

static void a_source_without_a_host_has_all_facts_unknown(void **state)
{
	json_t *unknown = json_array(), *object = host_to_json(NULL, unknown);

	(void)state;
	assert_non_null(object);
	assert_int_equal(json_array_size(unknown), HOST_FACT_COUNT);
	assert_true(json_is_null(json_object_get(object, "governor")));
	json_decref(object);
	json_decref(unknown);
}

static void the_machine_itself_is_watched(void **state)
{
	struct fixture *f = *state;
	cleanup_sysroot struct sysroot live = SYSROOT_INIT;
	cleanup_bitmap hwloc_bitmap_t pus = NULL;
	struct err err = { 0 };

	assert_int_equal(sysroot_open(&live, "/", &err), 0);
	assert_int_equal(cpulist_parse("0-4095", &pus, &err), 0);
	assert_int_equal(host_read(&live, pus, 50, &f->host, &err), 0);
	assert_non_null(f->host);
	if (f->host->facts[HOST_LOAD_NOW].state != FACT_KNOWN)
		skip(); /* a /proc without stat */
	assert_true(f->host->facts[HOST_LOAD_NOW].value <= 100000);
	assert_true(f->host->facts[HOST_STEAL_NOW].value <= 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		T(the_governors_of_our_cpus_are_named_and_of_no_other),
		T(frequencies_are_in_mhz_and_of_the_fastest),
		T(boost_is_read_from_either_driver),
		T(a_file_missing_in_a_whole_capture_is_absent_and_else_unknown),
		T(the_bracketed_word_is_the_mode),
		T(pools_are_listed_by_page_size),
		T(swap_is_counted_in_bytes_and_none_is_zero),
		T(shared_memory_is_what_its_mount_allows),
		T(isolated_cpus_are_a_list_and_null_is_none),
		T(the_partition_is_that_of_our_cpuset),
		T(pressure_is_the_ten_second_average),
		T(steal_is_a_share_of_our_cpus_time),
		T(the_isa_is_what_the_kernel_lists_by_whole_words),
		T(a_hypervisor_is_named_where_the_firmware_does),
		T(hostile_text_reaches_the_document_tamed),
		T(the_document_has_every_fact_and_names_the_unknown_ones),
		T(a_source_without_a_host_has_all_facts_unknown),
		T(the_machine_itself_is_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

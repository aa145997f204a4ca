/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/host_table.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "machine/machine.h"

#include <fcntl.h>
#include <string.h>

#define CPU_DIR  "/sys/devices/system/cpu/"
#define FREQ_DIR CPU_DIR "cpu#/cpufreq/"
#define THP_DIR  "/sys/kernel/mm/transparent_hugepage/"

/* Kernel documents: admin-guide/pm/cpufreq.rst, admin-guide/mm/transhuge.rst, admin-guide/sysctl, accounting/psi.rst.
 */
const struct host_row host_rows[HOST_FACT_COUNT] = {
	[HOST_KERNEL] = { "kernel", HOST_FORM_TEXT, host_read_text, { "/proc/sys/kernel/osrelease" } },
	[HOST_HYPERVISOR] = { "hypervisor",
			      HOST_FORM_TEXT,
			      host_read_hypervisor,
			      { "/sys/hypervisor/type", "/sys/class/dmi/id/sys_vendor" } },
	[HOST_CPU_VENDOR] = { "cpu_vendor", HOST_FORM_TEXT, host_read_cpuinfo_text, .key = "vendor_id" },
	[HOST_CPU_FAMILY] = { "cpu_family", HOST_FORM_NUMBER, host_read_cpuinfo_number, .key = "cpu family" },
	[HOST_CPU_MODEL] = { "cpu_model", HOST_FORM_NUMBER, host_read_cpuinfo_number, .key = "model" },
	[HOST_ISA] = { "isa", HOST_FORM_WORDS, host_read_isa },
	[HOST_GOVERNOR] = { "governor", HOST_FORM_TEXT, host_read_cpu_words, { FREQ_DIR "scaling_governor" } },
	[HOST_FREQUENCY_DRIVER] = { "frequency_driver",
				    HOST_FORM_TEXT,
				    host_read_cpu_words,
				    { FREQ_DIR "scaling_driver" } },
	[HOST_MIN_MHZ] = { "frequency_min_mhz",
			   HOST_FORM_NUMBER,
			   host_read_cpu_slowest,
			   { FREQ_DIR "cpuinfo_min_freq" },
			   .divide = { 1000 } },
	[HOST_MAX_MHZ] = { "frequency_max_mhz",
			   HOST_FORM_NUMBER,
			   host_read_cpu_fastest,
			   { FREQ_DIR "cpuinfo_max_freq" },
			   .divide = { 1000 } },
	[HOST_BASE_MHZ] = { "frequency_base_mhz",
			    HOST_FORM_NUMBER,
			    host_read_cpu_fastest,
			    { FREQ_DIR "base_frequency", CPU_DIR "cpu#/acpi_cppc/nominal_freq" },
			    .divide = { 1000, 1 } },
	[HOST_LIMIT_MHZ] = { "frequency_limit_mhz",
			     HOST_FORM_NUMBER,
			     host_read_cpu_fastest,
			     { FREQ_DIR "scaling_max_freq" },
			     .divide = { 1000 } },
	[HOST_CURRENT_MHZ] = { "frequency_now_mhz",
			       HOST_FORM_NUMBER,
			       host_read_current,
			       { FREQ_DIR "scaling_cur_freq" },
			       .key = "cpu MHz",
			       .divide = { 1000 },
			       .moves = true },
	[HOST_BOOST] = { "boost",
			 HOST_FORM_FLAG,
			 host_read_boost,
			 { CPU_DIR "intel_pstate/no_turbo", CPU_DIR "cpufreq/boost" } },
	[HOST_SMT] = { "smt", HOST_FORM_TEXT, host_read_text, { CPU_DIR "smt/control" } },
	[HOST_HUGE_PAGES] = { "huge_pages", HOST_FORM_TEXT, host_read_chosen, { THP_DIR "enabled" } },
	[HOST_HUGE_PAGES_DEFRAG] = { "huge_pages_defrag", HOST_FORM_TEXT, host_read_chosen, { THP_DIR "defrag" } },
	[HOST_HUGETLB] = { "hugetlb_bytes", HOST_FORM_BYTES, host_read_pools, { "/sys/kernel/mm/hugepages" } },
	[HOST_NUMA_BALANCING] = { "numa_balancing",
				  HOST_FORM_NUMBER,
				  host_read_number,
				  { "/proc/sys/kernel/numa_balancing" } },
	[HOST_ZONE_RECLAIM] = { "zone_reclaim",
				HOST_FORM_NUMBER,
				host_read_number,
				{ "/proc/sys/vm/zone_reclaim_mode" } },
	[HOST_SHARED_MEMORY] = { "shared_memory",
				 HOST_FORM_BYTES,
				 host_read_shared_memory,
				 { "/proc/self/mountinfo" } },
	[HOST_SWAP] = { "swap", HOST_FORM_BYTES, host_read_meminfo, { "/proc/meminfo" }, "SwapTotal" },
	[HOST_SWAP_USED] = { "swap_used", HOST_FORM_BYTES, host_read_swap_used, { "/proc/meminfo" }, .moves = true },
	[HOST_SWAPPINESS] = { "swappiness", HOST_FORM_NUMBER, host_read_number, { "/proc/sys/vm/swappiness" } },
	[HOST_OVERCOMMIT] = { "overcommit", HOST_FORM_NUMBER, host_read_number, { "/proc/sys/vm/overcommit_memory" } },
	[HOST_ISOLATED] = { "isolated", HOST_FORM_LIST, host_read_list, { CPU_DIR "isolated" } },
	[HOST_NOHZ_FULL] = { "nohz_full", HOST_FORM_LIST, host_read_list, { CPU_DIR "nohz_full" } },
	[HOST_PARTITION] = { "cpuset_partition", HOST_FORM_TEXT, host_read_partition, { "/proc/self/cgroup" } },
	[HOST_PRESSURE_CPU] = { "pressure_cpu",
				HOST_FORM_MILLI,
				host_read_pressure,
				{ "/proc/pressure/cpu" },
				.moves = true },
	[HOST_PRESSURE_MEMORY] = { "pressure_memory",
				   HOST_FORM_MILLI,
				   host_read_pressure,
				   { "/proc/pressure/memory" },
				   .moves = true },
	[HOST_PRESSURE_IO] = { "pressure_io",
			       HOST_FORM_MILLI,
			       host_read_pressure,
			       { "/proc/pressure/io" },
			       .moves = true },
	[HOST_STEAL] = { "steal", HOST_FORM_MILLI, host_read_steal, { "/proc/stat" }, .moves = true },
	[HOST_STEAL_NOW] = { "steal_now", HOST_FORM_MILLI, host_read_later, { "/proc/stat" }, .moves = true },
	[HOST_LOAD_NOW] = { "load_now", HOST_FORM_MILLI, host_read_later, { "/proc/stat" }, .moves = true },
	[HOST_PERF_PARANOID] = { "perf_event_paranoid",
				 HOST_FORM_NUMBER,
				 host_read_signed,
				 { "/proc/sys/kernel/perf_event_paranoid" } },
	[HOST_PTRACE_SCOPE] = { "ptrace_scope",
				HOST_FORM_NUMBER,
				host_read_number,
				{ "/proc/sys/kernel/yama/ptrace_scope" } },
};

static bool there(const struct sysroot *root, const char *path)
{
	cleanup_close int fd = sysroot_open_file(root, path);

	return fd >= 0;
}

/* The first CPUs are enough: x86 and arm64 kernels say for each what all can do. Of 4,096 the file has megabytes. */
static int read_cpuinfo(struct host_reader *in)
{
	enum { ENOUGH_BYTES = 32768 };
	cleanup_close int fd = sysroot_open_file(in->root, "/proc/cpuinfo");
	size_t length = 0;
	ssize_t n = fd;

	if (fd >= 0) {
		in->cpuinfo = calloc(1, ENOUGH_BYTES + 1);
		if (!in->cpuinfo)
			return -ENOMEM;
		while (length < ENOUGH_BYTES && (n = read(fd, in->cpuinfo + length, ENOUGH_BYTES - length)) > 0)
			length += (size_t)n;
		n = n < 0 ? -errno : 0;
	}
	if (n < 0) {
		free(in->cpuinfo);
		in->cpuinfo = NULL;
		in->cpuinfo_code = (int)n;
	}
	return 0;
}

static int read_all(struct host_reader *in, unsigned sample_ms, struct host *host)
{
	int r = read_cpuinfo(in);

	for (unsigned i = 0; i < HOST_FACT_COUNT && r == 0; i++)
		r = host_rows[i].read(in, &host_rows[i], &host->facts[i]);
	if (r == 0 && sample_ms && in->root->live)
		r = host_sample(in, sample_ms, host);
	free(in->cpuinfo);
	return r;
}

int host_read(const struct sysroot *root, hwloc_const_bitmap_t pus_os, unsigned sample_ms, struct host **ret_host,
	      struct err *err)
{
	cleanup_host struct host *host = calloc(1, sizeof(*host));
	struct host_reader in = { .root = root, .pus_os = pus_os };

	if (!host)
		return err_nomem(err);
	in.pools = &host->pools;
	in.pool_count = &host->pool_count;
	in.proc_whole = there(root, "/proc/sys/kernel/osrelease");
	in.sys_whole = (root->live || in.proc_whole) && there(root, "/sys/devices/system/cpu");
	if (read_all(&in, sample_ms, host) < 0)
		return err_nomem(err);
	*ret_host = TAKE(host);
	return 0;
}

int machine_read_host(struct machine *machine, unsigned sample_ms, struct err *err)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	struct host *host = NULL;
	int r;

	if (machine->source != MACHINE_LIVE)
		return 0;
	r = sysroot_open(&root, "/", err);
	if (r == 0)
		r = host_read(&root, machine->limits.pus_os, sample_ms, &host, err);
	if (r < 0)
		return r;
	host_free(machine->host);
	machine->host = host;
	return 0;
}

void host_free(struct host *host)
{
	if (!host)
		return;
	for (unsigned i = 0; i < HOST_FACT_COUNT; i++)
		fact_clear(&host->facts[i]);
	free(host->pools);
	free(host);
}

void host_fact_words(enum host_fact which, const struct fact *fact, struct text *text)
{
	switch (host_rows[which].form) {
	case HOST_FORM_NUMBER:
		text_add(text, "%lld", (long long)fact->value);
		return;
	case HOST_FORM_BYTES:
		text_add(text, "%.1f GiB", (double)fact->value / (1 << 30));
		return;
	case HOST_FORM_FLAG:
		text_add(text, "%s", fact->value ? "on" : "off");
		return;
	case HOST_FORM_MILLI:
		text_add(text, "%.1f %%", (double)fact->value / 1000);
		return;
	case HOST_FORM_TEXT:
	case HOST_FORM_LIST:
	case HOST_FORM_WORDS:
		text_add(text, "%s", *fact->raw ? fact->raw : "none");
		return;
	}
}

const char *host_fact_name(enum host_fact fact)
{
	return host_rows[fact].name;
}

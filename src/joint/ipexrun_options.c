/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/ipexrun.h"

#include "base/cleanup.h"
#include "joint/options.h"

#include <stddef.h>

#define AT(field)                offsetof(struct options, ipexrun.field)
#define TABLE(name, title, rows) const struct option_table name = { title, rows, ARRAY_SIZE(rows), true }

static const char *const allocator_choices[] = { "auto", "default", "tcmalloc", "jemalloc" };
static const char *const omp_choices[] = { "auto", "default", "intel" };
static const char *const task_manager_choices[] = { "auto", "none", "numactl", "taskset" };
static const char *const dtype_choices[] = { "float32", "bfloat16" };

#define CHOICES(list) .words = (list), .word_count = ARRAY_SIZE(list)

/* Rows that both launchers have. */
#define ROW_MODULE                                                                                                  \
	{                                                                                                           \
		"module", NULL, "the program is a Python module, as python -m has it", OPTION_FLAG, 'm', AT(module) \
	}
#define ROW_NO_PYTHON                                                                                                  \
	{                                                                                                              \
		"no-python", NULL, "the program is run as it is, without Python", OPTION_FLAG, .offset = AT(no_python) \
	}
#define ROW_PREFIX                                                                          \
	{                                                                                   \
		"log-file-prefix", "TEXT", "how log files' names begin (run)", OPTION_WORD, \
			.offset = AT(log_file_prefix)                                       \
	}
#define ROW_NINSTANCES(what)                                                                               \
	{                                                                                                  \
		"ninstances", "N", what, OPTION_INT, .offset = AT(ninstances), .given = AT(has_ninstances) \
	}
#define ROW_NCORES(what)                                                                                    \
	{                                                                                                   \
		"ncores-per-instance", "N", what, OPTION_INT, .offset = AT(ncores), .given = AT(has_ncores) \
	}
#define ROW_LATENCY                                                                                 \
	{                                                                                           \
		"latency-mode", NULL, "instances of 4 cores each (fettle: --latency)", OPTION_FLAG, \
			.offset = AT(latency_mode)                                                  \
	}
#define ROW_THROUGHPUT                                                                              \
	{                                                                                           \
		"throughput-mode", NULL, "one instance a node (fettle: --throughput)", OPTION_FLAG, \
			.offset = AT(throughput_mode)                                               \
	}

static const struct option program_rows[] = {
	ROW_MODULE,
	ROW_NO_PYTHON,
	{ "log-dir", "DIR", "a log file for each instance there", OPTION_WORD, .offset = AT(log_dir) },
	ROW_PREFIX,
};
TABLE(ipexrun_program_options, "Program", program_rows);

static const struct option instance_rows[] = {
	ROW_NINSTANCES("instances side by side (fettle: --instances)"),
	ROW_NCORES("cores of each; 0: even, -1: the remainder too"),
	{ "instance-idx", "LIST", "start only these; empty or -1: all", OPTION_WORD, .offset = AT(instance_idx) },
	{ "nodes-list", "LIST", "NUMA nodes to use (fettle: --nodes)", OPTION_WORD, .offset = AT(nodes_list) },
	{ "cores-list", "LIST", "CPUs to use (fettle: --cpus)", OPTION_WORD, .offset = AT(cores_list) },
	{ "use-logical-cores", NULL, "hyper-threads too (fettle: --smt)", OPTION_FLAG,
	  .offset = AT(use_logical_cores) },
	{ "use-e-cores", NULL, "small cores too (fettle: --efficiency-cores)", OPTION_FLAG, .offset = AT(use_e_cores) },
	{ "bind-numa-node", NULL, "each instance inside one node, however large", OPTION_FLAG,
	  .offset = AT(bind_numa_node) },
	{ "strategy", "WORD", "scatter over the nodes, or close together", OPTION_CHOICE, .offset = AT(strategy),
	  .words = strategy_words, .word_count = STRATEGY_COUNT },
	ROW_LATENCY,
	ROW_THROUGHPUT,
	{ "multi-task-manager", "WORD", "how to bind: auto, none, numactl or taskset", OPTION_CHOICE,
	  .offset = AT(task_manager), CHOICES(task_manager_choices) },
};
TABLE(ipexrun_instance_options, "Instances", instance_rows);

static const struct option library_rows[] = {
	{ "memory-allocator", "WORD", "auto, default, tcmalloc or jemalloc (fettle: --allocator)", OPTION_CHOICE,
	  .offset = AT(memory_allocator), CHOICES(allocator_choices) },
	{ "benchmark", NULL, "jemalloc keeps freed memory (jemalloc-aggressive)", OPTION_FLAG,
	  .offset = AT(benchmark) },
	{ "omp-runtime", "WORD", "auto, default or intel (fettle: --openmp)", OPTION_CHOICE, .offset = AT(omp_runtime),
	  CHOICES(omp_choices) },
};
TABLE(ipexrun_library_options, "Libraries", library_rows);

static const struct option distributed_rows[] = {
	{ "nnodes", "N", "on N hosts: the command that does it is shown", OPTION_INT, .offset = AT(nnodes) },
	{ "nprocs-per-node", "N", "processes on each host", OPTION_INT, .offset = AT(nprocs_per_node) },
	{ "ccl-worker-count", "N", "cores for oneCCL of each process (4)", OPTION_INT, .offset = AT(ccl_worker_count),
	  .given = AT(has_ccl_worker_count) },
	{ "logical-cores-for-ccl", NULL, "hyper-threads for oneCCL's workers", OPTION_FLAG,
	  .offset = AT(logical_cores_for_ccl) },
	{ "master-addr", "HOST", "host of rank 0 (127.0.0.1)", OPTION_WORD, .offset = AT(master_addr) },
	{ "master-port", "PORT", "port of rank 0 (29500)", OPTION_INT, .offset = AT(master_port) },
	{ "hostfile", "FILE", "the hosts (hostfile)", OPTION_FILE, .offset = AT(hostfile) },
	{ "extra-mpi-params", "TEXT", "more words for mpiexec.hydra", OPTION_WORD, .offset = AT(extra_mpi_params) },
};
TABLE(ipexrun_distributed_options, "Several hosts", distributed_rows);

static const struct option code_rows[] = {
	{ "auto-ipex", NULL, "not done: the program runs as it is", OPTION_FLAG, .offset = AT(auto_ipex) },
	{ "dtype", "WORD", "float32 or bfloat16; for --auto-ipex", OPTION_CHOICE, .offset = AT(dtype),
	  .given = AT(has_dtype), CHOICES(dtype_choices) },
	{ "auto-ipex-verbose", NULL, "for --auto-ipex", OPTION_FLAG, .offset = AT(auto_ipex_verbose) },
	{ "disable-ipex-graph-mode", NULL, "for --auto-ipex", OPTION_FLAG, .offset = AT(disable_ipex_graph_mode) },
};
TABLE(ipexrun_code_options, "Code", code_rows);

/* --skip-cross-node-cores is deprecated in 2.8; the others are those of releases before 2.0. */
static const struct option old_rows[] = {
	{ "skip-cross-node-cores", NULL, "now --bind-numa-node", OPTION_FLAG, .offset = AT(bind_numa_node) },
	{ "ncore-per-instance", "N", "now --ncores-per-instance", OPTION_INT, .offset = AT(ncores),
	  .given = AT(has_ncores) },
	{ "node-id", "N", "now --nodes-list", OPTION_INT, .offset = AT(node_id), .given = AT(has_node_id) },
	{ "core-list", "LIST", "now --cores-list", OPTION_WORD, .offset = AT(cores_list) },
	{ "log-path", "DIR", "now --log-dir", OPTION_WORD, .offset = AT(log_dir) },
	{ "multi-instance", NULL, "now --throughput-mode", OPTION_FLAG, .offset = AT(multi_instance) },
	{ "distributed", NULL, "now --nnodes", OPTION_FLAG, .offset = AT(distributed) },
	{ "nproc-per-node", "N", "now --nprocs-per-node", OPTION_INT, .offset = AT(nprocs_per_node) },
	{ "more-mpi-params", "TEXT", "now --extra-mpi-params", OPTION_WORD, .offset = AT(extra_mpi_params) },
	{ "disable-numactl", NULL, "now --multi-task-manager taskset", OPTION_FLAG, .offset = AT(disable_numactl) },
	{ "disable-taskset", NULL, "now --multi-task-manager none", OPTION_FLAG, .offset = AT(disable_taskset) },
	{ "enable-tcmalloc", NULL, "now --memory-allocator tcmalloc", OPTION_FLAG, .offset = AT(enable_tcmalloc) },
	{ "enable-jemalloc", NULL, "now --memory-allocator jemalloc", OPTION_FLAG, .offset = AT(enable_jemalloc) },
	{ "use-default-allocator", NULL, "now --memory-allocator default", OPTION_FLAG,
	  .offset = AT(use_default_allocator) },
	{ "disable-iomp", NULL, "now --omp-runtime default", OPTION_FLAG, .offset = AT(disable_iomp) },
};
TABLE(ipexrun_old_options, "Deprecated", old_rows);

static const struct option run_cpu_program_rows[] = {
	ROW_MODULE,
	ROW_NO_PYTHON,
	{ "log-path", "DIR", "a log file for each instance there", OPTION_WORD, .offset = AT(log_dir) },
	ROW_PREFIX,
};
TABLE(run_cpu_program_options, "Program", run_cpu_program_rows);

static const struct option run_cpu_instance_rows[] = {
	{ "multi-instance", NULL, "one instance a node, when no number is given", OPTION_FLAG,
	  .offset = AT(multi_instance) },
	ROW_NINSTANCES("instances side by side (fettle: --instances)"),
	ROW_NCORES("cores of each (fettle: --cores-per-instance)"),
	{ "rank", "I", "start only instance I (fettle: --instance)", OPTION_INT, .offset = AT(rank),
	  .given = AT(has_rank) },
	{ "node-id", "N", "the NUMA node to use (fettle: --nodes)", OPTION_INT, .offset = AT(node_id),
	  .given = AT(has_node_id) },
	{ "core-list", "LIST", "CPUs to use (fettle: --cpus)", OPTION_WORD, .offset = AT(cores_list) },
	{ "use-logical-core", NULL, "hyper-threads too (fettle: --smt)", OPTION_FLAG, .offset = AT(use_logical_cores) },
	{ "skip-cross-node-cores", NULL, "each instance inside one node", OPTION_FLAG, .offset = AT(bind_numa_node) },
	ROW_LATENCY,
	ROW_THROUGHPUT,
	{ "disable-numactl", NULL, "bind CPUs, but no memory (fettle: --memory none)", OPTION_FLAG,
	  .offset = AT(disable_numactl) },
	{ "disable-taskset", NULL, "with --disable-numactl: bind nothing", OPTION_FLAG, .offset = AT(disable_taskset) },
};
TABLE(run_cpu_instance_options, "Instances", run_cpu_instance_rows);

static const struct option run_cpu_library_rows[] = {
	{ "enable-tcmalloc", NULL, "fettle: --allocator tcmalloc", OPTION_FLAG, .offset = AT(enable_tcmalloc) },
	{ "enable-jemalloc", NULL, "fettle: --allocator jemalloc", OPTION_FLAG, .offset = AT(enable_jemalloc) },
	{ "use-default-allocator", NULL, "fettle: --allocator glibc", OPTION_FLAG,
	  .offset = AT(use_default_allocator) },
	{ "disable-iomp", NULL, "the program's own OpenMP, not Intel's", OPTION_FLAG, .offset = AT(disable_iomp) },
};
TABLE(run_cpu_library_options, "Libraries", run_cpu_library_rows);

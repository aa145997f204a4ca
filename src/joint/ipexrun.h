/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of two other launchers, so that their scripts go on: Intel's `ipexrun` (2.8) and PyTorch's
 * torch.backends.xeon.run_cpu (2.13), which is its older twin. Their options are read into one struct, and turned
 * into fettle's own; docs/migrate.md has the table for people.
 */
#pragma once

#include "base/words.h"
#include "joint/option.h"
#include "plan/request.h"

#include <stdbool.h>

struct err;
struct options;

enum ipexrun_allocator { IPEXRUN_MALLOC_AUTO, IPEXRUN_MALLOC_DEFAULT, IPEXRUN_TCMALLOC, IPEXRUN_JEMALLOC };
enum ipexrun_omp { IPEXRUN_OMP_AUTO, IPEXRUN_OMP_DEFAULT, IPEXRUN_OMP_INTEL };
enum ipexrun_task_manager { IPEXRUN_BY_AUTO, IPEXRUN_BY_NONE, IPEXRUN_BY_NUMACTL, IPEXRUN_BY_TASKSET };

/* What their command lines said; all zero: nothing. */
struct ipexrun {
	/* the program */
	bool module, no_python;
	const char *log_dir, *log_file_prefix;

	/* instances */
	bool has_ninstances, has_ncores, has_node_id, has_rank;
	int ninstances, ncores, node_id, rank;
	const char *instance_idx, *nodes_list, *cores_list;
	bool use_logical_cores, use_e_cores, bind_numa_node, multi_instance, latency_mode, throughput_mode;
	enum strategy strategy;

	/* binding and libraries */
	enum ipexrun_task_manager task_manager;
	bool disable_numactl, disable_taskset;
	enum ipexrun_allocator memory_allocator;
	bool benchmark, enable_tcmalloc, enable_jemalloc, use_default_allocator;
	enum ipexrun_omp omp_runtime;
	bool disable_iomp;

	/* several hosts */
	int nnodes, nprocs_per_node, ccl_worker_count, master_port;
	bool has_ccl_worker_count, logical_cores_for_ccl, distributed;
	const char *master_addr, *hostfile, *extra_mpi_params;

	/* what rewrites the script */
	bool auto_ipex, auto_ipex_verbose, disable_ipex_graph_mode, has_dtype;
	unsigned dtype;
};

extern const struct option_table ipexrun_program_options, ipexrun_instance_options, ipexrun_library_options,
	ipexrun_distributed_options, ipexrun_code_options, ipexrun_old_options; /* ipexrun */
extern const struct option_table run_cpu_program_options, run_cpu_instance_options, run_cpu_library_options;

/* What a command line means in fettle's words, beside what went into struct options. */
struct ipexrun_meaning {
	struct words said;  /* lines to warn with: words that are deprecated, or do not do here what they did */
	struct words lists; /* texts that the request borrows */
};

/*
 * Turn options->ipexrun into options->request and where logs go (run_cpu: as that launcher reads them). `found` tells
 * which words were used; `local_world` is LOCAL_WORLD_SIZE of the environment, or NULL; `time` names this start in the
 * names of log files. Pure. Returns 0; -EINVAL for what the other launcher would refuse, too; -ENOMEM.
 */
int ipexrun_translate(bool run_cpu, const struct option_found *found, const char *local_world, const char *time,
		      struct options *options, struct ipexrun_meaning *meaning, struct err *err);

void ipexrun_meaning_clear(struct ipexrun_meaning *meaning);
#define cleanup_ipexrun_meaning cleanup_(ipexrun_meaning_clear)

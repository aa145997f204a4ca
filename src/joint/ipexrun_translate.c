/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the other launchers' words mean. Where the original's code and its documentation differ, the documentation is
 * kept; what a script was never refused for is not refused here.
 */
#include "joint/ipexrun.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "joint/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ipexrun_meaning_clear(struct ipexrun_meaning *meaning)
{
	words_clear(&meaning->said);
	words_clear(&meaning->lists);
}

static int say(struct ipexrun_meaning *meaning, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int say(struct ipexrun_meaning *meaning, const char *format, ...)
{
	char *line = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		line = NULL;
	va_end(args);
	return words_take(&meaning->said, line);
}

/* ---- Words that say more than they do ---- */

#define CODE_FOLLOWS "the program runs as it is, and computes what plain PyTorch computes"

static const struct remark {
	const char *option;
	const char *now;  /* deprecated: what to write today */
	const char *line; /* has no effect, and what has */
} remarks[] = {
	{ "skip-cross-node-cores", "--bind-numa-node", NULL },
	{ "ncore-per-instance", "--ncores-per-instance", NULL },
	{ "node-id", "--nodes-list", NULL },
	{ "core-list", "--cores-list", NULL },
	{ "log-path", "--log-dir", NULL },
	{ "multi-instance", "--throughput-mode", NULL },
	{ "distributed", "--nnodes", NULL },
	{ "nproc-per-node", "--nprocs-per-node", NULL },
	{ "more-mpi-params", "--extra-mpi-params", NULL },
	{ "disable-numactl", "--multi-task-manager taskset", NULL },
	{ "disable-taskset", "--multi-task-manager none", NULL },
	{ "enable-tcmalloc", "--memory-allocator tcmalloc", NULL },
	{ "enable-jemalloc", "--memory-allocator jemalloc", NULL },
	{ "use-default-allocator", "--memory-allocator default", NULL },
	{ "disable-iomp", "--omp-runtime default", NULL },
	{ "auto-ipex", NULL, CODE_FOLLOWS "; packed weights without a change of code are to come" },
	{ "dtype", NULL, CODE_FOLLOWS "; torch.autocast('cpu', torch.bfloat16) in the program lowers the precision" },
	{ "auto-ipex-verbose", NULL, CODE_FOLLOWS },
	{ "disable-ipex-graph-mode", NULL, CODE_FOLLOWS },
	{ "nprocs-per-node", NULL, "it counts with --nnodes only" },
	{ "ccl-worker-count", NULL, "it counts with --nnodes only" },
	{ "logical-cores-for-ccl", NULL, "it counts with --nnodes only" },
	{ "master-addr", NULL, "it counts with --nnodes only" },
	{ "master-port", NULL, "it counts with --nnodes only" },
	{ "hostfile", NULL, "it counts with --nnodes only" },
	{ "extra-mpi-params", NULL, "it counts with --nnodes only" },
};

/* run_cpu still has the words that ipexrun gave up. */
static int remark_on(bool run_cpu, const struct option_found *found, struct ipexrun_meaning *meaning)
{
	for (size_t i = 0; i < ARRAY_SIZE(remarks); i++) {
		const struct remark *remark = &remarks[i];
		int r = 0;

		if (!option_given(found, remark->option))
			continue;
		if (remark->now && !run_cpu)
			r = say(meaning, "'--%s' is deprecated: '%s' is its name now", remark->option, remark->now);
		else if (remark->line)
			r = say(meaning, "'--%s' changes nothing: %s", remark->option, remark->line);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- Lists ---- */

/* The list without blanks, checked, for the request to borrow; NULL in `*ret_list`: it is empty. */
static int take_list(const char *option, const char *text, struct ipexrun_meaning *meaning, const char **ret_list,
		     struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	char *list = strdup(text), *to = list;
	struct err why = { 0 };

	if (words_take(&meaning->lists, list) < 0)
		return err_nomem(err);
	for (const char *from = text; *from; from++) {
		if (!strchr(" \t", *from))
			*to++ = *from;
	}
	*to = '\0';
	if (cpulist_parse(list, &set, &why) == -ENOMEM)
		return err_nomem(err);
	if (!set)
		return err_set(err, -EINVAL, "option '--%s': '%s' is not a list such as 0-3,8", option, text);
	*ret_list = *list ? list : NULL;
	return 0;
}

static int take_number(int number, struct ipexrun_meaning *meaning, const char **ret_list)
{
	char *text = NULL;

	if (asprintf(&text, "%d", number) < 0)
		text = NULL;
	*ret_list = text;
	return words_take(&meaning->lists, text);
}

/* Which instances are to be started. */
static int take_chosen(const char *text, struct ipexrun_meaning *meaning, struct request *request, struct err *err)
{
	const char *list = NULL;
	unsigned number;
	int r;

	if (!text || strcmp(text, "-1") == 0)
		return 0;
	r = take_list("instance-idx", text, meaning, &list, err);
	if (r < 0 || !list)
		return r;
	request->has_instance = parse_unsigned(list, &number) == 0;
	if (request->has_instance)
		request->instance = number;
	else
		request->only = list;
	return 0;
}

/* ---- Numbers ---- */

static int check_counts(const struct ipexrun *said, int least, struct err *err)
{
	if (said->has_ninstances && said->ninstances < least)
		return err_set(err, -EINVAL, "option '--ninstances': %d is no number of instances", said->ninstances);
	if (said->has_ncores && said->ncores < -1)
		return err_set(err, -EINVAL, "option '--ncores-per-instance': %d is no number of cores", said->ncores);
	if (said->latency_mode && said->throughput_mode)
		return err_set(err, -EINVAL, "options '--latency-mode' and '--throughput-mode' exclude each other");
	return 0;
}

/* The modes settle number and size. */
static int take_mode(const struct ipexrun *said, bool other, const char *kept, struct ipexrun_meaning *meaning,
		     struct request *request)
{
	const char *const mode = said->latency_mode ? "latency-mode" : "throughput-mode";

	request->latency = said->latency_mode;
	request->throughput = !said->latency_mode;
	request->instances = 0;
	request->cores_per_instance = CORES_EVEN;
	request->smt = false;
	return other ? say(meaning, "--%s settles number and size of the instances: %s", mode, kept) : 0;
}

static int place_ipexrun(const struct ipexrun *said, struct ipexrun_meaning *meaning, struct request *request,
			 struct err *err)
{
	int r = check_counts(said, 0, err);

	if (r == 0 && said->nodes_list)
		r = take_list("nodes-list", said->nodes_list, meaning, &request->nodes, err);
	if (r == 0 && said->cores_list)
		r = take_list("cores-list", said->cores_list, meaning, &request->cpus, err);
	if (r == 0)
		r = take_chosen(said->instance_idx, meaning, request, err);
	if (r < 0)
		return r;
	if (said->has_node_id && said->node_id >= 0 && take_number(said->node_id, meaning, &request->nodes) < 0)
		return err_nomem(err);
	request->row = ROW_BY_CORE;
	request->one_node = said->bind_numa_node;
	request->strategy = said->strategy;
	request->instances = (unsigned)said->ninstances;
	request->cores_per_instance = said->ncores;
	request->smt = said->use_logical_cores;
	request->efficiency_cores = said->use_e_cores;
	if ((said->latency_mode || said->throughput_mode) &&
	    take_mode(said, said->ninstances > 0 || said->ncores > 0 || said->use_logical_cores,
		      "--ninstances, --ncores-per-instance and --use-logical-cores have no effect", meaning,
		      request) < 0)
		return err_nomem(err);
	/* --multi-instance, without a number, was one a node. */
	if (said->multi_instance && !said->ninstances && !said->ncores && !said->latency_mode)
		request->throughput = true;
	if (request->cpus && request->nodes) {
		request->nodes = NULL;
		if (say(meaning, "--cores-list names the CPUs: --nodes-list has no effect") < 0)
			return err_nomem(err);
	}
	return 0;
}

/* The listed CPUs, as many instances as they are for. */
static int take_core_list(const struct ipexrun *said, struct ipexrun_meaning *meaning, struct request *request,
			  struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	unsigned cpus;
	int r = take_list("core-list", said->cores_list, meaning, &request->cpus, err);

	if (r < 0 || !request->cpus)
		return r;
	r = cpulist_parse(request->cpus, &set, err);
	if (r < 0)
		return r;
	cpus = (unsigned)hwloc_bitmap_weight(set);
	/* They are CPUs that the user chose, hyper-threads or not. */
	request->smt = true;
	request->row = ROW_BY_CPU;
	request->nodes = NULL;
	if (request->cores_per_instance > 0 && request->instances &&
	    (uint64_t)request->instances * (unsigned)request->cores_per_instance > cpus) {
		r = say(meaning, "--core-list has %u CPUs, too few for %u instances of %d: as many as fit are started",
			cpus, request->instances, request->cores_per_instance);
		request->instances = 0;
	}
	return r < 0 ? err_nomem(err) : 0;
}

static int place_run_cpu(const struct ipexrun *said, const char *local_world, struct ipexrun_meaning *meaning,
			 struct request *request, struct err *err)
{
	const bool some = said->ninstances > 0 || said->ncores > 0;
	unsigned ranks = 0;
	int r = check_counts(said, -1, err);

	if (r < 0)
		return r;
	if ((said->has_ninstances && !said->ninstances) || (said->has_ncores && !said->ncores))
		return err_set(err, -EINVAL, "option '--%s': 0 is too few",
			       said->has_ninstances && !said->ninstances ? "ninstances" : "ncores-per-instance");
	request->row = said->use_logical_cores ? ROW_BY_CPU : ROW_BY_CORE;
	request->strategy = STRATEGY_CLOSE;
	request->one_node = said->bind_numa_node;
	request->smt = said->use_logical_cores;
	request->instances = said->ninstances > 0 ? (unsigned)said->ninstances : 0;
	request->cores_per_instance = said->ncores > 0 ? said->ncores : CORES_EVEN;
	request->has_instance = said->has_rank && said->rank >= 0;
	if (request->has_instance)
		request->instance = (unsigned)said->rank;
	/* A rank counts its place in cores of this size, whatever number of instances is said. */
	if (request->has_instance && request->instances && request->cores_per_instance > 0 &&
	    request->instance >= request->instances)
		request->instances = request->instance + 1;
	if (said->has_node_id && said->node_id >= 0 && take_number(said->node_id, meaning, &request->nodes) < 0)
		return err_nomem(err);
	if (said->latency_mode || said->throughput_mode) {
		r = take_mode(said, some || request->nodes || said->use_logical_cores,
			      "--ninstances, --ncores-per-instance, --node-id and --use-logical-core have no effect",
			      meaning, request);
		request->nodes = NULL;
		request->row = ROW_BY_CORE;
	} else if (said->multi_instance && !some) {
		request->throughput = true;
	}
	if (r == 0 && said->cores_list)
		return take_core_list(said, meaning, request, err);
	if (r < 0)
		return err_nomem(err);
	/* Under torchrun each rank takes its part of what one instance would have. */
	if (local_world && parse_unsigned(local_world, &ranks) == 0 && ranks > 1 && !some && !request->throughput &&
	    !request->latency && !request->has_instance)
		request->slot = "auto";
	return 0;
}

/* ---- Binding and libraries ---- */

static void take_task_manager(const struct ipexrun *said, struct request *request)
{
	enum ipexrun_task_manager manager = said->task_manager;

	if (said->disable_numactl) /* run_cpu, and ipexrun before 2.0 */
		manager = said->disable_taskset ? IPEXRUN_BY_NONE : IPEXRUN_BY_TASKSET;
	switch (manager) {
	case IPEXRUN_BY_AUTO:
		break;
	case IPEXRUN_BY_NONE: /* nobody binds the process; with ipexrun the OpenMP runtime its threads */
		request->memory = MEMORY_NONE;
		request->pin = said->disable_numactl ? PIN_NONE : PIN_THREADS;
		break;
	case IPEXRUN_BY_NUMACTL:
		request->memory = MEMORY_BIND;
		break;
	case IPEXRUN_BY_TASKSET:
		request->memory = MEMORY_NONE;
		break;
	}
}

static int take_libraries(bool run_cpu, const struct ipexrun *said, struct ipexrun_meaning *meaning,
			  struct request *request, struct err *err)
{
	static const enum allocator allocators[] = {
		[IPEXRUN_MALLOC_AUTO] = ALLOCATOR_AUTO,
		[IPEXRUN_MALLOC_DEFAULT] = ALLOCATOR_GLIBC,
		[IPEXRUN_TCMALLOC] = ALLOCATOR_TCMALLOC,
		[IPEXRUN_JEMALLOC] = ALLOCATOR_JEMALLOC,
	};

	if (said->enable_tcmalloc && said->enable_jemalloc)
		return err_set(err, -EINVAL, "options '--enable-tcmalloc' and '--enable-jemalloc' exclude each other");
	request->allocator = allocators[said->memory_allocator];
	if (said->use_default_allocator)
		request->allocator = ALLOCATOR_GLIBC;
	if (said->enable_jemalloc)
		request->allocator = ALLOCATOR_JEMALLOC;
	if (said->enable_tcmalloc)
		request->allocator = ALLOCATOR_TCMALLOC;
	if (said->benchmark && request->allocator == ALLOCATOR_JEMALLOC)
		request->allocator = ALLOCATOR_JEMALLOC_AGGRESSIVE;
	else if (said->benchmark &&
		 say(meaning, "'--benchmark' changes nothing: it is for '--memory-allocator jemalloc'") < 0)
		return err_nomem(err);
	if (said->omp_runtime == IPEXRUN_OMP_INTEL || (run_cpu && !said->disable_iomp))
		request->openmp = OPENMP_INTEL;
	else if (!run_cpu && (said->omp_runtime == IPEXRUN_OMP_DEFAULT || said->disable_iomp))
		request->schedule = SCHEDULE_STATIC;
	return 0;
}

/* The names tell one start from another, as the originals' do. */
static int take_logs(const struct ipexrun *said, const char *time, struct supervision *supervision,
		     struct ipexrun_meaning *meaning)
{
	char *prefix = NULL;

	if (!said->log_dir || !*said->log_dir)
		return 0;
	if (asprintf(&prefix, "%s_%s_instance", said->log_file_prefix ? said->log_file_prefix : "run", time) < 0)
		prefix = NULL;
	supervision->log_dir = said->log_dir;
	supervision->log_prefix = prefix;
	return words_take(&meaning->lists, prefix);
}

int ipexrun_translate(bool run_cpu, const struct option_found *found, const char *local_world, const char *time,
		      struct options *options, struct ipexrun_meaning *meaning, struct err *err)
{
	const struct ipexrun *said = &options->ipexrun;
	struct request *request = &options->request;
	int r;

	if (remark_on(run_cpu, found, meaning) < 0 || take_logs(said, time, &options->supervision, meaning) < 0)
		return err_nomem(err);
	request->best_effort = true;
	r = run_cpu ? place_run_cpu(said, local_world, meaning, request, err)
		    : place_ipexrun(said, meaning, request, err);
	if (r < 0)
		return r;
	take_task_manager(said, request);
	return take_libraries(run_cpu, said, meaning, request, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* --slot: whose word counts, which share that is, and when the manager has bound the rank already. */
#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "machine/cpuset.h"
#include "machine/machine.h"
#include "machine/narrow.h"
#include "plan/plan.h"
#include "plan/rank.h"
#include "root_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

enum { VARIABLES = 8 };

struct row {
	const char *environment[VARIABLES];
	const char *slot, *allowed, *cpuset; /* on eight CPUs; NULL: auto, all, all */
	const char *due;                     /* "I/N", "own", or what the refusal says */
};

static hwloc_bitmap_t set_of(const char *list)
{
	hwloc_bitmap_t set = NULL;
	struct err err = { 0 };

	assert_int_equal(cpulist_parse(list, &set, &err), 0);
	return set;
}

/* "1/2", "own", or the refusal. The caller frees it. */
static char *taken(const struct row *row)
{
	const struct machine_narrow narrow = { .allowed_pus = row->allowed };
	struct workload workload = { .request.slot = row->slot ? row->slot : "auto", .environment = row->environment };
	cleanup_machine struct machine *machine = NULL;
	cleanup_bitmap hwloc_bitmap_t cpuset = set_of(row->cpuset ? row->cpuset : "0-7");
	struct err err = { 0 };
	char *text = NULL;

	assert_int_equal(machine_read("synthetic:8", &machine, &err), 0);
	assert_int_equal(machine_narrow(machine, &narrow, &err), 0);
	if (rank_take(machine, cpuset, &workload, &err) < 0) {
		assert_int_equal(err.code, -EINVAL);
		return strdup(err.text);
	}
	if (workload.rank.own)
		return strdup(workload.rank.again ? "again" : "own");
	assert_int_equal(workload.request.instances, workload.rank.shares > 1 ? workload.rank.shares : 0);
	assert_int_equal(workload.request.instance, workload.rank.shares > 1 ? workload.rank.share : 0);
	assert_true(asprintf(&text, "%u/%u", workload.rank.share, workload.rank.shares) > 0);
	return text;
}

static void expect(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_free char *got = taken(&rows[i]);

		if (strncmp(got, rows[i].due, strlen(rows[i].due)) != 0 && !strstr(got, rows[i].due)) {
			print_error("# row %zu: got  %s\n#       due  %s\n", i, got, rows[i].due);
			fail();
		}
	}
}

static void each_manager_is_understood(void **state)
{
	static const struct row rows[] = {
		{ { "OMPI_COMM_WORLD_LOCAL_RANK=1", "OMPI_COMM_WORLD_LOCAL_SIZE=4" }, .due = "1/4" },
		{ { "LOCAL_RANK=0", "LOCAL_WORLD_SIZE=2", "RANK=6" }, .due = "0/2" },
		{ { "MPI_LOCALRANKID=3", "MPI_LOCALNRANKS=4" }, .due = "3/4" },
		{ { "MV2_COMM_WORLD_LOCAL_RANK=1", "MV2_COMM_WORLD_LOCAL_SIZE=2" }, .due = "1/2" },
		{ { "PALS_LOCAL_RANKID=1", "PALS_LOCAL_SIZE=2" }, .due = "1/2" },
		{ { "PMI_LOCAL_RANK=1", "PMI_LOCAL_SIZE=2" }, .due = "1/2" },
		{ { "SLURM_LOCALID=1", "SLURM_STEP_TASKS_PER_NODE=2" }, .due = "1/2" },
		{ { "SLURM_LOCALID=1", "SLURM_NTASKS_PER_NODE=3" }, .due = "1/3" },
		{ { "LOCAL_RANK=0", "LOCAL_WORLD_SIZE=1" }, .due = "0/1" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void slurm_counts_tasks_by_node(void **state)
{
	static const struct row rows[] = {
		{ { "SLURM_LOCALID=2", "SLURM_NODEID=0", "SLURM_TASKS_PER_NODE=4(x2),3" }, .due = "2/4" },
		{ { "SLURM_LOCALID=2", "SLURM_NODEID=1", "SLURM_TASKS_PER_NODE=4(x2),3" }, .due = "2/4" },
		{ { "SLURM_LOCALID=2", "SLURM_NODEID=2", "SLURM_TASKS_PER_NODE=4(x2),3" }, .due = "2/3" },
		{ { "SLURM_LOCALID=3", "SLURM_NODEID=2", "SLURM_TASKS_PER_NODE=4(x2),3" }, .due = "there are 3 ranks" },
		{ { "SLURM_LOCALID=0", "SLURM_NODEID=3", "SLURM_TASKS_PER_NODE=4(x2),3" }, .due = "is not a list" },
		{ { "SLURM_LOCALID=0", "SLURM_TASKS_PER_NODE=4(y2)" }, .due = "is not a list" },
		{ { "SLURM_LOCALID=0", "SLURM_TASKS_PER_NODE=4(x2" }, .due = "is not a list" },
		{ { "SLURM_LOCALID=0", "SLURM_TASKS_PER_NODE=4x2" }, .due = "is not a list" },
		{ { "SLURM_LOCALID=0", "SLURM_TASKS_PER_NODE=" }, .due = "is not a list" },
		{ { "SLURM_LOCALID=0", "SLURM_TASKS_PER_NODE=2(x99999999999)" }, .due = "is not a list" },
		{ { "SLURM_LOCALID=0", "SLURM_NODEID=x", "SLURM_TASKS_PER_NODE=2" }, .due = "SLURM_NODEID" },
		/* The step's count, where there is one. */
		{ { "SLURM_LOCALID=0", "SLURM_STEP_TASKS_PER_NODE=2", "SLURM_TASKS_PER_NODE=8" }, .due = "0/2" },
		/* A batch script is one process; srun's tasks inherit its variables. */
		{ { "ENVIRONMENT=BATCH", "SLURM_LOCALID=0", "SLURM_TASKS_PER_NODE=2" }, .due = "0/1" },
		{ { "ENVIRONMENT=BATCH", "SLURM_LOCALID=0", "SLURM_TASKS_PER_NODE=2", "SLURM_STEP_ID=0",
		    "SLURM_STEP_TASKS_PER_NODE=2" },
		  .due = "0/2" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void the_nearest_word_counts_and_a_contradiction_is_refused(void **state)
{
	static const struct row rows[] = {
		/* mpirun in a batch script; mpirun's daemon started by srun; torchrun under either */
		{ { "SLURM_LOCALID=0", "SLURM_TASKS_PER_NODE=4", "OMPI_COMM_WORLD_LOCAL_RANK=3",
		    "OMPI_COMM_WORLD_LOCAL_SIZE=4" },
		  .due = "3/4" },
		{ { "SLURM_LOCALID=0", "SLURM_STEP_TASKS_PER_NODE=1", "OMPI_COMM_WORLD_LOCAL_RANK=1",
		    "OMPI_COMM_WORLD_LOCAL_SIZE=2" },
		  .due = "1/2" },
		{ { "OMPI_COMM_WORLD_LOCAL_RANK=0", "OMPI_COMM_WORLD_LOCAL_SIZE=1", "LOCAL_RANK=1",
		    "LOCAL_WORLD_SIZE=2" },
		  .due = "1/2" },
		{ { "OMPI_COMM_WORLD_LOCAL_RANK=1", "OMPI_COMM_WORLD_LOCAL_SIZE=2", "LOCAL_RANK=1",
		    "LOCAL_WORLD_SIZE=2" },
		  .due = "1/2" },
		{ { "OMPI_COMM_WORLD_LOCAL_RANK=1", "OMPI_COMM_WORLD_LOCAL_SIZE=2", "LOCAL_RANK=0",
		    "LOCAL_WORLD_SIZE=2" },
		  .due = "Open MPI says 1 of 2 (OMPI_COMM_WORLD_LOCAL_RANK), torchrun says 0 of 2 (LOCAL_RANK)" },
		{ { "SLURM_LOCALID=1", "SLURM_STEP_TASKS_PER_NODE=2", "LOCAL_RANK=1", "LOCAL_WORLD_SIZE=4" },
		  .due = "Slurm says 1 of 2" },
		{ { "LOCAL_RANK=0" }, .due = "LOCAL_RANK is set, and LOCAL_WORLD_SIZE is not" },
		{ { "LOCAL_RANK=0", "PMI_LOCAL_RANK=1", "PMI_LOCAL_SIZE=2" }, .due = "1/2" },
		{ { "LOCAL_RANK=-1", "LOCAL_WORLD_SIZE=2" }, .due = "LOCAL_RANK='-1' is not a number" },
		{ { "LOCAL_RANK=2", "LOCAL_WORLD_SIZE=2" }, .due = "LOCAL_RANK=2, and there are 2 ranks" },
		{ { "LOCAL_WORLD_SIZE=2" }, .due = "no manager of ranks" },
		{ { NULL }, .due = "no manager of ranks" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

#define OPEN_MPI "OMPI_COMM_WORLD_LOCAL_RANK=1", "OMPI_COMM_WORLD_LOCAL_SIZE=2", "OMPI_MCA_orte_launch=1"
#define BOUND    "OMPI_MCA_orte_bound_at_launch=1"
#define SLURM    "SLURM_LOCALID=1", "SLURM_STEP_TASKS_PER_NODE=2"
#define HYDRA    "MPI_LOCALRANKID=1", "MPI_LOCALNRANKS=2"
#define MASKS    "SLURM_CPU_BIND_TYPE=mask_cpu:"
#define NUMBERS  "SLURM_CPU_BIND_TYPE=map_cpu:"

static void what_the_manager_bound_is_left_alone(void **state)
{
	static const struct row rows[] = {
		{ { OPEN_MPI, BOUND }, .allowed = "4-7", .due = "own" },
		{ { OPEN_MPI, BOUND }, .allowed = "3", .due = "own" },
		{ { SLURM, MASKS }, .allowed = "4-7", .due = "own" },
		/* bound to all there is: all ranks are */
		{ { OPEN_MPI, BOUND }, .due = "1/2" },
		{ { OPEN_MPI, BOUND }, .allowed = "0-3", .cpuset = "0-3", .due = "1/2" },
		/* not bound: a small mask is that of all ranks (taskset around the manager) */
		{ { OPEN_MPI }, .allowed = "4-7", .due = "1/2" },
		{ { SLURM }, .allowed = "4-7", .due = "1/2" },
		{ { SLURM, "SLURM_CPU_BIND_TYPE=none" }, .allowed = "4-7", .due = "1/2" },
		{ { "LOCAL_RANK=1", "LOCAL_WORLD_SIZE=2" }, .allowed = "4-7", .due = "1/2" },
		/* too many to be one rank's */
		{ { OPEN_MPI, BOUND }, .allowed = "0-4", .due = "too many to be its own" },
		/* nobody says */
		{ { HYDRA }, .due = "1/2" },
		{ { HYDRA }, .allowed = "4-7", .due = "does not tell whether CPUs 4-7" },
		{ { HYDRA, "HYDRA_USER_PROVIDED_BINDING=1" }, .allowed = "4-7", .due = "own" },
		{ { HYDRA, "HYDRA_USER_PROVIDED_BINDING=1" }, .allowed = "0-4", .due = "too many to be its own" },
		{ { "OMPI_COMM_WORLD_LOCAL_RANK=1", "OMPI_COMM_WORLD_LOCAL_SIZE=2" },
		  .allowed = "4-7",
		  .due = "does not tell" },
		{ { "MPI_LOCALRANKID=0", "MPI_LOCALNRANKS=1" }, .allowed = "4-7", .due = "0/1" },
		/* an outer fettle has taken the share; of another manager's ranks, or by number, it has not */
		{ { OPEN_MPI, "FETTLE_PLAN=1;slot=OMPI_COMM_WORLD_LOCAL_RANK:1/2;set=" },
		  .allowed = "4-7",
		  .due = "again" },
		{ { OPEN_MPI, "FETTLE_PLAN=1;slot=SLURM_LOCALID:1/2;set=" }, .allowed = "4-7", .due = "1/2" },
		{ { OPEN_MPI, "FETTLE_PLAN=1;i=1/2;set=" }, .allowed = "4-7", .due = "1/2" },
		{ { HYDRA, "FETTLE_PLAN=1;slot=MPI_LOCALRANKID:1/2;set=" }, .allowed = "4-7", .due = "again" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void slurms_list_tells_who_shares_cpus(void **state)
{
	static const struct row rows[] = {
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0x0f,0xf0" }, .allowed = "4-7", .due = "own" },
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=F,F0" }, .allowed = "4-7", .due = "own" },
		{ { SLURM, NUMBERS, "SLURM_CPU_BIND_LIST=0,3" }, .allowed = "3", .due = "own" },
		/* all ranks, though the mask is small enough for each to have one; fewer masks than ranks */
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0xf0,0xf0" }, .allowed = "4-7", .due = "1/2" },
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0xf0" }, .allowed = "4-7", .due = "1/2" },
		{ { SLURM, NUMBERS, "SLURM_CPU_BIND_LIST=3" }, .allowed = "3", .due = "1/2" },
		/* ranks dealt over two sockets in turn, and one after the other */
		{ { "SLURM_LOCALID=2", "SLURM_STEP_TASKS_PER_NODE=5", MASKS, "SLURM_CPU_BIND_LIST=0x0f,0xf0" },
		  .allowed = "0-3",
		  .due = "1/3" },
		{ { "SLURM_LOCALID=3", "SLURM_STEP_TASKS_PER_NODE=5", MASKS, "SLURM_CPU_BIND_LIST=0x0f,0xf0" },
		  .allowed = "4-7",
		  .due = "1/2" },
		{ { "SLURM_LOCALID=2", "SLURM_STEP_TASKS_PER_NODE=4", MASKS,
		    "SLURM_CPU_BIND_LIST=0x0f,0x0f,0xf0,0xf0" },
		  .allowed = "4-7",
		  .due = "0/2" },
		/* what is taken away from the mask later is no rank's */
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0x0f,0xf0" }, .allowed = "5", .due = "own" },
		/* some have a part of it only; an entry of no rank counts for nothing */
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0xff,0xf0" },
		  .allowed = "4-7",
		  .due = "too many to be its own" },
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0x0f,0xf0,0xff" }, .allowed = "4-7", .due = "own" },
		/* a list of other CPUs, or of a form that is not read: as without one */
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0x3,0x3" }, .allowed = "4-7", .due = "own" },
		{ { SLURM, NUMBERS, "SLURM_CPU_BIND_LIST=3*2" }, .allowed = "4-7", .due = "own" },
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0x" }, .allowed = "4-7", .due = "own" },
		{ { SLURM, "SLURM_CPU_BIND_TYPE=rank", "SLURM_CPU_BIND_LIST=" }, .allowed = "1", .due = "own" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void open_mpis_ranks_have_their_own_where_they_are_dealt_over_what_they_are_bound_to(void **state)
{
	static const struct {
		const char *mapping, *binding; /* as --map-by and --bind-to had them; "": not given */
		const char *due;
	} rows[] = {
		{ "", "", "own" },
		{ "", "core", "own" },
		{ "socket", "core:overload-allowed", "own" },
		{ "socket", "socket", "own" },
		{ "socket:PE=4", "", "own" },
		{ "ppr:1:socket", "socket", "own" },
		{ "", "socket", "does not tell" },
		{ "core", "socket", "does not tell" },
		{ "ppr:2:socket", "", "does not tell" },
		{ "slot", "numa", "does not tell" },
		{ "node", "", "does not tell" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct row row = { .environment = { OPEN_MPI, BOUND }, .allowed = "4-7", .due = rows[i].due };
		cleanup_free char *mapping = NULL, *binding = NULL;
		size_t count = 4;

		assert_true(asprintf(&mapping, "OMPI_MCA_rmaps_base_mapping_policy=%s", rows[i].mapping) > 0);
		assert_true(asprintf(&binding, "OMPI_MCA_hwloc_base_binding_policy=%s", rows[i].binding) > 0);
		if (*rows[i].mapping)
			row.environment[count++] = mapping;
		if (*rows[i].binding)
			row.environment[count++] = binding;
		expect(&row, 1);
		/* All there is, is all ranks'. */
		row.allowed = NULL;
		row.due = "1/2";
		expect(&row, 1);
	}
}

static void a_share_can_be_said(void **state)
{
	static const struct row rows[] = {
		{ { OPEN_MPI, BOUND }, .slot = "0/3", .allowed = "4-7", .due = "0/3" },
		{ { NULL }, .slot = "3/4", .due = "3/4" },
		{ { NULL }, .slot = "4/4", .due = "counted from 0" },
		{ { NULL }, .slot = "0/0", .due = "no shares" },
		{ { NULL }, .slot = "1", .due = "give auto, or I/N" },
		{ { NULL }, .slot = "-1/2", .due = "give auto, or I/N" },
		{ { NULL }, .slot = "1/2/3", .due = "give auto, or I/N" },
		{ { NULL }, .slot = "/2", .due = "give auto, or I/N" },
		{ { NULL }, .slot = "Auto", .due = "give auto, or I/N" },
	};

	(void)state;
	expect(rows, ARRAY_SIZE(rows));
}

static void it_is_both_instances_and_instance(void **state)
{
	struct workload workload = { .request = { .slot = "0/2", .instances = 2 } };
	cleanup_machine struct machine *machine = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(machine_read("synthetic:8", &machine, &err), 0);
	assert_int_equal(rank_take(machine, NULL, &workload, &err), -EINVAL);
	assert_non_null(strstr(err.text, "--instances"));
	workload.request.instances = 0;
	workload.request.has_instance = true;
	assert_int_equal(rank_take(machine, NULL, &workload, &err), -EINVAL);
	assert_non_null(strstr(err.text, "--instance "));
}

static const char *warning_of(const struct plan *plan, const char *id)
{
	for (size_t i = 0; i < plan->warnings.count; i++) {
		if (strcmp(plan->warnings.items[i].id, id) == 0)
			return plan->warnings.items[i].text;
	}
	return NULL;
}

/* Threads of a rank's plan with torchrun's variables and `threads` in the environment, of eight CPUs. */
static unsigned threads_under_torchrun(const char *size, const char *threads, unsigned asked, bool *ret_warned)
{
	const char *const environment[] = { "LOCAL_RANK=0", size, threads, NULL };
	struct workload workload = { .request = { .slot = "auto", .threads = asked }, .environment = environment };
	cleanup_machine struct machine *machine = NULL;
	cleanup_plan struct plan *plan = NULL;
	const char *warning;
	struct err err = { 0 };

	assert_int_equal(machine_read("synthetic:8", &machine, &err), 0);
	assert_int_equal(rank_take(machine, NULL, &workload, &err), 0);
	assert_int_equal(plan_make(machine, &workload, &plan, &err), 0);
	warning = warning_of(plan, "slot-threads");
	*ret_warned = warning != NULL;
	if (warning)
		assert_non_null(strstr(warning, "OMP_NUM_THREADS=1 is taken for torchrun's own default"));
	return plan->instances[0].threads;
}

static void torchruns_one_thread_is_not_the_users_word_and_that_is_said(void **state)
{
	static const struct {
		const char *size, *threads;
		unsigned asked, due;
		bool warned;
	} rows[] = {
		{ "LOCAL_WORLD_SIZE=2", "OMP_NUM_THREADS=1", 0, 4, true },
		{ "LOCAL_WORLD_SIZE=2", "OMP_NUM_THREADS=2", 0, 2, false },
		{ "LOCAL_WORLD_SIZE=2", "OMP_NUM_THREADS=1", 3, 3, false },
		/* as many are planned */
		{ "LOCAL_WORLD_SIZE=8", "OMP_NUM_THREADS=1", 0, 1, false },
		/* it sets none for a single rank */
		{ "LOCAL_WORLD_SIZE=1", "OMP_NUM_THREADS=1", 0, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool warned;

		assert_int_equal(threads_under_torchrun(rows[i].size, rows[i].threads, rows[i].asked, &warned),
				 rows[i].due);
		assert_int_equal(warned, rows[i].warned);
	}
}

#define TORCHRUN "LOCAL_RANK=1", "LOCAL_WORLD_SIZE=2"

static void ranks_on_the_same_cpus_that_do_not_ask_are_warned(void **state)
{
	static const struct {
		const char *environment[VARIABLES];
		const char *allowed, *cpus;
		bool warned;
	} rows[] = {
		{ { TORCHRUN }, .warned = true },
		{ { TORCHRUN }, .allowed = "4-7", .warned = true },
		{ { OPEN_MPI }, .allowed = "4-7", .warned = true },
		{ { OPEN_MPI, BOUND }, .warned = true },
		{ { HYDRA }, .warned = true },
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0xf0,0xf0" }, .allowed = "4-7", .warned = true },
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0xff,0xf0" }, .allowed = "4-7", .warned = true },
		/* bound to their own, as far as can be told */
		{ { OPEN_MPI, BOUND }, .allowed = "4-7" },
		{ { HYDRA }, .allowed = "4-7" },
		{ { SLURM, MASKS, "SLURM_CPU_BIND_LIST=0x0f,0xf0" }, .allowed = "4-7" },
		/* no ranks, or one; whose words are not understood; who took their share outside, or name theirs */
		{ { NULL } },
		{ { "LOCAL_RANK=0", "LOCAL_WORLD_SIZE=1" } },
		{ { "SLURM_LOCALID=0", "SLURM_TASKS_PER_NODE=2" } },
		{ { "LOCAL_RANK=x", "LOCAL_WORLD_SIZE=2" } },
		{ { TORCHRUN, "FETTLE_PLAN=1;slot=LOCAL_RANK:1/2;set=" } },
		{ { TORCHRUN }, .cpus = "4-7" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct machine_narrow narrow = { .allowed_pus = rows[i].allowed };
		struct workload workload = { .request.cpus = rows[i].cpus, .environment = rows[i].environment };
		cleanup_machine struct machine *machine = NULL;
		cleanup_plan struct plan *plan = NULL;
		struct err err = { 0 };

		assert_int_equal(machine_read("synthetic:8", &machine, &err), 0);
		assert_int_equal(machine_narrow(machine, &narrow, &err), 0);
		rank_watch(machine, &workload);
		assert_int_equal(plan_make(machine, &workload, &plan, &err), 0);
		if ((warning_of(plan, "slot-unasked") != NULL) != rows[i].warned) {
			print_error("# row %zu: %s\n", i, rows[i].warned ? "not warned" : "warned");
			fail();
		}
		assert_int_equal(plan->instance_count, 1);
	}
}

/* The cpuset that prepared files tell of, as text. */
static char *cpuset_of(const char *mounts, const char *cgroup, const char *file, const char *content)
{
	cleanup_machine struct machine *machine = NULL;
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	char *dir = root_make();
	struct err err = { 0 };

	assert_int_equal(machine_read("synthetic:8", &machine, &err), 0);
	root_put(dir, "proc/self/mountinfo", mounts);
	root_put(dir, "proc/self/cgroup", cgroup);
	root_put(dir, "sys/fs/cgroup/a/b/cgroup.procs", "");
	root_put(dir, "cg/j/tasks", "");
	if (file)
		root_put(dir, file, content);
	assert_int_equal(sysroot_open(&root, dir, &err), 0);
	assert_int_equal(cpuset_read(&root, machine, 1, &set, &err), 0);
	root_remove(dir);
	return set ? cpulist_text(set) : strdup("unknown");
}

static void the_cpuset_is_that_of_our_cgroup(void **state)
{
	static const char v2[] = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			  v1[] = "34 31 0:31 / /cg rw - cgroup cgroup rw,cpuset\n";
	static const struct {
		const char *mounts, *cgroup, *file, *content, *due;
	} rows[] = {
		{ v2, "0::/a/b\n", "sys/fs/cgroup/a/b/cpuset.cpus.effective", "2-5\n", "2-5" },
		/* the controller is on above us only */
		{ v2, "0::/a/b\n", "sys/fs/cgroup/a/cpuset.cpus.effective", "2-5,99\n", "2-5" },
		{ v1, "7:cpuset:/j\n", "cg/j/cpuset.cpus", "0-1\n", "0-1" },
		{ v1, "7:cpuset:/j\n", "cg/cpuset.effective_cpus", "0-7\n", "0-7" },
		{ v1, "7:cpuset:/j\n", "cg/j/cpuset.cpus", "x\n", "unknown" },
		{ "1 1 0:1 / / rw - ext4 x rw\n", "7:cpu:/j\n", NULL, NULL, "0-7" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *got = cpuset_of(rows[i].mounts, rows[i].cgroup, rows[i].file, rows[i].content);

		assert_string_equal(got, rows[i].due);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_manager_is_understood),
		cmocka_unit_test(slurm_counts_tasks_by_node),
		cmocka_unit_test(the_nearest_word_counts_and_a_contradiction_is_refused),
		cmocka_unit_test(what_the_manager_bound_is_left_alone),
		cmocka_unit_test(slurms_list_tells_who_shares_cpus),
		cmocka_unit_test(open_mpis_ranks_have_their_own_where_they_are_dealt_over_what_they_are_bound_to),
		cmocka_unit_test(a_share_can_be_said),
		cmocka_unit_test(it_is_both_instances_and_instance),
		cmocka_unit_test(torchruns_one_thread_is_not_the_users_word_and_that_is_said),
		cmocka_unit_test(ranks_on_the_same_cpus_that_do_not_ask_are_warned),
		cmocka_unit_test(the_cpuset_is_that_of_our_cgroup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/managers.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "plan/workload.h"

#include <errno.h>
#include <string.h>

struct manager {
	const char *name;
	const char *rank;
	const char *count; /* NULL: a list by node, slurm_counts */
	enum manager_bound (*bound)(const struct workload *workload);
	const char *threads_default;
};

/* Open MPI 4 says when it bound a rank, and says nothing else when it did not; 5 says neither. */
static enum manager_bound openmpi_bound(const struct workload *workload)
{
	if (workload_getenv(workload, "OMPI_MCA_orte_bound_at_launch"))
		return BOUND_YES;
	return workload_getenv(workload, "OMPI_MCA_orte_launch") ? BOUND_NO : BOUND_UNTOLD;
}

/* "mask_cpu:", "map_cpu:", "rank" ...; "none" or unset where srun left the tasks alone (srun(1), --cpu-bind). */
static enum manager_bound slurm_bound(const struct workload *workload)
{
	const char *type = workload_getenv(workload, "SLURM_CPU_BIND_TYPE");

	return type && *type && strcmp(type, "none") != 0 ? BOUND_YES : BOUND_NO;
}

static enum manager_bound never_bound(const struct workload *workload)
{
	(void)workload;
	return BOUND_NO;
}

static enum manager_bound untold(const struct workload *workload)
{
	(void)workload;
	return BOUND_UNTOLD;
}

/*
 * mpirun(1) of Open MPI; srun(1); torchrun's documentation, Environment Variables; Intel MPI and MPICH's Hydra;
 * MVAPICH2 user guide; PALS and Cray PMI (intro_pals(5), intro_pmi(3)).
 */
static const struct manager managers[] = {
	{ "Open MPI", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", openmpi_bound, NULL },
	{ "Slurm", "SLURM_LOCALID", NULL, slurm_bound, NULL },
	{ "torchrun", "LOCAL_RANK", "LOCAL_WORLD_SIZE", never_bound, "1" },
	{ "MPICH", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", untold, NULL },
	{ "MVAPICH", "MV2_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_SIZE", untold, NULL },
	{ "PALS", "PALS_LOCAL_RANKID", "PALS_LOCAL_SIZE", untold, NULL },
	{ "PMI", "PMI_LOCAL_RANK", "PMI_LOCAL_SIZE", untold, NULL },
};

/* The step's own count first: the job's are in the batch script's environment too, which is one process. */
static const struct {
	const char *name;
	bool weak;
} slurm_counts[] = {
	{ "SLURM_STEP_TASKS_PER_NODE", false },
	{ "SLURM_TASKS_PER_NODE", true },
	{ "SLURM_NTASKS_PER_NODE", true },
};

/* One number that ends at one of `ends`; moves past it. 0, or -EINVAL. */
static int take_number(const char **text, const char *ends, unsigned *ret_number)
{
	char digits[12];
	const size_t length = strspn(*text, "0123456789");

	if (length == 0 || length >= sizeof(digits) || ((*text)[length] && !strchr(ends, (*text)[length])))
		return -EINVAL;
	memcpy(digits, *text, length);
	digits[length] = '\0';
	*text += length;
	return parse_unsigned(digits, ret_number);
}

/* Tasks of node `node` in "4(x2),3", which is 4, 4 and 3. 0, or -EINVAL. */
static int tasks_of_node(const char *list, unsigned node, unsigned *ret_tasks)
{
	for (;;) {
		unsigned tasks, times = 1;

		if (take_number(&list, "(,", &tasks) < 0)
			return -EINVAL;
		if (*list == '(') {
			list++;
			if (*list++ != 'x' || take_number(&list, ")", &times) < 0 || *list++ != ')')
				return -EINVAL;
		}
		if (node < times) {
			*ret_tasks = tasks;
			return *list && *list != ',' ? -EINVAL : 0;
		}
		node -= times;
		if (*list++ != ',')
			return -EINVAL;
	}
}

static int misread(const char *name, const char *value, const char *wanted, struct err *err)
{
	return err_set(err, -EINVAL, "--slot auto: %s='%s' is not %s", name, value, wanted);
}

static int slurm_count(const struct workload *workload, struct manager_claim *claim, const char **ret_name,
		       struct err *err)
{
	const char *node_text = workload_getenv(workload, "SLURM_NODEID");
	unsigned node = 0;

	if (node_text && parse_unsigned(node_text, &node) < 0)
		return misread("SLURM_NODEID", node_text, "a number", err);
	for (size_t i = 0; i < ARRAY_SIZE(slurm_counts); i++) {
		const char *value = workload_getenv(workload, slurm_counts[i].name);

		if (!value)
			continue;
		*ret_name = slurm_counts[i].name;
		claim->weak = slurm_counts[i].weak;
		/* The last one is a single number, of every node. */
		if (tasks_of_node(value, strchr(value, '(') || strchr(value, ',') ? node : 0, &claim->count) < 0)
			return misread(*ret_name, value, "a list of tasks for each node that has this one", err);
		return 0;
	}
	return 0;
}

/* A manager's claim; count 0: it makes none, or only half of one (then `*ret_half` says which variable it lacks). */
static int read_claim(const struct workload *workload, const struct manager *manager, struct manager_claim *claim,
		      const char **ret_half, struct err *err)
{
	const char *rank = workload_getenv(workload, manager->rank), *name = manager->count, *count;
	int r;

	*claim = (struct manager_claim){ .manager = manager->name,
					 .variable = manager->rank,
					 .threads_default = manager->threads_default };
	if (!rank)
		return 0;
	if (parse_unsigned(rank, &claim->index) < 0)
		return misread(manager->rank, rank, "a number", err);
	if (name) {
		count = workload_getenv(workload, name);
		if (count && parse_unsigned(count, &claim->count) < 0)
			return misread(name, count, "a number", err);
	} else {
		name = slurm_counts[0].name;
		r = slurm_count(workload, claim, &name, err);
		if (r < 0)
			return r;
	}
	claim->bound = manager->bound(workload);
	if (!claim->count) {
		*ret_half = name;
		return 0;
	}
	if (claim->index >= claim->count)
		return err_set(err, -EINVAL, "--slot auto: %s=%u, and there are %u ranks (%s)", manager->rank,
			       claim->index, claim->count, name);
	return 0;
}

/* Does `other` say more than `claim`? One rank is nothing to share; a step's word is nearer than a job's. */
static bool outranks(const struct manager_claim *other, const struct manager_claim *claim)
{
	if ((other->count > 1) != (claim->count > 1))
		return other->count > 1;
	return claim->weak && !other->weak;
}

static int disagree(const struct manager_claim *a, const struct manager_claim *b, struct err *err)
{
	(void)err_set(err, -EINVAL, "--slot auto: %s says %u of %u (%s), %s says %u of %u (%s)", a->manager, a->index,
		      a->count, a->variable, b->manager, b->index, b->count, b->variable);
	return err_hint(err, "possible: --slot I/N with the numbers that count");
}

static int no_claim(const char *rank, const char *lacking, struct err *err)
{
	if (rank)
		(void)err_set(err, -EINVAL, "--slot auto: %s is set, and %s is not", rank, lacking);
	else
		(void)err_set(err, -EINVAL,
			      "--slot auto: no manager of ranks is known by its variables (Slurm, Open MPI, torchrun, "
			      "MPICH, MVAPICH, PALS, PMI)");
	return err_hint(err, "possible: --slot I/N");
}

int managers_ask(const struct workload *workload, struct manager_claim *ret_claim, struct err *err)
{
	const char *lacking = NULL, *half = NULL;
	struct manager_claim best = { .count = 0 };

	for (size_t i = 0; i < ARRAY_SIZE(managers); i++) {
		struct manager_claim claim;
		int r = read_claim(workload, &managers[i], &claim, &lacking, err);

		if (r < 0)
			return r;
		if (!claim.count) {
			half = lacking && !half ? managers[i].rank : half;
			continue;
		}
		if (!best.count || outranks(&claim, &best)) {
			best = claim;
			continue;
		}
		if (outranks(&best, &claim))
			continue;
		if (best.index != claim.index || best.count != claim.count)
			return disagree(&best, &claim, err);
		if (claim.bound == BOUND_YES)
			best.bound = BOUND_YES;
	}
	if (!best.count)
		return no_claim(half, lacking, err);
	*ret_claim = best;
	return 0;
}

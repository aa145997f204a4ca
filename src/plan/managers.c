/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/managers.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "plan/slurm.h"
#include "plan/workload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct manager {
	const char *name;
	const char *rank;
	const char *count; /* NULL: slurm_count() */
	enum manager_bound (*bound)(const struct workload *workload);
	const char *threads_default;
	int (*sharers)(const struct workload *workload, const struct manager_claim *claim, hwloc_const_bitmap_t mask_os,
		       struct manager_sharers *ret_sharers); /* NULL: it does not tell */
};

/* Is `word` the first part of `text`, which ends at ':'? */
static bool begins(const char *text, const char *word)
{
	const size_t length = strcspn(text, ":");

	return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

/*
 * Are ranks dealt over the objects that they are bound to? "--bind-to socket" alone deals two ranks over the cores of
 * the first socket, and both get all of it (seen with 4.1). Neither said: they are.
 */
static bool openmpi_deals(const char *mapping, const char *binding)
{
	static const char *const no_objects[] = { "ppr", "slot", "node", "seq", "dist" };
	static const char one_each[] = "ppr:1:";
	char object[16];

	if (binding && (begins(binding, "core") || begins(binding, "hwthread")))
		return true;
	if (!mapping)
		return !binding;
	if (strncasecmp(mapping, one_each, sizeof(one_each) - 1) == 0)
		mapping += sizeof(one_each) - 1;
	for (size_t i = 0; i < ARRAY_SIZE(no_objects); i++) {
		if (begins(mapping, no_objects[i]))
			return false;
	}
	(void)snprintf(object, sizeof(object), "%.*s", (int)strcspn(mapping, ":"), mapping);
	return !binding || begins(binding, object);
}

/* Open MPI 4 says when it bound a rank, and says nothing else when it did not; 5 says neither. */
static enum manager_bound openmpi_bound(const struct workload *workload)
{
	if (!workload_getenv(workload, "OMPI_MCA_orte_bound_at_launch"))
		return workload_getenv(workload, "OMPI_MCA_orte_launch") ? BOUND_NO : BOUND_UNTOLD;
	return openmpi_deals(workload_getenv(workload, "OMPI_MCA_rmaps_base_mapping_policy"),
			     workload_getenv(workload, "OMPI_MCA_hwloc_base_binding_policy"))
		       ? BOUND_YES
		       : BOUND_UNTOLD;
}

/* Hydra says when it bound ranks because -bind-to asked for it (seen with 4.0); Intel MPI's says nothing. */
static enum manager_bound hydra_bound(const struct workload *workload)
{
	return workload_getenv(workload, "HYDRA_USER_PROVIDED_BINDING") ? BOUND_YES : BOUND_UNTOLD;
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
	{ "Open MPI", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE", openmpi_bound, NULL, NULL },
	{ "Slurm", "SLURM_LOCALID", NULL, slurm_bound, NULL, slurm_sharers },
	{ "torchrun", "LOCAL_RANK", "LOCAL_WORLD_SIZE", never_bound, "1", NULL },
	{ "MPICH", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", hydra_bound, NULL, NULL },
	{ "MVAPICH", "MV2_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_SIZE", untold, NULL, NULL },
	{ "PALS", "PALS_LOCAL_RANKID", "PALS_LOCAL_SIZE", untold, NULL, NULL },
	{ "PMI", "PMI_LOCAL_RANK", "PMI_LOCAL_SIZE", untold, NULL, NULL },
};

int managers_misread(const char *name, const char *value, const char *wanted, struct err *err)
{
	return err_set(err, -EINVAL, "--slot auto: %s='%s' is not %s", name, value, wanted);
}

/* A manager's claim; count 0: it makes none, or only half of one (then `*ret_half` says which variable it lacks). */
static int read_claim(const struct workload *workload, const struct manager *manager, struct manager_claim *claim,
		      const char **ret_half, struct err *err)
{
	const char *rank = workload_getenv(workload, manager->rank), *name = manager->count, *count;
	int r;

	*claim = (struct manager_claim){ .of = manager,
					 .manager = manager->name,
					 .variable = manager->rank,
					 .threads_default = manager->threads_default };
	if (!rank)
		return 0;
	if (parse_unsigned(rank, &claim->index) < 0)
		return managers_misread(manager->rank, rank, "a number", err);
	if (name) {
		count = workload_getenv(workload, name);
		if (count && parse_unsigned(count, &claim->count) < 0)
			return managers_misread(name, count, "a number", err);
	} else {
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

int managers_sharers(const struct workload *workload, const struct manager_claim *claim, hwloc_const_bitmap_t mask_os,
		     struct manager_sharers *ret_sharers)
{
	return claim->of && claim->of->sharers ? claim->of->sharers(workload, claim, mask_os, ret_sharers) : 0;
}

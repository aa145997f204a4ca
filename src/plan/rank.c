/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose are the CPUs we may use: this rank's alone, or all ranks'? A mask alone does not tell: taskset(1) around the
 * manager makes a small one too. So the manager's word decides, and where it has none the mask may not be smaller than
 * the cpuset. Masks by socket, which some ranks share and others do not, cannot be divided by a rank's number.
 */
#include "plan/rank.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/record.h"
#include "machine/machine.h"
#include "plan/managers.h"
#include "plan/plan.h"

#include <errno.h>
#include <string.h>

/* "I/N". */
static int parse_share(const char *text, struct manager_claim *claim, struct err *err)
{
	const char *slash = strchr(text, '/');
	cleanup_free char *index = slash ? strndup(text, (size_t)(slash - text)) : NULL;

	if (slash && !index)
		return err_nomem(err);
	if (!slash || parse_unsigned(index, &claim->index) < 0 || parse_unsigned(slash + 1, &claim->count) < 0)
		return err_set(err, -EINVAL, "--slot '%s': give auto, or I/N as 0/2", text);
	if (claim->index >= claim->count)
		return err_set(err, -EINVAL, "--slot %s: %s", text,
			       claim->count ? "shares are counted from 0" : "there are no shares");
	return 0;
}

static int refuse_shared(const struct manager_claim *claim, const char *mask, bool told, struct err *err)
{
	if (told)
		(void)err_set(err, -EINVAL,
			      "--slot auto: %s bound this rank to CPUs %s, too many to be its own: ranks share them",
			      claim->manager, mask);
	else
		(void)err_set(err, -EINVAL,
			      "--slot auto: %s does not tell whether CPUs %s are this rank's alone or all ranks'",
			      claim->manager, mask);
	return err_hint(err,
			"possible: bind no rank and leave it to fettle; --slot 0/1 takes all of them, --slot %u/%u "
			"a share",
			claim->index, claim->count);
}

/* Did an outer fettle take this very share? Its record has it as "slot=VARIABLE:I/N". */
static bool is_taken(const struct workload *workload, const struct manager_claim *claim)
{
	size_t length = 0;
	const char *taken = record_field(workload_getenv(workload, RECORD_VARIABLE), "slot=", &length);
	char ours[64];

	if (!taken || !claim->variable)
		return false;
	(void)snprintf(ours, sizeof(ours), "%s:%u/%u", claim->variable, claim->index, claim->count);
	return strlen(ours) == length && memcmp(taken, ours, length) == 0;
}

/*
 * Has the manager given this rank CPUs of its own? 1, 0, or -EINVAL where that cannot be told. Those that share them:
 * all, unless the manager tells.
 */
static int is_own(const struct machine *machine, hwloc_const_bitmap_t cpuset_os, const struct workload *workload,
		  const struct manager_claim *claim, struct manager_sharers *sharers, struct err *err)
{
	hwloc_const_bitmap_t mask_os = machine->limits.pus_os;
	cleanup_free char *mask = NULL;
	uint64_t of_all, of_ranks;
	int told;

	*sharers = (struct manager_sharers){ .index = claim->index, .count = claim->count };
	if (claim->count == 1)
		return 0;
	told = managers_sharers(workload, claim, mask_os, sharers);
	if (told > 0)
		return sharers->count == 1;
	if (told < 0) {
		mask = told == -EEXIST ? cpulist_text(mask_os) : NULL;
		return mask ? refuse_shared(claim, mask, true, err) : err_nomem(err);
	}
	if (claim->bound == BOUND_NO || (cpuset_os && hwloc_bitmap_isequal(mask_os, cpuset_os)))
		return 0;
	of_all = cpuset_os ? (uint64_t)hwloc_bitmap_weight(cpuset_os) : 0;
	of_ranks = (uint64_t)hwloc_bitmap_weight(mask_os) * claim->count;
	if (claim->bound == BOUND_YES && of_ranks <= of_all)
		return 1;
	mask = cpulist_text(mask_os);
	return mask ? refuse_shared(claim, mask, claim->bound == BOUND_YES, err) : err_nomem(err);
}

/* torchrun gives several ranks a count of one thread when the user gave none. */
static bool is_managers_default(const struct workload *workload, const struct manager_claim *claim)
{
	const char *threads = workload_user_value(workload, "OMP_NUM_THREADS");

	return claim->threads_default && claim->count > 1 && threads && strcmp(threads, claim->threads_default) == 0;
}

int rank_take(const struct machine *machine, hwloc_const_bitmap_t cpuset_os, struct workload *workload, struct err *err)
{
	struct request *request = &workload->request;
	struct manager_claim claim = { .count = 0 };
	struct manager_sharers sharers = { .count = 0 };
	bool again = false;
	int own = 0, r;

	if (request->instances || request->has_instance)
		return err_set(err, -EINVAL, "--slot and --%s exclude each other: --slot is both",
			       request->instances ? "instances" : "instance");
	if (strcmp(request->slot, "auto") == 0)
		r = managers_ask(workload, &claim, err);
	else
		r = parse_share(request->slot, &claim, err);
	if (r == 0) {
		again = is_taken(workload, &claim);
		own = r = again ? 1 : is_own(machine, cpuset_os, workload, &claim, &sharers, err);
	}
	if (r < 0)
		return r;
	if (is_managers_default(workload, &claim))
		workload->not_users = "OMP_NUM_THREADS";
	workload->rank = (struct rank){ .index = claim.index,
					.count = claim.count,
					.manager = claim.manager,
					.variable = claim.variable,
					.share = sharers.index,
					.shares = sharers.count,
					.own = own,
					.again = again };
	if (own || sharers.count == 1)
		return 0;
	request->instances = sharers.count;
	request->has_instance = true;
	request->instance = sharers.index;
	return 0;
}

/* Where the manager does not tell: a rank that it did not bind, or one that may use all there is. */
static bool has_all(const struct machine *machine, const struct manager_claim *claim)
{
	return claim->bound == BOUND_NO || (size_t)hwloc_bitmap_weight(machine->limits.pus_os) == machine->pu_count;
}

void rank_watch(const struct machine *machine, struct workload *workload)
{
	const struct request *request = &workload->request;
	struct manager_sharers sharers = { .count = 0 };
	struct manager_claim claim;
	struct err unsaid = { 0 };
	int told;

	if (request->has_instance || request->cpus || request->nodes || request->packages ||
	    managers_ask(workload, &claim, &unsaid) < 0 || claim.count == 1 || claim.weak || is_taken(workload, &claim))
		return;
	told = managers_sharers(workload, &claim, machine->limits.pus_os, &sharers);
	if (told == 0 ? !has_all(machine, &claim) : told > 0 && sharers.count == 1)
		return;
	workload->rank = (struct rank){ .index = claim.index,
					.count = claim.count,
					.manager = claim.manager,
					.variable = claim.variable,
					.unasked = true };
}

/* A count of threads that is not the manager's, though it may have been the user's. */
static int explain_threads(const struct workload *workload, struct plan *plan)
{
	const char *name = workload->not_users, *threads = name ? workload_getenv(workload, name) : NULL;
	const unsigned planned = plan->instances[plan->instance_count > 1 ? workload->rank.share : 0].threads;
	unsigned count;

	if (!threads)
		return 0;
	if (plan_note(&plan->reasons, "slot", name,
		      "%s is %s's own default, not the user's word (--threads asks for a count)", name,
		      workload->rank.manager) < 0)
		return -ENOMEM;
	if (workload->request.threads || (parse_unsigned(threads, &count) == 0 && count == planned))
		return 0;
	return plan_note(&plan->warnings, "slot-threads", NULL,
			 "%s=%s is taken for %s's own default, and %u %s planned; --threads %s if it was meant", name,
			 threads, workload->rank.manager, planned, planned == 1 ? "is" : "are", threads);
}

int rank_explain(const struct workload *workload, struct plan *plan)
{
	const struct rank *rank = &workload->rank;
	const char *evidence = rank->variable ? rank->variable : "--slot";
	int r;

	if (!rank->count)
		return 0;
	if (rank->unasked)
		return plan_note(&plan->warnings, "slot-unasked", NULL,
				 "%s started %u of this on the same CPUs (%s=%u), and all make the same plan of them; "
				 "--slot auto gives each its share",
				 rank->manager, rank->count, rank->variable, rank->index);
	if (rank->again)
		r = plan_note(&plan->reasons, "slot", RECORD_VARIABLE,
			      "an outer fettle gave this process its share, %u of %u: all of it is used", rank->index,
			      rank->count);
	else if (rank->own)
		r = plan_note(&plan->reasons, "slot", evidence,
			      "%s bound this process, %u of %u, to CPUs of its own: they are its share", rank->manager,
			      rank->index, rank->count);
	else if (rank->shares < rank->count)
		r = plan_note(
			&plan->reasons, "slot", evidence,
			"%s bound this process, %u of %u, to CPUs that %u of them share: it gets share %u of these",
			rank->manager, rank->index, rank->count, rank->shares, rank->share);
	else
		r = plan_note(&plan->reasons, "slot", evidence,
			      "this process is %u of %u%s%s: it gets that share of what they all may use", rank->index,
			      rank->count, rank->manager ? " that were started by " : "",
			      rank->manager ? rank->manager : "");
	return r == 0 ? explain_threads(workload, plan) : r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks by what the agents wrote down: of programs that are over before anybody looks, and of what a look does not
 * tell. Exact, and of all processes and threads of the instance, ended ones too.
 */
#include "report/check_rule.h"

#include "base/cleanup.h"

#include <linux/mempolicy.h>

enum { AGENT_PRELOADS = 32 }; /* bits of observed_agent_process.preloads */

const struct observed_agent_process *check_main(const struct finding_input *in)
{
	const struct observed_agent_process *same = observed_agent_find(in->instance->agent, in->main->pid);

	return same ? same : observed_agent_find(in->instance->agent, 0);
}

/* What is known of one thread's CPUs, into `seen`. True: they are in the plan, or not known. */
static bool is_inside(hwloc_const_bitmap_t first, hwloc_const_bitmap_t last, hwloc_const_bitmap_t mask,
		      hwloc_bitmap_t seen, unsigned *known)
{
	hwloc_const_bitmap_t set = last ? last : first;

	if (!set)
		return true;
	++*known;
	(void)hwloc_bitmap_or(seen, seen, set);
	return hwloc_bitmap_isincluded(set, mask);
}

enum verdict check_written_binding(const struct finding_input *in, struct check_say *say)
{
	const struct observed_agent *agent = in->instance->agent;
	hwloc_const_bitmap_t mask = in->instance->planned.mask_os;
	cleanup_bitmap hwloc_bitmap_t seen = hwloc_bitmap_alloc();
	unsigned known = 0;
	bool inside = true;

	say->failed |= !seen;
	for (size_t i = 0; seen && i < agent->process_count; i++) {
		const struct observed_agent_process *process = &agent->processes[i];

		inside &= is_inside(process->given_os, process->last_os, mask, seen, &known);
		for (size_t k = 0; k < process->thread_count; k++)
			inside &= is_inside(process->threads[k].first_os, process->threads[k].last_os, mask, seen,
					    &known);
	}
	if (!known)
		return VERDICT_UNKNOWN;
	finding_list(&say->seen, seen);
	check_show(say, "agent: CPUs of %u threads of %zu processes, as they were last", known, agent->process_count);
	for (size_t i = 0; inside && i < agent->process_count; i++) {
		if (!finding_chose_cpus(in, &agent->processes[i]))
			continue;
		check_show(say, "agent, process %d: the program gave its main thread CPUs of its own",
			   (int)agent->processes[i].pid);
		return VERDICT_DIFFERS;
	}
	return inside ? VERDICT_MET : VERDICT_DIFFERS;
}

/*
 * The team of the only runtime that started threads, and the main thread. A team that grew twice started more: fewer
 * than planned, or more, is no proof; what the program says of its next team is.
 */
enum verdict check_written_threads(const struct finding_input *in, struct check_say *say)
{
	const struct observed_agent_process *main = check_main(in);
	const unsigned planned = in->instance->planned.threads;
	const struct observed_agent_runtime *runtime = NULL;
	unsigned count, largest;

	if (finding_lowered_team(in, main, &largest)) {
		text_add(&say->seen, "%u", main->team_last);
		check_show(say, "agent, process %d: at its end omp_get_max_threads() said %u", (int)main->pid,
			   main->team_last);
		return VERDICT_DIFFERS;
	}
	for (size_t i = 0; i < main->runtime_count; i++) {
		if (runtime && main->runtimes[i].threads)
			return VERDICT_UNKNOWN;
		if (main->runtimes[i].threads)
			runtime = &main->runtimes[i];
	}
	if (!runtime && main->threads_started)
		return VERDICT_UNKNOWN;
	count = runtime ? runtime->threads + 1 : 1;
	text_add(&say->seen, "%u", count);
	if (runtime)
		check_show(say, "agent, process %d: %s started %u threads beside the main one", (int)main->pid,
			   runtime->path, runtime->threads);
	else
		check_show(say, "agent, process %d: it started no thread beside the main one", (int)main->pid);
	return count == planned ? VERDICT_MET : VERDICT_UNKNOWN;
}

static int policy_of(enum memory_policy policy)
{
	switch (policy) {
	case MEMORY_BIND:
		return MPOL_BIND;
	case MEMORY_PREFERRED:
		return MPOL_PREFERRED;
	case MEMORY_INTERLEAVE:
		return MPOL_INTERLEAVE;
	default:
		return AGENT_NO_POLICY; /* what the kernel does anyway shows by no number */
	}
}

/* Newer kernels prefer several nodes by a policy of its own (5 of linux/mempolicy.h since 5.15). */
enum { PREFERRED_MANY = 5 };

enum verdict check_written_memory(const struct finding_input *in, struct check_say *say)
{
	const struct observed_agent_process *main = check_main(in);
	const int wanted = policy_of(in->instance->planned.memory_policy);
	const int last = main->policy_last != AGENT_NO_POLICY ? main->policy_last : main->policy_first;

	if (wanted == AGENT_NO_POLICY || (last != wanted && !(wanted == MPOL_PREFERRED && last == PREFERRED_MANY)))
		return VERDICT_UNKNOWN;
	text_add(&say->seen, "%s", memory_policy_words[in->instance->planned.memory_policy]);
	check_show(say, "agent, process %d: get_mempolicy of the main thread", (int)main->pid);
	return VERDICT_MET;
}

enum verdict check_written_preload(const struct finding_input *in, struct check_say *say)
{
	const struct observed_agent_process *main = check_main(in);
	const struct words *preloads = &in->instance->planned.preloads;
	bool all = true;

	/* The user's own are not in the plan, and more than there are bits for are in none. */
	if (!preloads->count || preloads->count > AGENT_PRELOADS)
		return VERDICT_UNKNOWN;
	for (size_t i = 0; i < preloads->count; i++) {
		const bool there = main->preloads >> i & 1;

		all &= there;
		if (there)
			text_add(&say->seen, "%s%s", say->seen.length ? ":" : "", preloads->items[i]);
	}
	check_show(say, "agent, process %d: which libraries of the plan it had when it began", (int)main->pid);
	return all ? VERDICT_MET : VERDICT_DIFFERS;
}

static enum verdict owner(const char *path, const char *symbol, const struct observed_agent_process *main,
			  struct check_say *say)
{
	if (!path)
		return VERDICT_UNKNOWN;
	text_add(&say->seen, "%s", path);
	check_show(say, "agent, process %d: the first that has %s when it began", (int)main->pid, symbol);
	return VERDICT_MET;
}

enum verdict check_written_allocator(const struct finding_input *in, struct check_say *say)
{
	const struct observed_agent_process *main = check_main(in);

	return owner(main->malloc_owner, "malloc", main, say);
}

enum verdict check_written_openmp(const struct finding_input *in, struct check_say *say)
{
	const struct observed_agent_process *main = check_main(in);

	if (main->gomp_owner)
		return owner(main->gomp_owner, "GOMP_parallel", main, say);
	return owner(main->kmpc_owner, "__kmpc_fork_call", main, say);
}

enum verdict check_written_environment(const struct finding_input *in, struct check_say *say)
{
	const struct observed_agent_process *main = check_main(in);
	const struct words *changed = &main->changed_before;
	const unsigned all = in->instance->agent->variables;

	if (in->instance->agent->variables_left_out)
		return VERDICT_UNKNOWN;
	text_add(&say->seen, "%zu variables", all - changed->count);
	for (size_t i = 0; i < changed->count; i++)
		check_show(say, "agent, process %d: %s had another value when it began", (int)main->pid,
			   changed->items[i]);
	check_show(say, "agent, process %d: values of %u variables, compared", (int)main->pid, all);
	return changed->count ? VERDICT_DIFFERS : VERDICT_MET;
}

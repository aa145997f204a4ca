/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Findings from what the agent wrote down: exact, of all processes and threads of an instance, those that have ended
 * before anybody could look too.
 */
#include "report/finding_rule.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "target/library_names.h"
#include "target/tree.h"

#include <linux/mempolicy.h>
#include <string.h>

/* Walk over the processes; begins with NULL and ends with it. */
static const struct observed_agent_process *next(const struct finding_input *in,
						 const struct observed_agent_process *at)
{
	const struct observed_agent *agent = in->instance->agent;
	const size_t i = at ? (size_t)(at - agent->processes) + 1 : 0;

	return i < agent->process_count ? &agent->processes[i] : NULL;
}

/* The process that is judged; one in another PID namespace has numbers of its own. NULL: it has left nothing. */
static const struct observed_agent_process *main_of(const struct finding_input *in)
{
	const struct observed_agent_process *same = observed_agent_find(in->instance->agent, in->main->pid);

	return same ? same : observed_agent_find(in->instance->agent, 0);
}

static void show_list(struct finding_say *say, const char *what, pid_t pid, hwloc_const_bitmap_t set, const char *by)
{
	cleanup_free char *list = cpulist_text(set);

	if (finding_show_some(say))
		finding_show(say, "agent, process %d: %s %s%s%s", (int)pid, what, list ? list : "?", by ? ", by " : "",
			     by ? by : "");
}

static bool escaped(const struct finding_input *in, struct finding_say *say)
{
	hwloc_const_bitmap_t mask = in->instance->planned.mask_os;
	unsigned outside = 0, all = 0;

	for (const struct observed_agent_process *process = next(in, NULL); process; process = next(in, process)) {
		for (size_t i = 0; i < process->thread_count; i++) {
			const struct observed_agent_thread *thread = &process->threads[i];
			hwloc_const_bitmap_t set = thread->last_os ? thread->last_os : thread->first_os;
			cleanup_free char *list = NULL;

			all += set != NULL;
			if (!set || hwloc_bitmap_isincluded(set, mask))
				continue;
			outside++;
			list = cpulist_text(set);
			if (finding_show_some(say))
				finding_show(say, "agent, thread %d of process %d: CPUs %s%s", (int)thread->tid,
					     (int)process->pid, list ? list : "?", thread->ended ? " at its end" : "");
		}
	}
	finding_show_rest(say, "threads");
	text_add(&say->detail, "%u of %u threads could run outside the plan's CPUs ", outside, all);
	finding_list(&say->detail, mask);
	finding_list(&say->remedy, mask);
	text_add(&say->remedy, " %d", (int)in->main->pid);
	return outside > 0;
}

static bool variables_changed(const struct finding_input *in, const struct observed_agent_process *main,
			      struct finding_say *say)
{
	const struct words *lists[2];
	unsigned count = 0;
	bool by_main = false;

	for (const struct observed_agent_process *process = next(in, NULL); process; process = next(in, process)) {
		lists[0] = &process->changed_before;
		lists[1] = &process->changed;
		for (unsigned k = 0; k < ARRAY_SIZE(lists); k++) {
			for (size_t i = 0; i < lists[k]->count; i++) {
				const char *name = lists[k]->items[i];

				by_main |= process == main;
				if (!say->detail.data || !strstr(say->detail.data, name))
					text_add(&say->detail, "%s%s", count ? ", " : "", name);
				count++;
				if (finding_show_some(say))
					finding_show(say, "agent, process %d: %s has not its planned value %s",
						     (int)process->pid, name, k ? "any more" : "when it begins");
			}
		}
	}
	finding_show_rest(say, "changes");
	/* A worker that has values of its own may well mean it. */
	if (count && !by_main)
		say->severity = SEVERITY_NOTE;
	return count > 0;
}

static bool mask_changed(const struct finding_input *in, struct finding_say *say)
{
	cleanup_bitmap hwloc_bitmap_t mask = finding_cpus_left(in, in->instance->planned.mask_os);
	const char *comma = say->detail.length ? ", " : "";
	unsigned count = 0;

	if (!mask) {
		say->failed = true;
		return false;
	}
	if (in->instance->planned.pin == PIN_NONE || finding_is_nested(in, say))
		return false;
	for (const struct observed_agent_process *process = next(in, NULL); process; process = next(in, process)) {
		if (!finding_chose_cpus(in, process))
			continue;
		count++;
		show_list(say, "it gave a thread CPUs", process->pid, process->chosen_os, process->chooser);
	}
	finding_show_rest(say, "processes");
	if (!count)
		return false;
	text_add(&say->detail, "%sits CPUs (the plan has ", comma);
	finding_list(&say->detail, mask);
	text_add(&say->detail, ")");
	return true;
}

static bool changed(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_agent_process *main = main_of(in);
	const bool variables = variables_changed(in, main, say);
	const enum severity severity = say->severity;
	const bool mask = mask_changed(in, say);

	say->severity = mask ? SEVERITY_WARNING : severity;
	return variables || mask;
}

static bool pinned(const struct finding_input *in, const struct observed_agent_process *child)
{
	const struct observed_agent_process *parent =
		child->parent_idx >= 0 ? &in->instance->agent->processes[child->parent_idx] : NULL;

	return child->forked && parent && parent->bindings && !parent->choices && !child->choices && child->given_os &&
	       hwloc_bitmap_weight(child->given_os) == 1 &&
	       (!child->last_os || hwloc_bitmap_isequal(child->last_os, child->given_os)) &&
	       hwloc_bitmap_weight(in->instance->planned.mask_os) > 1;
}

static bool team_lowered(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_agent_process *main = main_of(in);
	unsigned largest;

	if (!main || !finding_lowered_team(in, main, &largest))
		return false;
	text_add(&say->detail, "the program lowered its teams to %u thread%s where %u were planned", main->team_last,
		 main->team_last == 1 ? "" : "s", in->instance->planned.threads);
	finding_show(say, "agent, process %d: at its end omp_get_max_threads() said %u; its OpenMP runtime started %u",
		     (int)main->pid, main->team_last, largest);
	return true;
}

static bool children_pinned(const struct finding_input *in, struct finding_say *say)
{
	unsigned count = 0;
	int pu = -1;

	for (const struct observed_agent_process *process = next(in, NULL); process; process = next(in, process)) {
		if (!pinned(in, process))
			continue;
		count++;
		pu = hwloc_bitmap_first(process->given_os);
		show_list(say, "forked with CPU", process->pid, process->given_os, NULL);
	}
	finding_show_rest(say, "children");
	text_add(&say->detail, "%u child process%s inherited CPU %d from a pinned thread", count,
		 count == 1 ? "" : "es", pu);
	return count > 0;
}

/* Nobody can read another thread's flags without stopping it. */
static void show_left(struct finding_say *say, unsigned left)
{
	if (left)
		finding_show(say, "agent: %u thread%s more %s still there at the end, with flags that nobody read",
			     left, left == 1 ? "" : "s", left == 1 ? "was" : "were");
}

static bool flush_incomplete(const struct finding_input *in, struct finding_say *say)
{
	unsigned count = 0, left = 0;

	if (!in->instance->planned.flush)
		return false;
	for (const struct observed_agent_process *process = next(in, NULL); process; process = next(in, process)) {
		left += process->threads_left;
		if (!process->not_flushing)
			continue;
		count += process->not_flushing;
		if (finding_show_some(say))
			finding_show(say, "agent, process %d: %u thread%s did not flush at the beginning or the end",
				     (int)process->pid, process->not_flushing, process->not_flushing == 1 ? "" : "s");
	}
	finding_show_rest(say, "processes");
	show_left(say, left);
	text_add(&say->detail, "%u thread%s", count, count == 1 ? "" : "s");
	return count > 0;
}

/*
 * One such operand is no fault: LAPACK meets it when it asks what the smallest number is, and exp() of a large negative
 * one. How many there were no flag says; two threads are seldom both there by chance.
 */
enum { MET_LEAST = 2 };

static bool denormals_met(const struct finding_input *in, struct finding_say *say)
{
	unsigned count = 0, left = 0;

	for (const struct observed_agent_process *process = next(in, NULL); process; process = next(in, process)) {
		left += process->threads_left;
		if (!process->met_denormals)
			continue;
		count += process->met_denormals;
		if (finding_show_some(say))
			finding_show(
				say,
				"agent, process %d: the flag of a denormal operand is new in %u thread%s at the end",
				(int)process->pid, process->met_denormals, process->met_denormals == 1 ? "" : "s");
	}
	finding_show_rest(say, "processes");
	show_left(say, left);
	text_add(&say->detail, "%u threads have", count);
	return count >= MET_LEAST;
}

/* The first of the plan's preloads of a family; its bit in `ret_bit`. NULL: there is none. */
static const char *planned_library(const struct finding_input *in, enum library_family family, unsigned *ret_bit)
{
	const struct words *preloads = &in->instance->planned.preloads;

	for (size_t i = 0; i < preloads->count && i < 32; i++) {
		const struct library_name *library = library_name_find(preloads->items[i]);

		*ret_bit = 1U << i;
		if (library && library->family == family)
			return preloads->items[i];
	}
	return NULL;
}

static bool allocator_not_in_charge(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_agent_process *main = main_of(in);
	unsigned bit = 0;
	const char *planned = planned_library(in, LIBRARY_ALLOCATOR, &bit);

	if (!main || !planned || !(main->preloads & bit) || !main->malloc_owner ||
	    strcmp(tree_name(main->malloc_owner), planned) == 0)
		return false;
	text_add(&say->detail, "%s is preloaded, but malloc is that of %s", planned, main->malloc_owner);
	finding_show(say, "agent, process %d: the first with malloc is %s", (int)main->pid, main->malloc_owner);
	return true;
}

/* Teams that another runtime's threads make up, while the planned one started none. */
static bool openmp_not_in_charge(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_agent_process *main = main_of(in);
	const struct observed_agent_runtime *other = NULL;
	unsigned bit = 0;
	const char *planned = planned_library(in, LIBRARY_OPENMP, &bit);

	if (!main || !planned || !(main->preloads & bit))
		return false;
	for (size_t i = 0; i < main->runtime_count; i++) {
		const struct observed_agent_runtime *runtime = &main->runtimes[i];

		if (runtime->threads && strcmp(tree_name(runtime->path), planned) == 0)
			return false;
		if (runtime->threads && (!other || runtime->threads > other->threads))
			other = runtime;
	}
	if (!other)
		return false;
	text_add(&say->detail, "%s is preloaded, but %s runs the teams", planned, other->path);
	finding_show(say, "agent, process %d: threads that %s started: %u; %s: none", (int)main->pid, other->path,
		     other->threads, planned);
	return true;
}

static bool preload_missing(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_agent_process *main = main_of(in);
	const struct words *preloads = &in->instance->planned.preloads;
	unsigned count = 0;

	for (size_t i = 0; main && i < preloads->count && i < 32; i++) {
		if (main->preloads >> i & 1)
			continue;
		text_add(&say->detail, "%s%s", count++ ? ", " : "", preloads->items[i]);
		finding_show(say, "agent, process %d: %s was not among its libraries when it began", (int)main->pid,
			     preloads->items[i]);
	}
	return count > 0;
}

/* What the kernel would do anyway is none that could be refused. */
static bool policy_refused(const struct finding_input *in, struct finding_say *say)
{
	const struct planned *planned = &in->instance->planned;
	const struct observed_agent_process *first =
		in->instance->agent->process_count ? in->instance->agent->processes : NULL;

	if (planned->memory_policy == MEMORY_NONE || planned->memory_policy == MEMORY_LOCAL || !first ||
	    first->policy_first != MPOL_DEFAULT)
		return false;
	text_add(&say->detail, "%s:", memory_policy_words[planned->memory_policy]);
	finding_list(&say->detail, planned->nodes_os);
	finding_show(say, "agent, process %d: get_mempolicy says 'default' when the program begins", (int)first->pid);
	return true;
}

static const struct finding_rule rules[] = {
	{ .id = "cpu-escaped",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_PLAN | NEEDS_BINDING | NEEDS_AGENT,
	  .test = escaped,
	  .text = "{}",
	  .remedy = "taskset -a -c -p {}   (for now; the program's own thread settings bind it)",
	  .next = "the program's own option for its threads; or a cpuset, which it cannot leave: "
		  "systemd-run -p AllowedCPUs=, docker run --cpuset-cpus=" },
	{ .id = "setting-changed",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_PLAN | NEEDS_AGENT,
	  .test = changed,
	  .text = "the program, or a script that starts it, changed {}",
	  .remedy = "look for setenv, os.environ, export, sched_setaffinity or taskset in the program" },
	{ .id = "threads-fewer",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_PLAN | NEEDS_AGENT,
	  .test = team_lowered,
	  .text = "{}",
	  .remedy = "look for omp_set_num_threads, torch.set_num_threads or num_threads in the program" },
	{ .id = "children-pinned",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_PLAN | NEEDS_AGENT,
	  .test = children_pinned,
	  .text = "{}",
	  .remedy = "fettle run --pin instance -- ...   (or --pin threads, where fettle's agent gives children their "
		    "CPUs back)" },
	{ .id = "preload-missing",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_PLAN | NEEDS_AGENT,
	  .test = preload_missing,
	  .text = "a preload is not in the process: {}",
	  .remedy = "fettle machine -- PROGRAM   (shows which libraries there are and whether they load)" },
	{ .id = "allocator-not-in-charge",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_PLAN | NEEDS_AGENT,
	  .test = allocator_not_in_charge,
	  .text = "{}",
	  .remedy = "fettle run --allocator tuned-glibc -- ...   (needs no preload), or build the program without its "
		    "own" },
	{ .id = "openmp-not-in-charge",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_PLAN | NEEDS_AGENT,
	  .test = openmp_not_in_charge,
	  .text = "{}",
	  .remedy = "fettle run --openmp auto -- ...   (configures the runtime the program has)" },
	{ .id = "memory-policy-refused",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_PLAN | NEEDS_AGENT,
	  .test = policy_refused,
	  .text = "the memory policy of the plan, {}, is not in force: pages lie where they are touched first",
	  .remedy = "docker run --cap-add SYS_NICE   (Kubernetes: securityContext.capabilities.add), or fettle run "
		    "--memory none" },
	{ .id = "flush-incomplete",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_PLAN | NEEDS_AGENT,
	  .test = flush_incomplete,
	  .text = "{} did not flush denormal numbers, though --flush-denormals was given",
	  .remedy = "look for fesetenv, _mm_setcsr or torch.set_flush_denormal(False) in the program" },
	{ .id = "denormals-met",
	  .severity = SEVERITY_NOTE, /* once or always, the flag does not say */
	  .needs = NEEDS_AGENT,
	  .test = denormals_met,
	  .text = "{} met denormal numbers, which cost many times the time of others where there are many (how many, "
		  "the "
		  "flags do not say)",
	  .remedy = "fettle run --flush-denormals -- ...   (they count as zero then: results change a little)" },
};

const struct finding_rules finding_agent_rules = { rules, ARRAY_SIZE(rules) };

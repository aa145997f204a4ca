/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about how many threads there are, and what the quota makes of them. */
#include "report/finding_rule.h"

#include "base/cleanup.h"
#include "base/cpulist.h"

#include <limits.h>

/* A thread that wants a CPU this much of the window counts among those that keep one busy. */
enum { WANTS_MILLI = 500 };

/* Threads of the instance that want a CPU most of the time, whose they are, and the CPUs that they may use between
 * them. */
struct crowd {
	unsigned threads;
	unsigned processes;
	unsigned waited_milli;
	bool waits_known;
	hwloc_bitmap_t allowed_os;
};

static bool gather(const struct finding_input *in, struct crowd *crowd)
{
	struct thread_walk walk = { 0 };
	const struct observed_process *last = NULL;

	crowd->allowed_os = hwloc_bitmap_alloc();
	crowd->waits_known = true;
	while (crowd->allowed_os && finding_next_thread(in->observation, in->instance_idx, &walk)) {
		const struct observed_thread *thread = walk.thread;
		const unsigned wanted = thread_wanted_milli(in->observation, thread);

		if (wanted < WANTS_MILLI || !thread_computes(in->observation, thread))
			continue;
		crowd->threads++;
		crowd->processes += walk.process != last;
		last = walk.process;
		crowd->waited_milli += wanted - thread_ran_milli(in->observation, thread);
		crowd->waits_known = crowd->waits_known && thread->has_wait && thread->allowed_os;
		if (thread->allowed_os && hwloc_bitmap_or(crowd->allowed_os, crowd->allowed_os, thread->allowed_os) < 0)
			return false;
	}
	/* Where threads are pinned badly there is room all the same: that is said of the pinning. */
	if (crowd->allowed_os && in->instance->planned.known &&
	    hwloc_bitmap_or(crowd->allowed_os, crowd->allowed_os, in->instance->planned.mask_os) < 0)
		return false;
	if (crowd->allowed_os && in->observation->online_os)
		(void)hwloc_bitmap_and(crowd->allowed_os, crowd->allowed_os, in->observation->online_os);
	return crowd->allowed_os != NULL;
}

static void show_busy(const struct finding_input *in, const struct observed_process *only, struct finding_say *say)
{
	struct thread_walk walk = { 0 };

	while (finding_next_thread(in->observation, in->instance_idx, &walk)) {
		const struct observed_thread *thread = walk.thread;

		if ((only && walk.process != only) || !thread_computes(in->observation, thread) ||
		    !finding_show_some(say))
			continue;
		finding_show(
			say, "/proc/%d/task/%d: '%s' ran %u %%, waited %u %%, pool: %s", (int)walk.process->pid,
			(int)thread->tid, thread->name, thread_ran_milli(in->observation, thread) / 10,
			(thread_wanted_milli(in->observation, thread) - thread_ran_milli(in->observation, thread)) / 10,
			pool_names[thread->pool]);
	}
	finding_show_rest(say, "threads");
}

/*
 * Each thread too many makes one wait at any time; when the waiting is less than half of that, the threads take turns
 * by themselves. Neighbours make ours wait too, but then there are no more threads than CPUs.
 */
static bool oversubscribed(const struct finding_input *in, struct finding_say *say)
{
	struct crowd crowd = { 0 };
	bool found = false;

	if (gather(in, &crowd)) {
		const unsigned cpus = (unsigned)hwloc_bitmap_weight(crowd.allowed_os);

		found = crowd.waits_known && crowd.threads > cpus && cpus &&
			crowd.waited_milli >= (crowd.threads - cpus) * 500;
		text_add(&say->detail, "%u threads ", crowd.threads);
		if (crowd.processes > 1)
			text_add(&say->detail, "of %u processes ", crowd.processes);
		text_add(&say->detail, "want to run all the time on %u CPU%s (", cpus, cpus == 1 ? "" : "s");
		finding_list(&say->detail, crowd.allowed_os);
		text_add(&say->detail, ")");
		/* Threads of one instance, or processes that have its threads between them. */
		text_add(&say->remedy, crowd.processes > 1 ? "--workers %u" : "--threads %u",
			 crowd.processes > 1 ? crowd.processes : cpus);
	} else {
		say->failed = true;
	}
	if (found)
		show_busy(in, NULL, say);
	hwloc_bitmap_free(crowd.allowed_os);
	return found;
}

static bool quota_throttled(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_cgroup *cgroup = &in->instance->cgroup;
	const struct fact *throttled = cgroup->throttled, *periods = cgroup->periods;
	uint64_t count, of, ms;

	if (throttled[0].state != FACT_KNOWN || throttled[1].state != FACT_KNOWN ||
	    throttled[1].value <= throttled[0].value)
		return false;
	count = throttled[1].value - throttled[0].value;
	of = periods[0].state == FACT_KNOWN && periods[1].state == FACT_KNOWN ? periods[1].value - periods[0].value : 0;
	ms = (cgroup->throttled_ns[1].value - cgroup->throttled_ns[0].value) / 1000000;
	text_add(&say->detail, "in %llu of %llu periods, for %llu ms of CPU time", (unsigned long long)count,
		 (unsigned long long)of, (unsigned long long)ms);
	finding_show(say, "%s: nr_throttled %llu, then %llu", throttled[0].source,
		     (unsigned long long)throttled[0].value, (unsigned long long)throttled[1].value);
	if (cgroup->quota_milli.state == FACT_KNOWN)
		finding_show_fact(say, &cgroup->quota_milli);
	/* One period now and then is the price of a quota that is used up. */
	if (count * 20 < of)
		say->severity = SEVERITY_NOTE;
	return true;
}

static bool quota_below_threads(const struct finding_input *in, struct finding_say *say)
{
	const struct fact *quota = &in->instance->cgroup.quota_milli;
	struct crowd crowd = { 0 };
	bool found = false;

	if (quota->state != FACT_KNOWN)
		return false;
	if (gather(in, &crowd)) {
		found = crowd.threads > 1 && (uint64_t)crowd.threads * 1000 > quota->value;
		text_add(&say->detail, "%u threads compute under a quota of %.2f CPUs", crowd.threads,
			 (double)quota->value / 1000);
		text_add(&say->remedy, "%u", quota->value < 2000 ? 1 : (unsigned)(quota->value / 1000));
	} else {
		say->failed = true;
	}
	hwloc_bitmap_free(crowd.allowed_os);
	if (found) {
		finding_show_fact(say, quota);
		show_busy(in, NULL, say);
	}
	return found;
}

/*
 * Who may be in OpenMP's team: the main thread, threads with its sign, and those that compute and have no sign of any
 * pool, since a thread shows whose it is only when it waits.
 */
struct team {
	unsigned count, with_sign, idle; /* the main thread has no sign */
	unsigned least_milli;            /* what the one that wanted a CPU least wanted of the window */
	uint64_t least_ns;               /* and the CPU time of the one that has had least */
};

static struct team team(const struct finding_input *in)
{
	struct team team = { .least_milli = UINT_MAX, .least_ns = UINT64_MAX };

	for (size_t i = 0; i < in->main->thread_count; i++) {
		const struct observed_thread *thread = &in->main->threads[i];
		const bool with_sign = thread->pool == POOL_GOMP || thread->pool == POOL_KMP;
		const bool computes = thread_computes(in->observation, thread);
		const unsigned milli = thread_wanted_milli(in->observation, thread);

		if (thread->gone ||
		    (!with_sign && thread->tid != in->main->pid && (!computes || thread->pool != POOL_UNKNOWN)))
			continue;
		team.count++;
		team.with_sign += with_sign;
		team.idle += !computes;
		team.least_milli = milli < team.least_milli ? milli : team.least_milli;
		team.least_ns = thread->last.run_ns < team.least_ns ? thread->last.run_ns : team.least_ns;
	}
	return team;
}

static bool has_openmp(const struct observed_process *process, bool at_start)
{
	for (enum observed_symbol symbol = SYMBOL_GOMP; symbol <= SYMBOL_KMPC; symbol++) {
		const struct observed_owner *owner = &process->owners[symbol];

		if (owner->known && owner->object_idx >= 0 && (owner->for_all || !at_start))
			return true;
	}
	return false;
}

/* CPU time and busy share that a program built with OpenMP hardly spends before its first team. */
enum { ALONE_SECONDS = 5, ALONE_MILLI = 950 };

/*
 * A pool grows to the largest team so far and never shrinks below it by itself: a team whose every thread computes and
 * which is smaller than planned was made smaller. One thread alone may just as well be in a part of the program that
 * has no teams, and some that show no sign may be another pool's; they are spoken of, in a low voice, only in a program
 * that was built with OpenMP (or, when there are several, has it), after a long time.
 */
static bool threads_fewer(const struct finding_input *in, struct finding_say *say)
{
	const unsigned planned = in->instance->planned.threads;
	const struct team seen = team(in);
	const bool alone = seen.count == 1;

	if (planned < 2 || !seen.count || seen.count >= planned || seen.idle || !has_openmp(in->main, alone))
		return false;
	if (!seen.with_sign) {
		if ((alone && (in->main->thread_count > 1 || in->computing > 1)) ||
		    seen.least_ns < ALONE_SECONDS * 1000000000ULL || seen.least_milli < ALONE_MILLI)
			return false;
		say->severity = SEVERITY_NOTE;
	}
	if (alone)
		text_add(&say->detail,
			 "one thread computes, and has made no team in %llu s of CPU time, where %u were planned",
			 (unsigned long long)(seen.least_ns / 1000000000), planned);
	else
		text_add(&say->detail, "a team of %u threads computes where %u were planned", seen.count, planned);
	show_busy(in, in->main, say);
	if (finding_variable(in, "OMP_NUM_THREADS"))
		finding_show(say, "/proc/%d/environ: OMP_NUM_THREADS=%s", (int)in->main->pid,
			     finding_variable(in, "OMP_NUM_THREADS"));
	return true;
}

/* Of one process: workers that load data are processes of their own, and no compute threads of the plan. */
static bool threads_more(const struct finding_input *in, struct finding_say *say)
{
	const unsigned planned = in->instance->planned.threads;
	unsigned count = 0, wanted_milli = 0;

	for (size_t i = 0; i < in->main->thread_count; i++) {
		const struct observed_thread *thread = &in->main->threads[i];

		if (thread->gone || !thread_computes(in->observation, thread))
			continue;
		count++;
		wanted_milli += thread_wanted_milli(in->observation, thread);
	}
	/* Threads that take turns, as those of PyTorch's backward and forward passes do, want no more CPUs. */
	if (!planned || count <= planned || wanted_milli < planned * 1000 + 500)
		return false;
	text_add(&say->detail, "%u threads compute in process %d where %u were planned", count, (int)in->main->pid,
		 planned);
	show_busy(in, in->main, say);
	return true;
}

static int only_pu(const struct observed_process *process)
{
	int pu = -1;

	for (size_t i = 0; i < process->thread_count; i++) {
		const struct observed_thread *thread = &process->threads[i];

		if (thread->gone)
			continue;
		if (!thread->allowed_os || !thread_is_settled(thread) || hwloc_bitmap_weight(thread->allowed_os) != 1 ||
		    (pu >= 0 && hwloc_bitmap_first(thread->allowed_os) != pu))
			return -1;
		pu = hwloc_bitmap_first(thread->allowed_os);
	}
	return pu;
}

/* Pinned as its parent's main thread is, while the parent's other threads have other CPUs: it was inherited. */
static bool inherited(const struct observation *observation, const struct observed_process *child, int *ret_pu)
{
	const int pu = only_pu(child);

	for (size_t i = 0; pu >= 0 && i < observation->process_count; i++) {
		const struct observed_process *parent = &observation->processes[i];
		const struct observed_thread *first = parent->thread_count ? parent->threads : NULL;
		bool others = false;

		if (parent->pid != child->parent || parent->gone || !first || !first->allowed_os)
			continue;
		for (size_t k = 1; k < parent->thread_count; k++)
			others |= !parent->threads[k].gone && parent->threads[k].allowed_os &&
				  !hwloc_bitmap_isset(parent->threads[k].allowed_os, (unsigned)pu);
		*ret_pu = pu;
		return others && hwloc_bitmap_weight(first->allowed_os) == 1 &&
		       hwloc_bitmap_isset(first->allowed_os, (unsigned)pu);
	}
	return false;
}

static bool children_pinned(const struct finding_input *in, struct finding_say *say)
{
	unsigned count = 0;
	int pu = -1, last = -1;

	for (size_t i = 0; i < in->observation->process_count; i++) {
		const struct observed_process *child = &in->observation->processes[i];

		if (child->gone || child->instance_idx != in->instance_idx || !inherited(in->observation, child, &last))
			continue;
		count++;
		pu = last;
		if (finding_show_some(say))
			finding_show(say, "/proc/%d/status: Cpus_allowed_list %d ('%s', child of %d)", (int)child->pid,
				     pu, child->name, (int)child->parent);
	}
	finding_show_rest(say, "children");
	text_add(&say->detail, "%u child process%s inherited CPU %d from a pinned thread", count,
		 count == 1 ? "" : "es", pu);
	if (in->instance->planned.mask_os)
		finding_list(&say->remedy, in->instance->planned.mask_os);
	return count > 0;
}

static const struct finding_rule rules[] = {
	{ .id = "oversubscribed",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_COMPUTE,
	  .window_ms = 400,
	  .test = oversubscribed,
	  .text = "{}",
	  .remedy = "fettle run {} -- ...   (or the program's own option for its pool)" },
	{ .id = "quota-throttled",
	  .severity = SEVERITY_WARNING,
	  .window_ms = 400,
	  .test = quota_throttled,
	  .text = "its cgroup was throttled {}",
	  .remedy = "raise the quota (docker run --cpus, limits.cpu), or start it with fettle run, which plans within "
		    "it" },
	{ .id = "quota-below-threads",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_COMPUTE,
	  .window_ms = 400,
	  .test = quota_below_threads,
	  .text = "{}",
	  .remedy = "OMP_NUM_THREADS={}, or the program's own option for its pool" },
	{ .id = "children-pinned",
	  .severity = SEVERITY_ERROR,
	  .test = children_pinned,
	  .text = "{}",
	  .remedy = "fettle run --pin instance -- ...   (with --pin threads fettle's agent gives children their CPUs "
		    "back, where it can be loaded)" },
	{ .id = "threads-fewer",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_PLAN | NEEDS_COMPUTE | NEEDS_OBJECTS,
	  .window_ms = 900,
	  .test = threads_fewer,
	  .text = "{}",
	  .remedy = "look for omp_set_num_threads, torch.set_num_threads or num_threads in the program" },
	{ .id = "threads-more",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_PLAN | NEEDS_COMPUTE,
	  .window_ms = 900,
	  .test = threads_more,
	  .text = "{}",
	  .remedy = "limit the pool that is named in the evidence, by the program's own option" },
};

const struct finding_rules finding_thread_rules = { rules, ARRAY_SIZE(rules) };

/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about what a program did to its plan after it had started. */
#include "report/finding_rule.h"

#include "base/cleanup.h"
#include "base/cpulist.h"

/* By these OpenMP's runtime binds the threads, as somebody wished. */
static bool binds_by_wish(const struct finding_input *in)
{
	static const char *const names[] = { "OMP_PLACES", "OMP_PROC_BIND", "GOMP_CPU_AFFINITY", "KMP_AFFINITY" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (finding_variable(in, names[i]))
			return true;
	}
	return false;
}

/*
 * Fettle gave every thread the instance's CPUs; one that has fewer now was bound by the program. Of all threads only
 * the main one counts, which started with them: pools bind their workers (ONNX Runtime's does), and those are theirs.
 * A thread whose CPUs changed while we looked is spoken of in any case, but not before the new ones have settled.
 */
static bool mask_changed(const struct finding_input *in, struct finding_say *say)
{
	cleanup_bitmap hwloc_bitmap_t left = finding_cpus_left(in, in->instance->planned.mask_os);
	struct thread_walk walk = { 0 };
	unsigned count = 0, now = 0;

	if (!left) {
		say->failed = true;
		return false;
	}
	if (in->instance->planned.pin != PIN_INSTANCE || binds_by_wish(in) || finding_is_nested(in, say))
		return false;
	while (finding_next_thread(in->observation, in->instance_idx, &walk)) {
		const struct observed_thread *thread = walk.thread;
		const bool first = walk.process == in->main && thread->tid == walk.process->pid;
		cleanup_free char *before = thread->before_os ? cpulist_text(thread->before_os) : NULL;
		cleanup_free char *list = thread->allowed_os ? cpulist_text(thread->allowed_os) : NULL;

		/* Those outside the plan are cpu-escaped. */
		if (!thread->allowed_os || !(first || thread->before_os) || !thread_is_settled(thread) ||
		    !hwloc_bitmap_isincluded(thread->allowed_os, left) ||
		    hwloc_bitmap_isequal(thread->allowed_os, left))
			continue;
		count++;
		now += thread->before_os != NULL;
		if (finding_show_some(say))
			finding_show(say, "/proc/%d/task/%d/status: Cpus_allowed_list %s%s%s ('%s')",
				     (int)walk.process->pid, (int)thread->tid, list ? list : "?",
				     before ? ", a moment ago " : "", before ? before : "", thread->name);
	}
	finding_show_rest(say, "threads");
	text_add(&say->detail, "%u thread%s, and its plan has ", count, count == 1 ? "" : "s");
	finding_list(&say->detail, left);
	if (now)
		text_add(&say->detail, "; %u of them while it was looked at", now);
	finding_list(&say->remedy, left);
	text_add(&say->remedy, " %d", (int)in->main->pid);
	return count > 0;
}

static const struct finding_rule rules[] = {
	{ .id = "setting-changed",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_PLAN | NEEDS_BINDING | NEEDS_ENVIRONMENT,
	  .test = mask_changed,
	  .text = "the program narrowed the CPUs of {}",
	  .remedy =
		  "taskset -a -c -p {}   (for now; look for sched_setaffinity, os.sched_setaffinity or taskset in the "
		  "program)",
	  .next = "look for sched_setaffinity, os.sched_setaffinity or taskset in the program" },
};

const struct finding_rules finding_setting_rules = { rules, ARRAY_SIZE(rules) };

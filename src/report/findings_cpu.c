/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about where threads run. */
#include "report/finding_rule.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "machine/machine.h"

#include <string.h>

static void show_allowed(struct finding_say *say, const struct thread_walk *walk)
{
	cleanup_free char *list = walk->thread->allowed_os ? cpulist_text(walk->thread->allowed_os) : NULL;

	if (finding_show_some(say))
		finding_show(say, "/proc/%d/task/%d/status: Cpus_allowed_list %s ('%s')", (int)walk->process->pid,
			     (int)walk->thread->tid, list ? list : "?", walk->thread->name);
}

static bool ran(const struct observed_thread *thread)
{
	return thread->last.run_ns > thread->first.run_ns;
}

/* May it run elsewhere, or has it? A thread without a mask that we may read still tells where it ran. */
static bool escaped(const struct observed_thread *thread, hwloc_const_bitmap_t mask)
{
	if (thread->allowed_os && !hwloc_bitmap_isincluded(thread->allowed_os, mask))
		return true;
	return ran(thread) && !hwloc_bitmap_isset(mask, thread->last.cpu_os) && !thread->allowed_os;
}

/* It binds the threads of its pool by the number of their core, whatever CPUs it was given. */
static void show_onnx_runtime(const struct finding_input *in, struct finding_say *say)
{
	for (size_t i = 0; i < in->main->object_count; i++) {
		if (!strstr(in->main->objects[i].path, "onnxruntime"))
			continue;
		finding_show(say,
			     "/proc/%d/maps: %s, whose pool binds its threads itself: intra_op_num_threads in its "
			     "session's options leaves them where they are",
			     (int)in->main->pid, in->main->objects[i].path);
		return;
	}
}

static bool cpu_escaped(const struct finding_input *in, struct finding_say *say)
{
	hwloc_const_bitmap_t mask = in->instance->planned.mask_os;
	struct thread_walk walk = { 0 };
	unsigned all = 0, outside = 0, seen = 0;

	while (finding_next_thread(in->observation, in->instance_idx, &walk)) {
		all++;
		if (!escaped(walk.thread, mask))
			continue;
		outside++;
		show_allowed(say, &walk);
		if (ran(walk.thread) && !hwloc_bitmap_isset(mask, walk.thread->last.cpu_os) && !seen++)
			finding_show(say, "/proc/%d/task/%d/stat: ran last on CPU %u", (int)walk.process->pid,
				     (int)walk.thread->tid, walk.thread->last.cpu_os);
	}
	finding_show_rest(say, "threads");
	show_onnx_runtime(in, say);
	text_add(&say->detail, "%u of %u threads may run outside the plan's CPUs ", outside, all);
	finding_list(&say->detail, mask);
	finding_list(&say->remedy, mask);
	text_add(&say->remedy, " %d", (int)in->main->pid);
	return outside > 0;
}

static int only_pu(const struct observed_thread *thread)
{
	return thread->allowed_os && thread_is_settled(thread) && hwloc_bitmap_weight(thread->allowed_os) == 1
		       ? hwloc_bitmap_first(thread->allowed_os)
		       : -1;
}

/* Another thread that computes and has this CPU alone, in this instance behind `after` or in a later one. */
static bool shares(const struct finding_input *in, const struct thread_walk *after, int pu,
		   struct thread_walk *ret_walk)
{
	/* With one CPU for all of them none was pinned: there are more than there is room for. */
	hwloc_const_bitmap_t mask = in->instance->planned.mask_os;
	const bool one_for_all = mask && hwloc_bitmap_weight(mask) == 1;
	struct thread_walk walk = *after;

	if (one_for_all)
		walk = (struct thread_walk){ 0 };
	for (int instance = in->instance_idx + one_for_all; instance < (int)in->observation->instance_count;
	     instance++) {
		while (finding_next_thread(in->observation, instance, &walk)) {
			if (only_pu(walk.thread) == pu && thread_computes(in->observation, walk.thread)) {
				*ret_walk = walk;
				return true;
			}
		}
		walk = (struct thread_walk){ 0 };
	}
	return false;
}

static unsigned computing(const struct observation *observation, int instance_idx)
{
	struct thread_walk walk = { 0 };
	unsigned count = 0;

	while (finding_next_thread(observation, instance_idx, &walk))
		count += thread_computes(observation, walk.thread);
	return count;
}

/* Two plans over one CPU, both at work: two fettles that did not know of each other. */
static bool plans_overlap(const struct finding_input *in, struct finding_say *say)
{
	bool found = false;

	for (int i = in->instance_idx + 1; i < (int)in->observation->instance_count; i++) {
		const struct observed_instance *other = &in->observation->instances[i];
		cleanup_bitmap hwloc_bitmap_t both = hwloc_bitmap_alloc();

		if (!other->planned.known || !in->instance->planned.known || !computing(in->observation, i))
			continue;
		if (in->instance->planned.pin == PIN_NONE)
			return false;
		if (!both || hwloc_bitmap_and(both, in->instance->planned.pus_os, other->planned.pus_os) < 0) {
			say->failed = true;
			return false;
		}
		if (hwloc_bitmap_iszero(both) || other->planned.pin == PIN_NONE)
			continue;
		text_add(&say->detail, "%sCPUs ", found ? ", " : "");
		finding_list(&say->detail, both);
		text_add(&say->detail, " are planned for two running instances");
		finding_show(say, "FETTLE_PLAN of %d and of %d: both have them",
			     (int)in->observation->processes[in->instance->root_idx].pid,
			     (int)in->observation->processes[other->root_idx].pid);
		found = true;
	}
	return found;
}

static bool cpu_shared(const struct finding_input *in, struct finding_say *say)
{
	struct thread_walk walk = { 0 }, other;
	unsigned pairs = 0;

	if (plans_overlap(in, say))
		return true;
	while (finding_next_thread(in->observation, in->instance_idx, &walk)) {
		const int pu = only_pu(walk.thread);

		if (pu < 0 || !thread_computes(in->observation, walk.thread) || !shares(in, &walk, pu, &other))
			continue;
		if (!pairs++)
			text_add(&say->detail, "two threads that compute are pinned to CPU %d", pu);
		show_allowed(say, &walk);
		show_allowed(say, &other);
	}
	finding_show_rest(say, "threads");
	return pairs > 0;
}

/* A core of the plan, of which one CPU may be planned, is free when all its CPUs were idle for most of the window. */
static bool is_free(const struct finding_input *in, const struct machine_core *core)
{
	const struct machine *machine = in->machine;
	bool planned = false;

	for (unsigned k = 0; k < core->pu_count; k++) {
		const unsigned os = machine->pus[core->pu_idx + k].os;
		const struct observed_cpu *cpu = NULL;
		uint64_t idle, busy;

		for (size_t i = 0; i < in->observation->cpu_count && !cpu; i++)
			cpu = in->observation->cpus[i].os == os ? &in->observation->cpus[i] : NULL;
		if (!cpu || !cpu->seen[0] || !cpu->seen[1])
			return false;
		planned = planned || hwloc_bitmap_isset(in->instance->planned.mask_os, os);
		idle = cpu->idle[1] > cpu->idle[0] ? cpu->idle[1] - cpu->idle[0] : 0;
		busy = cpu->busy[1] - cpu->busy[0];
		if (idle + busy == 0 || idle * 10 < (idle + busy) * 8)
			return false;
	}
	return planned;
}

static bool within(const struct machine *machine, const struct machine_core *core, hwloc_const_bitmap_t set)
{
	int left = set ? hwloc_bitmap_weight(set) : 0;
	const int all = left;

	for (unsigned k = 0; set && k < core->pu_count; k++)
		left -= hwloc_bitmap_isset(set, machine->pus[core->pu_idx + k].os);
	return all > 0 && left == 0;
}

/* Threads that compute and may not leave the core. Those that share one of its CPUs are cpu-shared's to name. */
static unsigned held(const struct finding_input *in, const struct machine_core *core, struct finding_say *say)
{
	cleanup_bitmap hwloc_bitmap_t cpus_os = hwloc_bitmap_alloc();
	struct thread_walk walk = { 0 };
	unsigned count = 0;

	while (finding_next_thread(in->observation, in->instance_idx, &walk)) {
		if (!thread_computes(in->observation, walk.thread) || !thread_is_settled(walk.thread) ||
		    !within(in->machine, core, walk.thread->allowed_os))
			continue;
		count++;
		if (cpus_os)
			hwloc_bitmap_or(cpus_os, cpus_os, walk.thread->allowed_os);
		if (say)
			show_allowed(say, &walk);
	}
	return cpus_os && hwloc_bitmap_weight(cpus_os) > 1 ? count : 0;
}

static bool smt_shared(const struct finding_input *in, struct finding_say *say)
{
	const struct machine *machine = in->machine;
	const struct machine_core *free_core = NULL;
	bool found = false;

	if (!machine || machine->siblings_unknown)
		return false;
	for (size_t i = 0; i < machine->core_count && !free_core; i++)
		free_core = is_free(in, &machine->cores[i]) ? &machine->cores[i] : NULL;
	for (size_t i = 0; free_core && i < machine->core_count; i++) {
		const struct machine_core *core = &machine->cores[i];

		if (core->pu_count < 2 || held(in, core, NULL) < 2)
			continue;
		if (!found)
			text_add(&say->detail, "two threads compute on the core of CPU %u while that of CPU %u is free",
				 machine->pus[core->pu_idx].os, machine->pus[free_core->pu_idx].os);
		(void)held(in, core, say);
		found = true;
	}
	finding_show_rest(say, "threads");
	return found;
}

static bool efficiency_core(const struct finding_input *in, struct finding_say *say)
{
	const struct machine *machine = in->machine;
	struct thread_walk walk = { 0 };
	unsigned count = 0;

	for (size_t i = 0; machine && i < machine->kind_count; i++) {
		const struct machine_kind *kind = &machine->kinds[i];

		if (!kind->small || hwloc_bitmap_intersects(kind->pus_os, in->instance->planned.pus_os))
			continue;
		for (walk = (struct thread_walk){ 0 }; finding_next_thread(in->observation, in->instance_idx, &walk);) {
			const struct observed_thread *thread = walk.thread;
			const bool bound =
				thread->allowed_os && hwloc_bitmap_isincluded(thread->allowed_os, kind->pus_os);

			if (!thread_computes(in->observation, thread) ||
			    !(bound || (hwloc_bitmap_isset(kind->pus_os, thread->first.cpu_os) &&
					hwloc_bitmap_isset(kind->pus_os, thread->last.cpu_os))))
				continue;
			count++;
			show_allowed(say, &walk);
		}
	}
	finding_show_rest(say, "threads");
	text_add(&say->detail, "%u", count);
	finding_list(&say->remedy, in->instance->planned.pus_os);
	text_add(&say->remedy, " %d", (int)in->main->pid);
	return count > 0;
}

static bool cpu_offline(const struct finding_input *in, struct finding_say *say)
{
	cleanup_bitmap hwloc_bitmap_t lost = hwloc_bitmap_alloc();
	hwloc_const_bitmap_t online = in->observation->online_os, cpuset = in->instance->cgroup.cpuset_os;

	if (!lost) {
		say->failed = true;
		return false;
	}
	if (online && hwloc_bitmap_andnot(lost, in->instance->planned.pus_os, online) == 0 &&
	    !hwloc_bitmap_iszero(lost)) {
		finding_list(&say->detail, lost);
		text_add(&say->detail, " offline");
		finding_show(say, "/sys/devices/system/cpu/online has no such CPU");
		return true;
	}
	if (cpuset && hwloc_bitmap_andnot(lost, in->instance->planned.pus_os, cpuset) == 0 &&
	    !hwloc_bitmap_iszero(lost)) {
		cleanup_free char *list = cpulist_text(cpuset);

		finding_list(&say->detail, lost);
		text_add(&say->detail, " not in its cpuset any more");
		finding_show(say, "the cpuset of process %d has CPUs %s", (int)in->main->pid, list ? list : "?");
		return true;
	}
	return false;
}

static const struct finding_rule rules[] = {
	{ .id = "cpu-offline",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_PLAN | NEEDS_BINDING,
	  .test = cpu_offline,
	  .text = "CPUs of the plan are gone: {}",
	  .remedy = "start it again, so that fettle plans with the CPUs there are" },
	{ .id = "cpu-escaped",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_PLAN | NEEDS_BINDING,
	  .test = cpu_escaped,
	  .text = "{}",
	  .remedy = "taskset -a -c -p {}   (until the program binds its threads anew; a cpuset holds for good: "
		    "systemd-run -p AllowedCPUs=, docker run --cpuset-cpus=)",
	  .next = "the program's own option for its threads; or a cpuset, which it cannot leave: "
		  "systemd-run -p AllowedCPUs=, docker run --cpuset-cpus=" },
	{ .id = "cpu-shared",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_COMPUTE,
	  .window_ms = 400,
	  .test = cpu_shared,
	  .text = "{}",
	  .remedy =
		  "start them as instances of one plan: fettle run --instances N; started apart, each takes its share "
		  "with --slot I/N" },
	{ .id = "smt-shared",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_ANY_PLAN | NEEDS_COMPUTE,
	  .window_ms = 400,
	  .test = smt_shared,
	  .text = "{}",
	  .remedy = "fettle run --pin threads -- ...   (one thread a core)" },
	{ .id = "efficiency-core",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_ANY_PLAN | NEEDS_COMPUTE,
	  .window_ms = 400,
	  .test = efficiency_core,
	  .text = "{} threads compute on efficiency cores, which nobody asked for",
	  .remedy = "taskset -a -c -p {}",
	  .next = "fettle run --pin threads -- ...   (one CPU each, of the plan's cores)" },
};

const struct finding_rules finding_cpu_rules = { rules, ARRAY_SIZE(rules) };

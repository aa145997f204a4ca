/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about what the host did to the plan's CPUs: clock, hypervisor, neighbours. */
#include "report/finding_rule.h"

#include "base/cleanup.h"

#include <string.h>

/* CPUs of the plan on which a thread that computes was seen last. */
static bool computes_on(const struct finding_input *in, unsigned os)
{
	struct thread_walk walk = { 0 };

	if (!hwloc_bitmap_isset(in->instance->planned.pus_os, os))
		return false;
	while (finding_next_thread(in->observation, in->instance_idx, &walk)) {
		if (thread_computes(in->observation, walk.thread) && walk.thread->last.cpu_os == os)
			return true;
	}
	return false;
}

/* Below this share of what the hardware can do it is a cap, not a rounding. */
enum { CAP_PERCENT = 98 };

static bool is_capped(const struct observed_cpu *cpu)
{
	return cpu->cap_khz.state == FACT_KNOWN && cpu->hardware_khz.state == FACT_KNOWN && cpu->cap_khz.value &&
	       cpu->cap_khz.value * 100 < cpu->hardware_khz.value * CAP_PERCENT;
}

/* These drivers choose the clock themselves whatever the governor; the others take 'powersave' at its word. */
static bool saves_power(const struct observed_cpu *cpu)
{
	return strcmp(cpu->governor, "powersave") == 0 && strcmp(cpu->driver, "intel_pstate") != 0 &&
	       strcmp(cpu->driver, "amd-pstate-epp") != 0;
}

static bool frequency_low(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_cpu *capped = NULL, *saving = NULL;

	for (size_t i = 0; i < in->observation->cpu_count; i++) {
		const struct observed_cpu *cpu = &in->observation->cpus[i];

		if (!computes_on(in, cpu->os) || (!is_capped(cpu) && !saves_power(cpu)))
			continue;
		capped = capped || !is_capped(cpu) ? capped : cpu;
		saving = saving || !saves_power(cpu) ? saving : cpu;
		if (!finding_show_some(say))
			continue;
		if (is_capped(cpu)) {
			finding_show_fact(say, &cpu->cap_khz);
			finding_show_fact(say, &cpu->hardware_khz);
		} else {
			finding_show(say, "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor: %s", cpu->os,
				     cpu->governor);
		}
		if (cpu->now_khz.state == FACT_KNOWN)
			finding_show_fact(say, &cpu->now_khz);
	}
	finding_show_rest(say, "CPUs");
	if (capped) {
		text_add(&say->detail, "CPU %u is held to %llu of %llu MHz", capped->os,
			 (unsigned long long)(capped->cap_khz.value / 1000),
			 (unsigned long long)(capped->hardware_khz.value / 1000));
		text_add(&say->remedy, "-u %lluMHz", (unsigned long long)(capped->hardware_khz.value / 1000));
	} else if (saving) {
		text_add(&say->detail, "the governor of CPU %u is 'powersave', the lowest clock there is", saving->os);
		text_add(&say->remedy, "-g performance");
	}
	return capped || saving;
}

/* Ticks of the plan's CPUs in the window. */
struct spent {
	uint64_t busy, idle, steal;
};

static uint64_t between(const uint64_t counter[2])
{
	/* Idle time was seen to run backwards by a tick. */
	return counter[1] > counter[0] ? counter[1] - counter[0] : 0;
}

static struct spent spend(const struct finding_input *in)
{
	struct spent spent = { 0 };

	for (size_t i = 0; i < in->observation->cpu_count; i++) {
		const struct observed_cpu *cpu = &in->observation->cpus[i];

		if (!cpu->seen[0] || !cpu->seen[1] || !hwloc_bitmap_isset(in->instance->planned.pus_os, cpu->os))
			continue;
		spent.busy += between(cpu->busy);
		spent.idle += between(cpu->idle);
		spent.steal += between(cpu->steal);
	}
	return spent;
}

/* A tick or two is the clock's own error. */
enum { STOLEN_PERCENT = 2, STOLEN_LEAST_TICKS = 3 };

static bool stolen(const struct finding_input *in, struct finding_say *say)
{
	const struct spent spent = spend(in);
	const uint64_t all = spent.busy + spent.idle + spent.steal;

	if (spent.steal < STOLEN_LEAST_TICKS || spent.steal * 100 < all * STOLEN_PERCENT)
		return false;
	text_add(&say->detail, "%llu %%", (unsigned long long)(spent.steal * 100 / all));
	finding_show(say, "/proc/stat: steal took %llu of %llu ticks of CPUs of the plan",
		     (unsigned long long)spent.steal, (unsigned long long)all);
	return true;
}

/* What all that is looked at ran, with the children it waited for: a shell's work is done by those. */
static uint64_t own_ticks(const struct observation *observation)
{
	uint64_t ticks = 0, ns = 0;

	for (size_t i = 0; i < observation->process_count; i++) {
		const struct observed_process *process = &observation->processes[i];

		if (process->child_ticks_last > process->child_ticks_first)
			ticks += process->child_ticks_last - process->child_ticks_first;
		for (size_t k = 0; k < process->thread_count; k++)
			ns += process->threads[k].last.run_ns > process->threads[k].first.run_ns
				      ? process->threads[k].last.run_ns - process->threads[k].first.run_ns
				      : 0;
	}
	return ticks + ns * observation->ticks_per_s / 1000000000;
}

static void show_neighbours(const struct finding_input *in, uint64_t window_ticks, struct finding_say *say)
{
	uint64_t below = UINT64_MAX;

	for (unsigned shown = 0; shown < 3; shown++) {
		const struct observed_neighbour *most = NULL;

		for (size_t i = 0; i < in->observation->neighbour_count; i++) {
			const struct observed_neighbour *one = &in->observation->neighbours[i];
			const uint64_t used = one->last - one->first;

			if (one->last <= one->first || used >= below || (most && used <= most->last - most->first))
				continue;
			most = one;
		}
		if (!most)
			return;
		below = most->last - most->first;
		finding_show(say, "/proc/%d/stat: '%s' used %llu %% of a CPU, last on CPU %u", (int)most->pid,
			     most->name, (unsigned long long)(below * 100 / window_ticks), most->cpu_os);
	}
}

/*
 * Others used the plan's CPUs, and ours waited meanwhile: where there is room for all, nobody loses. The looks
 * themselves and interrupts take a little, too.
 */
enum { OTHERS_MILLI = 150, WAITED_MILLI = 100 };

static bool neighbours(const struct finding_input *in, struct finding_say *say)
{
	const struct spent spent = spend(in);
	const uint64_t own = own_ticks(in->observation);
	const uint64_t window_ticks = in->window_ms * in->observation->ticks_per_s / 1000;
	const uint64_t others = spent.busy > own ? spent.busy - own : 0;
	const unsigned waited = finding_waited_milli(in);

	if (!window_ticks || others * 1000 < window_ticks * OTHERS_MILLI || waited < WAITED_MILLI)
		return false;
	text_add(&say->detail, "others used %llu %% of a CPU there, and threads of this instance waited %u %%",
		 (unsigned long long)(others * 100 / window_ticks), waited / 10);
	finding_show(say, "/proc/stat: CPUs of the plan were busy for %llu ticks, %llu of them with this",
		     (unsigned long long)spent.busy, (unsigned long long)own);
	show_neighbours(in, window_ticks, say);
	return true;
}

static const struct finding_rule rules[] = {
	{ .id = "frequency-low",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_ANY_PLAN | NEEDS_COMPUTE,
	  .test = frequency_low,
	  .text = "{}",
	  .remedy = "sudo cpupower frequency-set {}" },
	{ .id = "cpu-stolen",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_ANY_PLAN | NEEDS_COMPUTE,
	  .window_ms = 900,
	  .test = stolen,
	  .text = "the hypervisor took {} of the plan's CPUs",
	  .remedy = "ask the provider for dedicated CPUs, or use another host" },
	{ .id = "neighbours-busy",
	  .severity = SEVERITY_WARNING,
	  .needs = NEEDS_ANY_PLAN | NEEDS_COMPUTE,
	  .window_ms = 900,
	  .test = neighbours,
	  .text = "other processes used the plan's CPUs: {}",
	  .remedy = "give it CPUs of its own: --cpus LIST for one, --slot I/N for each of several" },
};

const struct finding_rules finding_host_rules = { rules, ARRAY_SIZE(rules) };

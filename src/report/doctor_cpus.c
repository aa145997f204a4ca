/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about CPU time: what is ours, with whom we share it, who takes it. */
#include "report/doctor_rule.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"

#include <errno.h>

static enum doctor_verdict quota(const struct doctor_input *in, struct doctor_say *say)
{
	const struct fact *fact = &in->machine->limits.quota_milli;
	const unsigned long long whole = fact->value / 1000, rest = fact->value % 1000;

	doctor_show_fact(say, "CPU quota", fact);
	if (fact->state == FACT_UNKNOWN)
		return DOCTOR_UNKNOWN;
	if (fact->state == FACT_ABSENT) {
		text_add(&say->detail, "no CPU quota");
		return DOCTOR_GOOD;
	}
	text_add(&say->detail, "a CPU quota of %llu.%03llu", whole, rest);
	text_add(&say->remedy, "%llu", whole + 1);
	if (!rest)
		return DOCTOR_GOOD;
	if (whole)
		text_add(&say->cost, "0.%03llu CPU stays unused: another thread for it would be throttled", rest);
	else
		text_add(&say->cost, "even one thread is stopped for %llu %% of the time", 100 - rest / 10);
	return DOCTOR_COSTS;
}

/* The PUs of which the core is ours in part, all of the core's. */
static bool find_shared(const struct machine *machine, hwloc_bitmap_t ours, hwloc_bitmap_t theirs)
{
	for (size_t c = 0; c < machine->core_count; c++) {
		const struct machine_core *core = &machine->cores[c];
		unsigned allowed = 0;

		for (unsigned i = 0; i < core->pu_count; i++)
			allowed += hwloc_bitmap_isset(machine->limits.pus_os, machine->pus[core->pu_idx + i].os) != 0;
		for (unsigned i = 0; allowed && allowed < core->pu_count && i < core->pu_count; i++) {
			const unsigned os = machine->pus[core->pu_idx + i].os;

			if (hwloc_bitmap_set(hwloc_bitmap_isset(machine->limits.pus_os, os) ? ours : theirs, os) < 0)
				return false;
		}
	}
	return true;
}

static enum doctor_verdict smt_shared(const struct doctor_input *in, struct doctor_say *say)
{
	const struct machine *machine = in->machine;
	cleanup_bitmap hwloc_bitmap_t ours = hwloc_bitmap_alloc(), theirs = hwloc_bitmap_alloc(),
				      whole = hwloc_bitmap_alloc();
	cleanup_free char *our_list = NULL, *their_list = NULL, *whole_list = NULL;

	doctor_show_fact(say, "CPUs", &machine->limits.pus);
	if (machine->limits.pus.state == FACT_UNKNOWN)
		return DOCTOR_UNKNOWN;
	if (machine->siblings_unknown && (size_t)hwloc_bitmap_weight(machine->limits.pus_os) < machine->pu_count)
		return DOCTOR_UNKNOWN;
	if (!ours || !theirs || !whole || !find_shared(machine, ours, theirs) ||
	    hwloc_bitmap_or(whole, machine->limits.pus_os, theirs) < 0) {
		say->failed = true;
		return DOCTOR_UNKNOWN;
	}
	if (hwloc_bitmap_iszero(theirs))
		return DOCTOR_GOOD;
	our_list = cpulist_text(ours);
	their_list = cpulist_text(theirs);
	whole_list = cpulist_text(whole);
	if (!our_list || !their_list || !whole_list) {
		say->failed = true;
		return DOCTOR_UNKNOWN;
	}
	text_add(&say->detail, "our CPUs %s share their cores with CPUs %s, which are not ours", our_list, their_list);
	text_add(&say->remedy, "%s", whole_list);
	return DOCTOR_COSTS;
}

/* Thousandths of a percent from which on time that is taken from us is worth a word. */
enum {
	STEAL_SINCE_BOOT = 1000,
	STEAL_NOW = 2000,
	LOAD_NOW = 10000,
	PRESSURE_CPU = 10000,
	PRESSURE_MEMORY = 1000,
	PRESSURE_IO = 10000
};

static void say_percent(struct text *text, uint64_t milli)
{
	text_add(text, "%llu.%llu %%", (unsigned long long)(milli / 1000), (unsigned long long)(milli % 1000 / 100));
}

static enum doctor_verdict steal(const struct doctor_input *in, struct doctor_say *say)
{
	const struct fact *now = doctor_fact(in, HOST_STEAL_NOW);
	const uint64_t before = doctor_number(in, HOST_STEAL);
	const bool much_now = now->state == FACT_KNOWN && now->value > STEAL_NOW;

	if (now->state == FACT_KNOWN)
		doctor_show_fact(say, "steal_now", now);
	say_percent(&say->detail, much_now ? now->value : before);
	text_add(&say->detail, much_now ? " of the time just now" : " of the time since boot");
	say_percent(&say->cost, much_now ? now->value : before);
	return much_now || before > STEAL_SINCE_BOOT ? DOCTOR_COSTS : DOCTOR_GOOD;
}

static enum doctor_verdict neighbours(const struct doctor_input *in, struct doctor_say *say)
{
	const uint64_t load = doctor_number(in, HOST_LOAD_NOW);

	say_percent(&say->detail, load);
	say_percent(&say->cost, load);
	return load > LOAD_NOW ? DOCTOR_COSTS : DOCTOR_GOOD;
}

static enum doctor_verdict pressure(const struct doctor_input *in, enum host_fact fact, uint64_t limit,
				    struct doctor_say *say)
{
	say_percent(&say->detail, doctor_number(in, fact));
	return doctor_number(in, fact) > limit ? DOCTOR_COSTS : DOCTOR_GOOD;
}

static enum doctor_verdict pressure_cpu(const struct doctor_input *in, struct doctor_say *say)
{
	return pressure(in, HOST_PRESSURE_CPU, PRESSURE_CPU, say);
}

static enum doctor_verdict pressure_memory(const struct doctor_input *in, struct doctor_say *say)
{
	return pressure(in, HOST_PRESSURE_MEMORY, PRESSURE_MEMORY, say);
}

static enum doctor_verdict pressure_io(const struct doctor_input *in, struct doctor_say *say)
{
	return pressure(in, HOST_PRESSURE_IO, PRESSURE_IO, say);
}

/* Onto isolated CPUs the scheduler moves nothing: by isolcpus, or in an isolated cpuset partition. */
static enum doctor_verdict isolated(const struct doctor_input *in, struct doctor_say *say)
{
	const struct fact *fact = doctor_fact(in, HOST_ISOLATED);
	const bool partition = doctor_is(in, HOST_PARTITION, "isolated");
	cleanup_bitmap hwloc_bitmap_t set = NULL;
	cleanup_free char *list = NULL;
	struct err err = { 0 };

	if (cpulist_parse(fact->raw ? fact->raw : "", &set, &err) < 0 ||
	    hwloc_bitmap_and(set, set, in->machine->limits.pus_os) < 0) {
		say->failed = err.code != -EINVAL;
		return DOCTOR_UNKNOWN;
	}
	if (partition && hwloc_bitmap_copy(set, in->machine->limits.pus_os) < 0)
		say->failed = true;
	if (hwloc_bitmap_iszero(set))
		return DOCTOR_GOOD;
	list = cpulist_text(set);
	say->failed = say->failed || !list;
	text_add(&say->detail, "%s", list ? list : "");
	return DOCTOR_COSTS;
}

static const struct doctor_rule rules[] = {
	{ .id = "cpu-quota",
	  .test = quota,
	  .good = "{}",
	  .costs = "{} is no whole number of CPUs",
	  .unknown = "the CPU quota",
	  .cost = "{} (docs/benchmarks.md, quota: with a thread too many 68 to 73 % of all periods were throttled)",
	  .remedy = "docker update --cpus {} CONTAINER   (Kubernetes: resources.limits.cpu: \"{}\")" },
	{ .id = "smt-shared",
	  .test = smt_shared,
	  .good = "no core of ours is shared with CPUs that are not ours",
	  .costs = "{}",
	  .unknown = "whether our cores are shared with CPUs that are not ours",
	  .cost = "whoever runs there takes a part of the core's units and caches: measure it",
	  .remedy = "docker run --cpuset-cpus {} ...   (or cpuset.cpus of the group)" },
	{ .id = "neighbours",
	  .facts = { HOST_LOAD_NOW },
	  .fact_count = 1,
	  .live = true,
	  .test = neighbours,
	  .good = "others use {} of our CPUs' time",
	  .costs = "others use {} of our CPUs' time",
	  .unknown = "how busy others keep our CPUs",
	  .cost = "a plan that uses all of these CPUs lacks {} of their time, and waits for its slowest thread",
	  .remedy = "ps -eo pid,psr,pcpu,comm --sort=-pcpu | head   (shows who; fettle run --cpus LIST avoids them)" },
	{ .id = "steal",
	  .facts = { HOST_STEAL },
	  .fact_count = 1,
	  .test = steal,
	  .good = "the hypervisor took our CPUs away for {}",
	  .costs = "the hypervisor took our CPUs away for {}",
	  .unknown = "what the hypervisor takes of our CPUs",
	  .cost = "{} of the CPU time at least, and threads wait for the one that was stopped",
	  .remedy = "none in here: ask whoever runs the host for CPUs of your own" },
	{ .id = "pressure-cpu",
	  .facts = { HOST_PRESSURE_CPU },
	  .fact_count = 1,
	  .test = pressure_cpu,
	  .good = "tasks waited for a CPU in {} of the last 10 s",
	  .costs = "tasks waited for a CPU in {} of the last 10 s",
	  .unknown = "how long tasks wait for a CPU",
	  .cost = "that share of the time some thread stood still (kernel: accounting/psi.rst): measure it",
	  .remedy = "ps -eo pid,psr,pcpu,comm --sort=-pcpu | head   (shows who computes)" },
	{ .id = "pressure-memory",
	  .facts = { HOST_PRESSURE_MEMORY },
	  .fact_count = 1,
	  .test = pressure_memory,
	  .good = "tasks waited for memory in {} of the last 10 s",
	  .costs = "tasks waited for memory in {} of the last 10 s",
	  .unknown = "how long tasks wait for memory",
	  .cost = "that share of the time some thread stood still (kernel: accounting/psi.rst): measure it",
	  .remedy = "ps -eo pid,rss,comm --sort=-rss | head   (shows who holds it)" },
	{ .id = "pressure-io",
	  .facts = { HOST_PRESSURE_IO },
	  .fact_count = 1,
	  .test = pressure_io,
	  .good = "tasks waited for the disk in {} of the last 10 s",
	  .costs = "tasks waited for the disk in {} of the last 10 s",
	  .unknown = "how long tasks wait for the disk",
	  .cost = "loading data is slower by what others read and write: measure it",
	  .remedy = "pidstat -d 1 3   (of sysstat; shows who reads and writes)" },
	{ .id = "isolated-cpus",
	  .facts = { HOST_ISOLATED, HOST_NOHZ_FULL, HOST_PARTITION },
	  .fact_count = 3,
	  .test = isolated,
	  .good = "none of our CPUs is isolated",
	  .costs = "our CPUs {} are isolated: the scheduler leaves a thread there where it started",
	  .unknown = "whether our CPUs are isolated",
	  .cost = "unpinned threads crowd one CPU (kernel: admin-guide/kernel-parameters.txt, isolcpus)",
	  .remedy = "fettle run --pin threads -- PROGRAM" },
};

const struct doctor_rules doctor_cpu_rules = { rules, ARRAY_SIZE(rules) };

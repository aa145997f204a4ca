/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules about rights and limits. Which flag of Docker grants which call: moby's default seccomp profile
 * (profiles/seccomp/default.json), where calls stand under the capability that lets them through.
 */
#include "report/doctor_rule.h"

#include "base/cleanup.h"
#include "base/fact.h"

#include <string.h>

/* One right: known and granted is good, refused is blocked with the kernel's word. */
static enum doctor_verdict right(const struct doctor_input *in, enum may_right which, struct doctor_say *say)
{
	const struct fact *fact = &in->machine->may->rights[which];

	if (fact->state == FACT_KNOWN && fact->value)
		doctor_show(say, "%s: granted", fact->source);
	else
		doctor_show_fact(say, may_right_name(which), fact);
	if (fact->state != FACT_KNOWN)
		return fact->state == FACT_ABSENT ? DOCTOR_GOOD : DOCTOR_UNKNOWN;
	if (fact->value)
		return DOCTOR_GOOD;
	text_add(&say->detail, "%s", fact->raw ? fact->raw : "refused");
	return DOCTOR_BLOCKED;
}

static enum doctor_verdict bind_cpu(const struct doctor_input *in, struct doctor_say *say)
{
	return right(in, MAY_BIND_CPU, say);
}

/* Every policy a plan may ask for; with one node none is needed. */
static enum doctor_verdict bind_memory(const struct doctor_input *in, struct doctor_say *say)
{
	static const enum may_right policies[] = { MAY_BIND_MEMORY, MAY_PREFER_MEMORY, MAY_INTERLEAVE,
						   MAY_LOCAL_MEMORY };

	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		const enum doctor_verdict verdict = right(in, policies[i], say);

		if (verdict != DOCTOR_GOOD)
			return verdict;
	}
	return DOCTOR_GOOD;
}

static enum doctor_verdict move_memory(const struct doctor_input *in, struct doctor_say *say)
{
	const enum doctor_verdict verdict = right(in, MAY_MOVE_PAGES, say);

	return verdict == DOCTOR_GOOD ? right(in, MAY_MIGRATE_PAGES, say) : verdict;
}

static enum doctor_verdict counters(const struct doctor_input *in, struct doctor_say *say)
{
	const struct fact *fact = &in->machine->may->rights[MAY_COUNTERS];
	const enum doctor_verdict verdict = right(in, MAY_COUNTERS, say);
	const bool none = fact->raw && strstr(fact->raw, "no such counter");

	if (in->machine->host)
		doctor_show_fact(say, "perf_event_paranoid", doctor_fact(in, HOST_PERF_PARANOID));
	text_add(&say->remedy, "%s",
		 none ? "let the hypervisor show its counters   (QEMU: -cpu host,pmu=on)"
		      : "docker run --cap-add PERFMON ...   (outside: sudo sysctl kernel.perf_event_paranoid=1)");
	return verdict;
}

static enum doctor_verdict trace(const struct doctor_input *in, struct doctor_say *say)
{
	const enum doctor_verdict verdict = right(in, MAY_TRACE_CHILDREN, say);

	if (in->machine->host)
		doctor_show_fact(say, "ptrace_scope", doctor_fact(in, HOST_PTRACE_SCOPE));
	return verdict == DOCTOR_GOOD ? right(in, MAY_TRACE_OTHERS, say) : verdict;
}

static enum doctor_verdict cgroups(const struct doctor_input *in, struct doctor_say *say)
{
	return right(in, MAY_WRITE_CGROUPS, say);
}

static enum doctor_verdict use_amx(const struct doctor_input *in, struct doctor_say *say)
{
	return right(in, MAY_USE_AMX, say);
}

/*
 * Limits with room for many data loaders and large thread pools; a judgement, not a measurement. PyTorch's
 * loaders hold a descriptor for each tensor they share; a limit of processes counts threads, of all the user's
 * programs.
 */
static const struct {
	enum may_limit limit;
	uint64_t enough, wanted;
	const char *what;             /* for people */
	const char *ulimit, *prlimit; /* the option of each */
} floors[] = {
	{ LIMIT_OPEN_FILES, 4096, 65536, "open files", "-n", "nofile" },
	{ LIMIT_PROCESSES, 4096, 65536, "processes and threads", "-u", "nproc" },
	{ LIMIT_STACK_BYTES, 1 << 20, 8 << 20, "bytes of stack", "-s", "stack" },
	{ LIMIT_ADDRESS_SPACE_BYTES, MAY_UNLIMITED, MAY_UNLIMITED, "bytes of address space", "-v", "as" },
	{ LIMIT_CPU_SECONDS, MAY_UNLIMITED, MAY_UNLIMITED, "seconds of CPU time, then a signal", "-t", "cpu" },
};

/* A shell raises its own limit as far as the hard one; past that root does it for the shell. */
static void say_raise(size_t i, uint64_t hard, struct doctor_say *say)
{
	const bool own = hard >= floors[i].wanted;
	/* ulimit counts the stack in KiB. */
	const unsigned unit = own && floors[i].limit == LIMIT_STACK_BYTES ? 1024 : 1;

	text_add(&say->remedy, "%s", say->remedy.length ? " && " : "");
	if (own)
		text_add(&say->remedy, "ulimit %s ", floors[i].ulimit);
	else
		text_add(&say->remedy, "sudo prlimit --pid $$ --%s=", floors[i].prlimit);
	if (floors[i].wanted == MAY_UNLIMITED)
		text_add(&say->remedy, "unlimited");
	else
		text_add(&say->remedy, "%llu", (unsigned long long)floors[i].wanted / unit);
}

static enum doctor_verdict limits(const struct doctor_input *in, struct doctor_say *say)
{
	for (size_t i = 0; i < ARRAY_SIZE(floors); i++) {
		const uint64_t soft = in->machine->may->limits[floors[i].limit].soft;

		if (soft >= floors[i].enough)
			continue;
		doctor_show(say, "getrlimit: %s: %llu", may_limit_name(floors[i].limit), (unsigned long long)soft);
		text_add(&say->detail, "%s%llu %s", say->detail.length ? ", " : "", (unsigned long long)soft,
			 floors[i].what);
		say_raise(i, in->machine->may->limits[floors[i].limit].hard, say);
	}
	return say->detail.length ? DOCTOR_BLOCKED : DOCTOR_GOOD;
}

static const struct doctor_rule rules[] = {
	{ .id = "bind-cpus",
	  .live = true,
	  .test = bind_cpu,
	  .good = "we may bind threads to CPUs",
	  .blocked = "we may not bind threads to CPUs: {}",
	  .unknown = "whether we may bind threads to CPUs",
	  .cost = "instances run into each other: measure it",
	  .remedy = "docker run --security-opt seccomp=unconfined ...   (or a profile with sched_setaffinity)" },
	{ .id = "bind-memory",
	  .live = true,
	  .test = bind_memory,
	  .good = "we may say where memory is placed",
	  .blocked = "we may not say where memory is placed: {}",
	  .unknown = "whether we may say where memory is placed",
	  .cost = "with one memory node nothing; with several, pages stay where they were first touched: measure it",
	  .remedy = "docker run --cap-add SYS_NICE ...   (Kubernetes: securityContext.capabilities.add: [SYS_NICE])" },
	{ .id = "move-memory",
	  .live = true,
	  .test = move_memory,
	  .good = "we may ask where pages are, and move them",
	  .blocked = "we may not ask where pages are, nor move them: {}",
	  .unknown = "whether we may move pages",
	  .remedy = "docker run --security-opt seccomp=PROFILE ... with one that lets move_pages, migrate_pages "
		    "through" },
	{ .id = "counters",
	  .live = true,
	  .test = counters,
	  .good = "we may count hardware events",
	  .blocked = "hardware events cannot be counted: {}",
	  .unknown = "whether we may count hardware events",
	  .remedy = "{}" },
	{ .id = "trace",
	  .live = true,
	  .test = trace,
	  .good = "we may look into our processes' registers",
	  .blocked = "we may not look into our processes' registers: {}",
	  .unknown = "whether we may look into our processes' registers",
	  .remedy = "docker run --cap-add SYS_PTRACE ...   (outside: sudo sysctl kernel.yama.ptrace_scope=0)" },
	{ .id = "cgroups",
	  .live = true,
	  .test = cgroups,
	  .good = "we may make control groups below ours",
	  .blocked = "we may not make control groups below ours: {}",
	  .unknown = "whether we may make control groups",
	  .remedy = "systemd-run --user --scope -p Delegate=yes fettle run ..." },
	{ .id = "amx-permission",
	  .live = true,
	  .test = use_amx,
	  .good = "AMX, if the CPU has it, may be used",
	  .blocked = "the CPU has AMX, and we may not use it: {}",
	  .unknown = "whether AMX may be used",
	  .cost = "matrix products run on AVX-512 instead: measure it",
	  .remedy = "docker run --security-opt seccomp=unconfined ...   (or a profile with arch_prctl)" },
	{ .id = "ulimits",
	  .live = true,
	  .test = limits,
	  .good = "no limit of this process is low",
	  .blocked = "limits of this process are low: {}",
	  .unknown = "the limits of this process",
	  .remedy = "{}   (in Docker: --ulimit)" },
};

const struct doctor_rules doctor_right_rules = { rules, ARRAY_SIZE(rules) };

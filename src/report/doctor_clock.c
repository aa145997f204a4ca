/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about the clock: governor, limit, boost. */
#include "report/doctor_rule.h"

#include "base/cleanup.h"

#include <string.h>

static enum doctor_verdict governor(const struct doctor_input *in, struct doctor_say *say)
{
	const struct fact *fact = doctor_fact(in, HOST_GOVERNOR);
	const uint64_t least = doctor_number(in, HOST_MIN_MHZ), most = doctor_number(in, HOST_MAX_MHZ);
	/* These drivers choose the clock themselves whatever the governor; the others take it at its word. */
	const bool follows = doctor_is(in, HOST_FREQUENCY_DRIVER, "intel_pstate") ||
			     doctor_is(in, HOST_FREQUENCY_DRIVER, "amd-pstate-epp");

	if (fact->state == FACT_ABSENT) {
		text_add(&say->detail, "none: the firmware or the hypervisor sets the clock");
		return DOCTOR_GOOD;
	}
	text_add(&say->detail, "'%s'", fact->raw);
	if (strcmp(fact->raw, "performance") == 0)
		return DOCTOR_GOOD;
	if (!follows && strstr(fact->raw, "powersave") && least && most)
		text_add(&say->cost, "'powersave' holds the lowest clock, %llu of %llu MHz", (unsigned long long)least,
			 (unsigned long long)most);
	else
		text_add(&say->cost, "the clock follows the load and rises late: measure it");
	return DOCTOR_COSTS;
}

/* Below this share of what the hardware can do it is a limit, not a rounding. */
enum { LIMIT_PERCENT = 98 };

static enum doctor_verdict limit(const struct doctor_input *in, struct doctor_say *say)
{
	const uint64_t allowed = doctor_number(in, HOST_LIMIT_MHZ), most = doctor_number(in, HOST_MAX_MHZ);

	if (!allowed || !most || allowed * 100 >= most * LIMIT_PERCENT)
		return DOCTOR_GOOD;
	text_add(&say->detail, "%llu of %llu MHz", (unsigned long long)allowed, (unsigned long long)most);
	text_add(&say->cost, "%.2f", (double)most / (double)allowed);
	text_add(&say->remedy, "%llu", (unsigned long long)most);
	return DOCTOR_COSTS;
}

static enum doctor_verdict boost(const struct doctor_input *in, struct doctor_say *say)
{
	const struct fact *fact = doctor_fact(in, HOST_BOOST);
	const uint64_t base = doctor_number(in, HOST_BASE_MHZ), most = doctor_number(in, HOST_MAX_MHZ);
	const bool turbo = fact->source && strstr(fact->source, "no_turbo");

	if (fact->state == FACT_ABSENT || fact->value)
		return DOCTOR_GOOD;
	if (base && most)
		text_add(&say->cost, "at most %llu instead of %llu MHz, less under load and heat: measure it",
			 (unsigned long long)base, (unsigned long long)most);
	else
		text_add(&say->cost, "measure it");
	text_add(&say->remedy, "echo %d | sudo tee %s", turbo ? 0 : 1, fact->source);
	return DOCTOR_COSTS;
}

static const struct doctor_rule rules[] = {
	{ .id = "cpu-governor",
	  .facts = { HOST_GOVERNOR, HOST_FREQUENCY_DRIVER },
	  .fact_count = 2,
	  .test = governor,
	  .good = "frequency governor: {}",
	  .costs = "frequency governor: {}",
	  .unknown = "the frequency governor",
	  .cost = "{} (kernel: admin-guide/pm/cpufreq.rst)",
	  .remedy = "sudo cpupower frequency-set -g performance" },
	{ .id = "clock-limit",
	  .facts = { HOST_LIMIT_MHZ, HOST_MAX_MHZ },
	  .fact_count = 2,
	  .test = limit,
	  .good = "nobody limits the clock",
	  .costs = "the clock is limited to {}",
	  .unknown = "a limit of the clock",
	  .cost = "up to {} times the time of what computes rather than waits (the ratio of the two clocks)",
	  .remedy = "sudo cpupower frequency-set -u {}MHz" },
	{ .id = "boost",
	  .facts = { HOST_BOOST },
	  .fact_count = 1,
	  .test = boost,
	  .good = "boost is not switched off",
	  .costs = "boost is switched off",
	  .unknown = "boost",
	  .cost = "{}",
	  .remedy = "{}" },
};

const struct doctor_rules doctor_clock_rules = { rules, ARRAY_SIZE(rules) };

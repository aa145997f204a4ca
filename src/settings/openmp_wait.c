/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What threads of a team do while there is nothing to do, and how loops are shared out. Each runtime has a knob of
 * its own beside OMP_WAIT_POLICY, and it wins over that: both say the same, or the user's policy would not hold.
 */
#include "base/cleanup.h"
#include "base/fact.h"
#include "machine/machine.h"
#include "settings/openmp.h"
#include "settings/rule.h"

#include <string.h>
#include <strings.h>

static enum wait asked(const struct settings_input *in)
{
	return in->workload->request.wait;
}

/* The guide's 0 or 1 ms: with --openmp intel the user takes that guide's advice. */
static bool guides_blocktime(const struct settings_input *in)
{
	return in->workload->request.openmp == OPENMP_INTEL && asked(in) == WAIT_AUTO;
}

/* The policy that the user set in the environment, unless it is taken out. */
static const char *users_policy(const struct settings_input *in)
{
	return settings_user_value(in, "OMP_WAIT_POLICY");
}

bool openmp_wait_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return asked(in) != WAIT_AUTO;
}

void openmp_wait_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	text_add(value, "%s", wait_words[asked(in)]);
}

bool openmp_spincount_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return in->workload->openmp == OPENMP_GNU && asked(in) != WAIT_AUTO && !users_policy(in);
}

void openmp_spincount_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	text_add(value, asked(in) == WAIT_ACTIVE ? "infinite" : "0");
}

bool openmp_blocktime_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return openmp_is_kmp(in->workload->openmp) && (guides_blocktime(in) || asked(in) != WAIT_AUTO) &&
	       !users_policy(in);
}

void openmp_blocktime_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	text_add(value, guides_blocktime(in) ? "1" : asked(in) == WAIT_ACTIVE ? "infinite" : "0");
}

void openmp_blocktime_explain(const struct settings_input *in, struct text *why)
{
	if (guides_blocktime(in))
		text_add(why, "; 1 ms is what the guide advises for convolutional networks; --wait changes it");
}

bool openmp_schedule_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return in->workload->request.schedule == SCHEDULE_STATIC;
}

void openmp_schedule_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	text_add(value, "%s", schedule_words[in->workload->request.schedule]);
}

/* A wish that what the user set stands against. */
static int check_policy(const struct settings_input *in)
{
	const char *policy = users_policy(in);

	if (asked(in) == WAIT_AUTO || !policy || strcasecmp(policy, wait_words[asked(in)]) == 0)
		return 0;
	return plan_note(&in->plan->warnings, "user-wait", NULL,
			 "OMP_WAIT_POLICY='%s' is the user's and stays: --wait %s changes nothing", policy,
			 wait_words[asked(in)]);
}

/* Spinning costs where CPUs are not the threads' own. */
static int check_spinning(const struct settings_input *in)
{
	const struct fact *quota = &in->machine->limits.quota_milli;

	if (asked(in) != WAIT_ACTIVE || users_policy(in))
		return 0;
	if (quota->state == FACT_KNOWN)
		return plan_note(&in->plan->warnings, "wait-spins", NULL,
				 "--wait active: threads that spin use up the CPU quota (%.1f CPUs)",
				 (double)quota->value / 1000);
	for (size_t i = 0; i < in->plan->instance_count; i++) {
		const struct plan_instance *instance = &in->plan->instances[i];
		const int cpus = hwloc_bitmap_weight(instance->mask_os);

		if (cpus > 0 && openmp_most_threads(in) > (unsigned)cpus)
			return plan_note(&in->plan->warnings, "wait-spins", NULL,
					 "--wait active: instance %u has %u threads on %d CPUs: those that spin keep "
					 "the CPU from those that work",
					 instance->index, openmp_most_threads(in), cpus);
	}
	return 0;
}

int openmp_check_wait(const struct settings_input *in)
{
	return check_policy(in) < 0 || check_spinning(in) < 0 ? -ENOMEM : 0;
}

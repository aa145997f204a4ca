/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of the OpenMP runtimes. What only one of them reads is set only where that one is known to be in charge.
 */
#include "settings/openmp.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "settings/rule.h"
#include "settings/user.h"

#include <string.h>

/* The first number of "4", " 4" or "4,2" (one a nesting level). False: no number stands there. */
static bool leading_number(const char *text, unsigned *ret_number)
{
	char digits[16];
	size_t length;

	text += strspn(text, " \t");
	length = strspn(text, "0123456789");
	if (length == 0 || length >= sizeof(digits) || !strchr(", \t", text[length]))
		return false;
	memcpy(digits, text, length);
	digits[length] = '\0';
	return parse_unsigned(digits, ret_number) == 0;
}

unsigned openmp_most_threads(const struct settings_input *in)
{
	const char *users = settings_user_value(in, "OMP_NUM_THREADS");
	unsigned most = 0, number;

	for (size_t i = 0; i < in->plan->instance_count; i++) {
		const unsigned each = workload_threads_each(in->workload, in->plan->instances[i].threads);

		most = each > most ? each : most;
	}
	return users && leading_number(users, &number) && number > most ? number : most;
}

/* Does the user's limit stand below them? What is no number is none to the runtime either. */
static bool limit_is_low(const struct settings_input *in)
{
	const char *limit = settings_user_value(in, "OMP_THREAD_LIMIT");
	unsigned number;

	return limit && leading_number(limit, &number) && number < openmp_most_threads(in);
}

static bool limit_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return in->workload->request.repair && limit_is_low(in);
}

static void limit_merge(const struct settings_input *in, const struct plan_instance *instance, const char *users,
			struct text *value)
{
	(void)instance;
	(void)users;
	text_add(value, "%u", openmp_most_threads(in));
}

static const struct setting_rule rules[] = {
	{ .name = "OMP_NUM_THREADS",
	  .applies = setting_threads_apply,
	  .value = setting_threads_value,
	  .why = "one thread for each planned place, instead of whatever the runtime counts (guide, OpenMP; libgomp "
		 "manual, OMP_NUM_THREADS)",
	  .explain = setting_threads_explain },
	{ .name = "OMP_PLACES",
	  .applies = openmp_places_apply,
	  .value = openmp_places_value,
	  .why = "each thread has its own planned CPU, by OS number and in thread order (libgomp manual, OMP_PLACES)",
	  .risk = "the runtime binds the main thread when it is loaded, and a forked child inherits that one CPU: "
		  "fettle's agent undoes this" },
	{ .name = "OMP_PROC_BIND",
	  .applies = openmp_proc_bind_applies,
	  .value = openmp_proc_bind_value,
	  .why = "thread n takes the place after thread n-1 (guide, GNU OpenMP; libgomp manual, OMP_PROC_BIND)" },
	{ .name = "GOMP_CPU_AFFINITY", .applies = openmp_pins_threads },
	{ .name = "KMP_AFFINITY",
	  .applies = openmp_proclist_applies,
	  .value = openmp_proclist_value,
	  .why = "each thread has its own planned CPU, by OS number and in thread order: explicit, where "
		 "granularity=fine,compact,1,0 would count through all CPUs of the process (guide, Intel OpenMP; LLVM "
		 "OpenMP, KMP_AFFINITY)",
	  .risk = "OMP_PLACES beside it would have a libgomp that is still mapped bind the main thread first, and "
		  "this runtime then finds one CPU" },
	/* What is the user's own is shown under the runtimes for which fettle has another variable. */
	{ .name = "OMP_PLACES", .applies = openmp_standard_shows },
	{ .name = "OMP_PROC_BIND", .applies = openmp_standard_shows },
	{ .name = "KMP_AFFINITY", .applies = openmp_kmp_affinity_shows },
	{ .name = "KMP_HW_SUBSET", .applies = openmp_subset_shows },
	{ .name = "OMP_WAIT_POLICY",
	  .applies = openmp_wait_applies,
	  .value = openmp_wait_value,
	  .why = "what threads do between parallel regions: sleep, or spin and start faster (--wait; OpenMP 5.2, "
		 "21.1.9)",
	  .risk = "active: idle threads take the CPU from others; passive: each region begins with a wake-up",
	  .option = "wait",
	  .asked = true },
	{ .name = "GOMP_SPINCOUNT",
	  .applies = openmp_spincount_applies,
	  .value = openmp_spincount_value,
	  .why = "GNU's measure of the same, which it prefers to OMP_WAIT_POLICY (libgomp manual, GOMP_SPINCOUNT)",
	  .option = "wait",
	  .asked = true },
	{ .name = "KMP_BLOCKTIME",
	  .applies = openmp_blocktime_applies,
	  .value = openmp_blocktime_value,
	  .why = "milliseconds of spinning before a thread sleeps, which this runtime prefers to OMP_WAIT_POLICY; "
		 "200 by default (guide, Intel OpenMP)",
	  .explain = openmp_blocktime_explain,
	  .option = "wait",
	  .asked = true },
	{ .name = "OMP_SCHEDULE",
	  .applies = openmp_schedule_applies,
	  .value = openmp_schedule_value,
	  .why = "equal shares for each thread; reaches only loops compiled with schedule(runtime) (guide, GNU OpenMP; "
		 "OpenMP 5.2, 21.1.1)",
	  .option = "schedule",
	  .asked = true },
	{ .name = "OMP_THREAD_LIMIT",
	  .applies = limit_applies,
	  .merge = limit_merge,
	  .option = "repair",
	  .why = "raised to OMP_NUM_THREADS: below it backward propagation can hang (guide, OpenMP)",
	  .asked = true },
};

/* OMP_NUM_THREADS of the user against the plan, which bent around it as far as the machine allows. */
static int check_threads(const struct settings_input *in)
{
	const char *users = settings_user_value(in, "OMP_NUM_THREADS");
	unsigned number;

	for (size_t i = 0; users && i < in->plan->instance_count; i++) {
		const struct plan_instance *instance = &in->plan->instances[i];
		const unsigned planned = workload_threads_each(in->workload, instance->threads);

		if (!planned || (leading_number(users, &number) && number == planned))
			continue;
		return plan_note(&in->plan->warnings, "user-threads", NULL,
				 "OMP_NUM_THREADS='%s' is the user's and stays, but instance %u is planned for %u "
				 "threads",
				 users, instance->index, planned);
	}
	return 0;
}

/* The guide's "backward propagation hanging issues". An explicit --set is not repaired: the two words contradict. */
static int openmp_refuse(const struct settings_input *in, struct err *err)
{
	const char *limit = settings_user_value(in, "OMP_THREAD_LIMIT");
	const bool asked = wishes_set(&in->workload->wishes, "OMP_THREAD_LIMIT");
	int r = openmp_refuse_runtime(in, err);

	if (r < 0)
		return r;
	if (!limit_is_low(in) || (in->workload->request.repair && !asked))
		return 0;
	(void)err_set(err, -EINVAL, "OMP_THREAD_LIMIT=%s is below OMP_NUM_THREADS=%u: backward propagation can hang",
		      limit, openmp_most_threads(in));
	return err_hint(err,
			asked ? "possible: --set OMP_THREAD_LIMIT=%u or more"
			      : "possible: --repair, which raises it to %u; --unset OMP_THREAD_LIMIT; fewer --threads",
			openmp_most_threads(in));
}

static int openmp_check(const struct settings_input *in)
{
	return check_threads(in) < 0 || openmp_check_runtime(in) < 0 || openmp_check_binding(in) < 0 ||
			       openmp_check_wait(in) < 0
		       ? -ENOMEM
		       : 0;
}

/* Without our places nobody pins single threads: the plan must not say so. */
static int openmp_left_out(const struct settings_input *in)
{
	bool pinned = false;

	for (size_t i = 0; i < in->plan->instance_count; i++) {
		if (in->plan->instances[i].pin != PIN_THREADS)
			continue;
		in->plan->instances[i].pin = PIN_INSTANCE;
		pinned = true;
	}
	return pinned ? plan_note(&in->plan->reasons, "openmp", "--no openmp",
				  "single threads are not pinned, only the process")
		      : 0;
}

const struct setting_family family_openmp = {
	.name = "openmp",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
	.check = openmp_check,
	.refuse = openmp_refuse,
	.left_out = openmp_left_out,
};

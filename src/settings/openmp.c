/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every OpenMP runtime reads. Where two variables that bind threads meet, the runtimes disagree (seen with
 * libgomp 12 and LLVM 14): libgomp lets OMP_PLACES silently win over GOMP_CPU_AFFINITY and does not read KMP_AFFINITY;
 * LLVM lets KMP_AFFINITY, then GOMP_CPU_AFFINITY win over OMP_PLACES and OMP_PROC_BIND. So as soon as the user says
 * one of them, we say none.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "settings/rule.h"
#include "settings/user.h"

#include <string.h>
#include <strings.h>

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

/* With these our places still hold; with any other word (false, master, primary) threads are not spread over them. */
static bool keeps_places(const char *proc_bind)
{
	return strcasecmp(proc_bind, "true") == 0 || strcasecmp(proc_bind, "close") == 0 ||
	       strcasecmp(proc_bind, "spread") == 0;
}

/* The user's variable that decides where threads run, so that we do not; NULL: there is none. */
static const char *users_binding(const struct settings_input *in)
{
	static const char *const names[] = { "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY" };
	const char *proc_bind = settings_user_value(in, "OMP_PROC_BIND");

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (settings_user_value(in, names[i]))
			return names[i];
	}
	if (wishes_unset(&in->workload->wishes, "OMP_PLACES"))
		return "OMP_PLACES";
	return proc_bind && !keeps_places(proc_bind) ? "OMP_PROC_BIND" : NULL;
}

static bool pins_threads(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)in;
	return instance->pin == PIN_THREADS;
}

static bool binds(const struct settings_input *in, const struct plan_instance *instance, const char *name)
{
	return pins_threads(in, instance) && (settings_user_value(in, name) || !users_binding(in));
}

static bool places_apply(const struct settings_input *in, const struct plan_instance *instance)
{
	return binds(in, instance, "OMP_PLACES");
}

static bool proc_bind_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	return binds(in, instance, "OMP_PROC_BIND");
}

/* The most threads a program of the plan will ask its runtime for: a user's OMP_NUM_THREADS stays. */
static unsigned most_threads(const struct settings_input *in)
{
	const char *users = settings_user_value(in, "OMP_NUM_THREADS");
	unsigned most = 0, number;

	for (size_t i = 0; i < in->plan->instance_count; i++)
		most = in->plan->instances[i].threads > most ? in->plan->instances[i].threads : most;
	return users && leading_number(users, &number) && number > most ? number : most;
}

/* Does the user's limit stand below them? What is no number is none to the runtime either. */
static bool limit_is_low(const struct settings_input *in)
{
	const char *limit = settings_user_value(in, "OMP_THREAD_LIMIT");
	unsigned number;

	return limit && leading_number(limit, &number) && number < most_threads(in);
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
	text_add(value, "%u", most_threads(in));
}

static void threads_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	text_add(value, "%u", instance->threads);
}

/* A run of neighbours is "{first}:length" (OpenMP 5.2, 21.1.6): on a large machine the list alone would be kilobytes.
 */
static void places_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	const unsigned *places = instance->places_os;

	(void)in;
	for (unsigned i = 0, length; i < instance->threads; i += length) {
		for (length = 1; i + length < instance->threads && places[i + length] == places[i] + length;)
			length++;
		text_add(value, "%s{%u}", i ? "," : "", places[i]);
		if (length > 1)
			text_add(value, ":%u", length);
	}
}

static void proc_bind_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	(void)instance;
	text_add(value, "close");
}

static const struct setting_rule rules[] = {
	{ .name = "OMP_NUM_THREADS",
	  .value = threads_value,
	  .why = "one thread for each planned place, instead of whatever the runtime counts (guide, OpenMP; libgomp "
		 "manual, OMP_NUM_THREADS)" },
	{ .name = "OMP_PLACES",
	  .applies = places_apply,
	  .value = places_value,
	  .why = "each thread has its own planned CPU, by OS number and in thread order (libgomp manual, OMP_PLACES)",
	  .risk = "the runtime binds the main thread when it is loaded, and a forked child inherits that one CPU: "
		  "fettle's agent undoes this" },
	{ .name = "OMP_PROC_BIND",
	  .applies = proc_bind_applies,
	  .value = proc_bind_value,
	  .why = "thread n takes the place after thread n-1 (guide, GNU OpenMP; libgomp manual, OMP_PROC_BIND)" },
	{ .name = "GOMP_CPU_AFFINITY", .applies = pins_threads },
	{ .name = "KMP_AFFINITY", .applies = pins_threads },
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

		if (leading_number(users, &number) && number == instance->threads)
			continue;
		return plan_note(&in->plan->warnings, "user-threads", NULL,
				 "OMP_NUM_THREADS='%s' is the user's and stays, but instance %u is planned for %u "
				 "threads",
				 users, instance->index, instance->threads);
	}
	return 0;
}

/* The guide's "backward propagation hanging issues". An explicit --set is not repaired: the two words contradict. */
static int openmp_refuse(const struct settings_input *in, struct err *err)
{
	const char *limit = settings_user_value(in, "OMP_THREAD_LIMIT");
	const bool asked = wishes_set(&in->workload->wishes, "OMP_THREAD_LIMIT");

	if (!limit_is_low(in) || (in->workload->request.repair && !asked))
		return 0;
	(void)err_set(err, -EINVAL, "OMP_THREAD_LIMIT=%s is below OMP_NUM_THREADS=%u: backward propagation can hang",
		      limit, most_threads(in));
	return err_hint(err,
			asked ? "possible: --set OMP_THREAD_LIMIT=%u or more"
			      : "possible: --repair, which raises it to %u; --unset OMP_THREAD_LIMIT; fewer --threads",
			most_threads(in));
}

static int check_binding(const struct settings_input *in)
{
	const char *binding = users_binding(in);
	const char *value = binding ? settings_user_value(in, binding) : NULL;

	for (size_t i = 0; binding && i < in->plan->instance_count; i++) {
		if (in->plan->instances[i].pin != PIN_THREADS)
			continue;
		if (!value)
			return plan_note(&in->plan->warnings, "user-binding", NULL,
					 "threads were to be pinned, but %s is taken out as asked: fettle binds the "
					 "process only",
					 binding);
		return plan_note(
			&in->plan->warnings, "user-binding", NULL,
			"threads were to be pinned, but %s='%s' is the user's: it alone says where threads run%s",
			binding, value,
			strcmp(binding, "KMP_AFFINITY") == 0 ? ", and GNU's libgomp does not read it" : "");
	}
	return 0;
}

static int openmp_check(const struct settings_input *in)
{
	return check_threads(in) < 0 || check_binding(in) < 0 ? -ENOMEM : 0;
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

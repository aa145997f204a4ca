/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where threads run. Where two variables that bind threads meet, the runtimes disagree (seen with libgomp 12, LLVM 13
 * to 19 and Intel 2026): libgomp lets OMP_PLACES silently win over GOMP_CPU_AFFINITY and does not read KMP_AFFINITY;
 * LLVM and Intel let KMP_AFFINITY, then GOMP_CPU_AFFINITY win over OMP_PLACES and OMP_PROC_BIND. So as soon as the user
 * says one of them that the runtime reads, we say none.
 *
 * LLVM's runtime gets its CPUs by KMP_AFFINITY and never by OMP_PLACES: with places its versions 13 to 15 free a
 * pointer that malloc never gave, in the child of a fork after a parallel region ("free(): invalid size"); 16 and 19 do
 * not, and with KMP_AFFINITY none does.
 */
#include "base/cleanup.h"
#include "settings/openmp.h"
#include "settings/rule.h"
#include "settings/user.h"

#include <string.h>
#include <strings.h>

/* With these our places still hold; with any other word (false, master, primary) threads are not spread over them. */
static bool keeps_places(const char *proc_bind)
{
	return strcasecmp(proc_bind, "true") == 0 || strcasecmp(proc_bind, "close") == 0 ||
	       strcasecmp(proc_bind, "spread") == 0;
}

/* OMP_PROC_BIND beside KMP_AFFINITY is ignored by the runtime that reads it, and obeyed by a libgomp mapped beside. */
static bool allows(const struct settings_input *in, const char *proc_bind)
{
	return !proc_bind || (!openmp_is_kmp(in->workload->openmp) && keeps_places(proc_bind));
}

/* The variable with which we say where threads run. */
static const char *our_variable(const struct settings_input *in)
{
	return openmp_is_kmp(in->workload->openmp) ? "KMP_AFFINITY" : "OMP_PLACES";
}

/* The user's variable that decides where threads run, so that we do not; NULL: there is none. */
static const char *users_binding(const struct settings_input *in)
{
	static const char *const names[] = { "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const bool unread = in->workload->openmp == OPENMP_GNU && strcmp(names[i], "KMP_AFFINITY") == 0;

		if (!unread && settings_user_value(in, names[i]))
			return names[i];
	}
	if (wishes_unset(&in->workload->wishes, our_variable(in)))
		return our_variable(in);
	return allows(in, settings_user_value(in, "OMP_PROC_BIND")) ? NULL : "OMP_PROC_BIND";
}

bool openmp_pins_threads(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)in;
	return instance->pin == PIN_THREADS;
}

static bool binds(const struct settings_input *in, const struct plan_instance *instance, const char *name)
{
	return openmp_pins_threads(in, instance) && (settings_user_value(in, name) || !users_binding(in));
}

bool openmp_places_apply(const struct settings_input *in, const struct plan_instance *instance)
{
	return !openmp_is_kmp(in->workload->openmp) && binds(in, instance, "OMP_PLACES");
}

bool openmp_proc_bind_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	return !openmp_is_kmp(in->workload->openmp) && binds(in, instance, "OMP_PROC_BIND");
}

bool openmp_proclist_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	return openmp_is_kmp(in->workload->openmp) && binds(in, instance, "KMP_AFFINITY");
}

bool openmp_kmp_affinity_shows(const struct settings_input *in, const struct plan_instance *instance)
{
	return openmp_pins_threads(in, instance) && in->workload->openmp == OPENMP_ANY;
}

bool openmp_standard_shows(const struct settings_input *in, const struct plan_instance *instance)
{
	return openmp_pins_threads(in, instance) && openmp_is_kmp(in->workload->openmp);
}

bool openmp_subset_shows(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return in->workload->openmp != OPENMP_GNU;
}

/* Places from `i` on whose CPU numbers follow each other. */
static unsigned run_length(const struct plan_instance *instance, unsigned i)
{
	const unsigned *places = instance->places_os;
	unsigned length = 1;

	while (i + length < instance->threads && places[i + length] == places[i] + length)
		length++;
	return length;
}

/* A run of neighbours is "{first}:length" (OpenMP 5.2, 21.1.6): on a large machine the list alone would be kilobytes.
 */
void openmp_places_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	for (unsigned i = 0, length; i < instance->threads; i += length) {
		length = run_length(instance, i);
		text_add(value, "%s{%u}", i ? "," : "", instance->places_os[i]);
		if (length > 1)
			text_add(value, ":%u", length);
	}
}

void openmp_proc_bind_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	(void)instance;
	text_add(value, "close");
}

/* In this list a run is "first-last". */
void openmp_proclist_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	text_add(value, "granularity=fine,proclist=[");
	for (unsigned i = 0, length; i < instance->threads; i += length) {
		length = run_length(instance, i);
		text_add(value, "%s%u", i ? "," : "", instance->places_os[i]);
		if (length > 1)
			text_add(value, "-%u", instance->places_os[i] + length - 1);
	}
	text_add(value, "],explicit");
}

static int check_subset(const struct settings_input *in)
{
	const char *subset = settings_user_value(in, "KMP_HW_SUBSET");

	return subset && openmp_is_kmp(in->workload->openmp)
		       ? plan_note(&in->plan->warnings, "user-subset", NULL,
				   "KMP_HW_SUBSET='%s' is the user's and stays: the runtime takes CPUs of that subset "
				   "only, which may be fewer than planned",
				   subset)
		       : 0;
}

static int check_users_binding(const struct settings_input *in)
{
	const char *binding = users_binding(in);
	const char *value = binding ? settings_user_value(in, binding) : NULL;
	bool pinned = false;

	for (size_t i = 0; i < in->plan->instance_count; i++)
		pinned |= in->plan->instances[i].pin == PIN_THREADS;
	if (!binding || !pinned)
		return 0;
	if (!value)
		return plan_note(&in->plan->warnings, "user-binding", NULL,
				 "threads were to be pinned, but %s is taken out as asked: fettle binds the process "
				 "only",
				 binding);
	return plan_note(&in->plan->warnings, "user-binding", NULL,
			 "threads were to be pinned, but %s='%s' is the user's: it alone says where threads run%s",
			 binding, value,
			 strcmp(binding, "KMP_AFFINITY") == 0 && in->workload->openmp == OPENMP_ANY
				 ? ", and GNU's libgomp does not read it"
				 : "");
}

int openmp_check_binding(const struct settings_input *in)
{
	return check_users_binding(in) < 0 || check_subset(in) < 0 ? -ENOMEM : 0;
}

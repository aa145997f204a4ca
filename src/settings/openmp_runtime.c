/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which runtime is in charge, and what of the user's variables nobody reads for that reason. One runtime a process:
 * LLVM's and Intel's answer for GNU's functions too, GNU's does not answer for theirs (__kmpc_*).
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "settings/openmp.h"
#include "settings/preload.h"
#include "settings/rule.h"

#include <string.h>

int openmp_refuse_runtime(const struct settings_input *in, struct err *err)
{
	const struct workload *workload = in->workload;
	const char *reason = workload->openmp_preload ? preload_refused(in) : NULL;

	if (!workload->request.openmp)
		return 0;
	if (workload->openmp_preload && !reason && !preload_path_fits(workload->openmp_preload))
		reason = "its path holds a character that LD_PRELOAD cannot";
	if (!reason)
		return 0;
	(void)err_set(err, -EINVAL, "--openmp %s: %s, and %s is not what the program loads by itself",
		      openmp_words[workload->request.openmp], reason, openmp_names[workload->request.openmp]);
	return err_hint(err, "possible: --openmp auto, which keeps the program's own runtime");
}

/* Does the runtime in charge leave this variable unread? GNU's has GOMP_CPU_AFFINITY and GOMP_STACKSIZE read by all. */
static bool is_unread(enum openmp_kind kind, const char *entry)
{
	if (kind == OPENMP_GNU)
		return strncmp(entry, "KMP_", 4) == 0;
	return openmp_is_kmp(kind) && strncmp(entry, "GOMP_SPINCOUNT=", 15) == 0;
}

static int add_unread(const struct settings_input *in, const char *entry, struct text *names)
{
	cleanup_free char *name = strndup(entry, strcspn(entry, "="));

	if (!name)
		return -ENOMEM;
	if (is_unread(in->workload->openmp, entry) && settings_user_value(in, name))
		text_add(names, "%s%s", names->length ? ", " : "", name);
	return names->failed ? -ENOMEM : 0;
}

static int check_unread(const struct settings_input *in)
{
	const struct wishes *wishes = &in->workload->wishes;
	cleanup_text struct text names = TEXT_INIT;

	for (const char *const *entry = in->workload->environment; entry && *entry; entry++) {
		if (add_unread(in, *entry, &names) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < wishes->set_count; i++) {
		cleanup_free char *name = strndup(wishes->set[i], strcspn(wishes->set[i], "="));

		if (!name || (!workload_getenv(in->workload, name) && add_unread(in, wishes->set[i], &names) < 0))
			return -ENOMEM;
	}
	return names.length ? plan_note(&in->plan->warnings, "setting-ineffective", NULL,
					"set by the user, and nothing will read it: %s (%s is in charge)", names.data,
					openmp_names[in->workload->openmp])
			    : 0;
}

/* Another kind beside the one in charge. */
static int check_second(const struct settings_input *in)
{
	const struct workload *workload = in->workload;
	const enum openmp_kind second = workload->openmp_second;

	if (second == OPENMP_ANY)
		return 0;
	if (workload->openmp_at_start && openmp_is_kmp(workload->openmp))
		return plan_note(&in->plan->reasons, "openmp-second", workload->openmp_second_by,
				 "%s stays mapped beside %s, which answers for it", openmp_names[second],
				 openmp_names[workload->openmp]);
	return plan_note(&in->plan->warnings, "openmp-two-runtimes", NULL,
			 "%s is loaded (by %s) beside %s: each may run a team of its own; --openmp %s makes it one",
			 openmp_names[second], workload->openmp_second_by ? workload->openmp_second_by : "the program",
			 openmp_names[workload->openmp], openmp_words[openmp_is_kmp(second) ? second : OPENMP_INTEL]);
}

/* Who is in charge, where that was looked for. */
static int tell(const struct settings_input *in)
{
	const struct workload *workload = in->workload;

	if (workload->openmp_preload)
		return plan_note(&in->plan->reasons, "openmp-runtime", workload->openmp_preload,
				 "%s is preloaded and runs the teams (asked)", openmp_names[workload->openmp]);
	if (workload->openmp_path)
		return plan_note(&in->plan->reasons, "openmp-runtime", workload->openmp_path,
				 "%s runs the teams: it is the one this program loads", openmp_names[workload->openmp]);
	if (workload->openmp_nobody && workload->openmp)
		return plan_note(&in->plan->reasons, "openmp-runtime", "libraries",
				 "%s runs the teams, in one of several copies (%s)", openmp_names[workload->openmp],
				 workload->openmp_nobody);
	return workload->openmp_nobody ? plan_note(&in->plan->reasons, "openmp-runtime", "libraries",
						   "only what every OpenMP runtime reads is set: which one will be "
						   "there is not known (%s)",
						   workload->openmp_nobody)
				       : 0;
}

int openmp_check_runtime(const struct settings_input *in)
{
	return tell(in) < 0 || check_second(in) < 0 || check_unread(in) < 0 ? -ENOMEM : 0;
}

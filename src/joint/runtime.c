/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/runtime.h"

#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "joint/cache_folder.h"
#include "joint/decide.h"
#include "joint/exit_code.h"
#include "joint/options.h"
#include "joint/seen.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "settings/rule.h"
#include "settings/user.h"
#include "target/library_trial.h"
#include "target/target.h"

#include <string.h>

static int usage(struct decision *decision)
{
	decision->exit_code = EXIT_USAGE;
	return -EINVAL;
}

/* A wish about a family that is to be left alone. */
static int check_words(struct decision *decision, struct err *err)
{
	const struct request *request = &decision->workload.request;
	const char *name = request->openmp ? "openmp" : request->wait ? "wait" : request->schedule ? "schedule" : NULL;

	if (!name || !wishes_without(&decision->workload.wishes, family_openmp.name))
		return 0;
	(void)err_set(err, -EINVAL, "options '--%s' and '--no %s' do not go together", name, family_openmp.name);
	return usage(decision);
}

/* Is it a knob of one runtime only? */
static bool is_runtimes_own(const char *entry)
{
	return strncmp(entry, "KMP_", 4) == 0 || strncmp(entry, "GOMP_", 5) == 0;
}

/* Does anything depend on whose runtime it is? */
static bool matters(const struct decision *decision)
{
	const struct workload *workload = &decision->workload;

	if (wishes_without(&workload->wishes, family_openmp.name))
		return false;
	if (workload->request.openmp || workload->request.wait)
		return true;
	for (size_t i = 0; i < decision->plan->instance_count; i++) {
		if (decision->plan->instances[i].pin == PIN_THREADS)
			return true;
	}
	for (const char *const *entry = workload->environment; entry && *entry; entry++) {
		if (is_runtimes_own(*entry))
			return true;
	}
	for (size_t i = 0; i < workload->wishes.set_count; i++) {
		if (is_runtimes_own(workload->wishes.set[i]))
			return true;
	}
	return false;
}

/* ---- A runtime asked for by name ---- */

static const char *const brought_by[OPENMP_KIND_COUNT] = {
	[OPENMP_GNU] = "Debian's package libgomp1 brings it",
	[OPENMP_INTEL] = "'pip install intel-openmp' in the program's Python environment brings it",
	[OPENMP_LLVM] = "Debian's package libomp5 brings it",
};

static int refuse_gnu(struct decision *decision, enum openmp_kind loaded, const char *by, struct err *err)
{
	(void)err_set(err, -EINVAL,
		      "--openmp gnu: the program loads %s (%s), whose functions GNU's libgomp has not got",
		      openmp_names[loaded], by ? by : "at its start");
	(void)err_hint(err, "possible: --openmp %s, or auto", openmp_words[loaded]);
	return usage(decision);
}

/* Can this one be preloaded? */
static int check_candidate(struct decision *decision, enum openmp_kind kind, const char *library_path, struct err *err)
{
	const struct openmp_candidate *candidate = &decision->openmp.candidates[kind];
	cleanup_free char *tried = NULL;
	const char *why_not = candidate->why_not;
	int r;

	if (!candidate->path) {
		(void)err_set(err, -EINVAL, "--openmp %s: %s is not found for this program", openmp_words[kind],
			      openmp_names[kind]);
		(void)err_hint(err, "%s", brought_by[kind]);
		return usage(decision);
	}
	if (!why_not && decision->openmp.program) {
		r = library_try(decision->openmp.program, candidate->path, library_path, &tried, err);
		if (r < 0)
			return r;
		why_not = tried;
	}
	if (!why_not)
		return 0;
	(void)err_set(err, -EINVAL, "--openmp %s: '%s' cannot be loaded: %s", openmp_words[kind], candidate->path,
		      why_not);
	(void)err_hint(err, "another one may do: %s", brought_by[kind]);
	return usage(decision);
}

static int take_asked(struct decision *decision, const char *library_path, struct err *err)
{
	struct workload *workload = &decision->workload;
	const struct openmp_found *found = &decision->openmp;
	const enum openmp_kind kind = workload->request.openmp;
	int r;

	if (kind == OPENMP_GNU && openmp_is_kmp(found->kind))
		return refuse_gnu(decision, found->kind, found->path, err);
	if (kind == OPENMP_GNU && openmp_is_kmp(found->second))
		return refuse_gnu(decision, found->second, found->second_by, err);
	r = check_candidate(decision, kind, library_path, err);
	if (r < 0)
		return r;
	workload->openmp = kind;
	workload->openmp_path = workload->openmp_preload = found->candidates[kind].path;
	workload->openmp_nobody = NULL;
	workload->openmp_at_start = true;
	if (found->kind != OPENMP_ANY) {
		workload->openmp_second = found->kind;
		workload->openmp_second_by = found->path;
	}
	return 0;
}

/* On another machine nothing can be looked at: the wish is taken at its word, and that is said. */
static int take_unseen(struct decision *decision, struct err *err)
{
	struct workload *workload = &decision->workload;

	workload->openmp = workload->request.openmp;
	if (workload->openmp == OPENMP_ANY)
		return 0;
	return plan_note(&decision->plan->warnings, "openmp-unseen", NULL,
			 "whether %s is there cannot be seen here: planned for it, and LD_PRELOAD is not in the plan",
			 openmp_names[workload->openmp]) < 0
		       ? err_nomem(err)
		       : 0;
}

/* As take_asked(); where that cannot be, and it need not be, the program's own stays. */
static int take_if_possible(struct decision *decision, const char *library_path, struct err *err)
{
	struct workload *workload = &decision->workload;
	struct err why = { 0 };
	int r = take_asked(decision, library_path, &why);

	if (r < 0 && r != -ENOMEM && workload->request.best_effort) {
		decision->exit_code = 0;
		r = plan_note(&decision->plan->warnings, "openmp-fallback", NULL,
			      "%s; the program's own runtime stays in charge", why.text);
		workload->request.openmp = OPENMP_ANY;
		return r < 0 ? err_nomem(err) : 0;
	}
	if (r < 0)
		*err = why;
	return r;
}

int runtime_decide(const struct options *options, char *const *words, struct decision *decision, struct err *err)
{
	struct workload *workload = &decision->workload;
	const struct openmp_found *found = &decision->openmp;
	cleanup_free char *cache = options->no_cache ? NULL : cache_folder();
	cleanup_seen struct seen seen = SEEN_INIT;
	struct err why = { .code = 0 };
	int r = check_words(decision, err);

	if (r < 0 || !matters(decision))
		return r;
	if (decision->machine->source != MACHINE_LIVE)
		return take_unseen(decision, err);
	if (!decision->target && !workload->request.openmp)
		return 0;
	r = seen_init(decision, words, &seen, err);
	if (r < 0)
		return r;
	r = openmp_find(&seen.request, cache, &decision->openmp, &why);
	if (r < 0 && (r == -ENOMEM || workload->request.openmp)) {
		decision->exit_code = r == -ENOMEM ? 0 : EXIT_USAGE;
		*err = why;
		return r;
	}
	if (r < 0)
		return 0; /* a program that cannot be followed has an unknown runtime; starting it will say what is
			     wrong */
	workload->openmp = found->kind;
	workload->openmp_path = found->path;
	workload->openmp_at_start = found->at_start;
	workload->openmp_nobody = found->nobody;
	workload->openmp_second = found->second;
	workload->openmp_second_by = found->second_by;
	if (!workload->request.openmp || workload->request.openmp == found->kind)
		return 0;
	return take_if_possible(decision, environ_value(seen.environment, "LD_LIBRARY_PATH"), err);
}

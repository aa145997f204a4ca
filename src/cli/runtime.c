/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/runtime.h"

#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "base/text.h"
#include "cli/cache_folder.h"
#include "cli/command.h"
#include "cli/decide.h"
#include "cli/options.h"
#include "machine/machine.h"
#include "plan/plan.h"
#include "settings/rule.h"
#include "settings/user.h"
#include "target/libraries.h"
#include "target/target.h"

#include <string.h>
#include <unistd.h>

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

/* ---- The environment as the program would see it, were it not for fettle ---- */

/* Does something below say what this variable is? */
static bool is_decided(const struct wishes *wishes, const char *entry)
{
	cleanup_free char *name = strndup(entry, strcspn(entry, "="));

	return name && (strcmp(name, "LD_PRELOAD") == 0 || wishes_set(wishes, name) || wishes_unset(wishes, name));
}

struct seen {
	const char **environment; /* NULL-terminated; the texts are borrowed */
	struct text preload;      /* one of them */
};

static void seen_clear(struct seen *seen)
{
	free(seen->environment);
	text_clear(&seen->preload);
}
#define cleanup_seen cleanup_(seen_clear)

/* What --set, --unset and the user's own preloads make of the environment. */
static int seen_init(const struct decision *decision, struct seen *seen)
{
	const struct workload *workload = &decision->workload;
	const struct wishes *wishes = &workload->wishes;
	const struct settings_input in = { .machine = decision->machine, .workload = workload, .plan = decision->plan };
	size_t entries = 0, count = 0;

	while (workload->environment && workload->environment[entries])
		entries++;
	seen->environment = calloc(entries + wishes->set_count + 2, sizeof(*seen->environment));
	text_add(&seen->preload, "LD_PRELOAD=");
	settings_users_part(&in, "LD_PRELOAD", &seen->preload);
	if (!seen->environment || seen->preload.failed)
		return -ENOMEM;
	for (size_t i = 0; i < entries; i++) {
		if (!is_decided(wishes, workload->environment[i]))
			seen->environment[count++] = workload->environment[i];
	}
	for (size_t i = wishes->set_count; i-- > 0;) /* the last counts, and readers take the first */
		seen->environment[count++] = wishes->set[i];
	seen->environment[count++] = seen->preload.data;
	return 0;
}

static int find(const struct options *options, char *const *words, const struct decision *decision,
		const char *const *environment, struct openmp_found *ret_found, struct err *err)
{
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_free char *folder = getcwd(NULL, 0), *cache = options->no_cache ? NULL : cache_folder();
	const struct libraries_request request = {
		.root = &root,
		.program = decision->target ? decision->target->path : NULL,
		.secure = decision->target && decision->target->set_id,
		.argv = decision->target ? words : NULL,
		.environment = environment,
		.folder = folder ? folder : "/",
	};
	int r = sysroot_open(&root, "/", err);

	return r < 0 ? r : openmp_find(&request, cache, ret_found, err);
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
		r = openmp_try(decision->openmp.program, candidate->path, library_path, &tried, err);
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

int runtime_decide(const struct options *options, char *const *words, struct decision *decision, struct err *err)
{
	struct workload *workload = &decision->workload;
	const struct openmp_found *found = &decision->openmp;
	cleanup_seen struct seen seen = { .environment = NULL };
	struct err why = { .code = 0 };
	int r = check_words(decision, err);

	if (r < 0 || !matters(decision))
		return r;
	if (decision->machine->source != MACHINE_LIVE)
		return take_unseen(decision, err);
	if (!decision->target && !workload->request.openmp)
		return 0;
	if (seen_init(decision, &seen) < 0)
		return err_nomem(err);
	r = find(options, words, decision, seen.environment, &decision->openmp, &why);
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
	return take_asked(decision, environ_value(seen.environment, "LD_LIBRARY_PATH"), err);
}

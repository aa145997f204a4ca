/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/decide.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "joint/agent_path.h"
#include "joint/allocator_facts.h"
#include "joint/cache_folder.h"
#include "joint/exit_code.h"
#include "joint/hook_facts.h"
#include "joint/layers.h"
#include "joint/mkl_facts.h"
#include "joint/options.h"
#include "joint/runtime.h"
#include "joint/workers.h"
#include "machine/cpuset.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "machine/narrow.h"
#include "plan/plan.h"
#include "plan/rank.h"
#include "settings/settings.h"
#include "target/libraries.h"
#include "target/starter.h"
#include "target/target.h"

#include <string.h>
#include <unistd.h>

int decide_machine(const struct options *options, bool use_cache, struct decision *decision, struct err *err)
{
	const char *spec = options->machine;
	int r;

	decision->cache_folder = use_cache && !options->no_cache ? cache_folder() : NULL;
	r = machine_read_cached(spec, decision->cache_folder, &decision->machine, err);
	if (r == 0)
		r = machine_narrow(decision->machine, &options->narrow, err);
	/* A live machine that cannot be read is our failure; a file that cannot is the user's. */
	if (r < 0 && r != -ENOMEM && (decision->machine || (spec && strcmp(spec, "live") != 0)))
		decision->exit_code = EXIT_USAGE;
	return r;
}

static int exit_code_of_target(int code)
{
	switch (code) {
	case -ENOMEM:
		return 0;
	case -ENOENT:
	case -ENOTDIR:
		return EXIT_NOT_FOUND;
	default:
		return EXIT_NOT_EXECUTABLE;
	}
}

int decide_workload(const struct options *options, const char *const *environment, const char *program, bool needed,
		    struct decision *decision, struct err *err)
{
	struct err why = { 0 };
	int r;

	decision->workload = (struct workload){
		.request = options->request,
		.wishes = options_wishes(options),
		.environment = environment,
	};
	layers_tell(options, &decision->workload);
	decision->workload.watched = options_watch(options);
	decision->options = options;
	if (!program)
		return 0;
	r = target_read(program, workload_getenv(&decision->workload, "PATH"), &decision->target, &why);
	if (r < 0 && (needed || r == -ENOMEM)) {
		decision->exit_code = exit_code_of_target(r);
		*err = why;
		return r;
	}
	decision->workload.target = decision->target;
	return 0;
}

/* Where threads are pinned, denormals flushed or the run is watched it is loaded; out of an inherited LD_PRELOAD an
 * outer fettle's is taken. */
static bool needs_agent(const struct decision *decision)
{
	const struct plan *plan = decision->plan;

	for (size_t i = 0; i < plan->instance_count; i++) {
		if (plan->instances[i].pin == PIN_THREADS)
			return true;
	}
	return decision->workload.request.flush_denormals || decision->workload.watched ||
	       workload_getenv(&decision->workload, "LD_PRELOAD") != NULL;
}

int decide_libraries(const struct options *options, char *const *words, struct decision *decision,
		     struct libraries **ret_libraries, struct err *err)
{
	const char *const *environment = (const char *const *)environ;
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	cleanup_free char *folder = NULL;
	struct libraries_request request = { .root = &root, .environment = environment };
	int r;

	if (decision->machine->source != MACHINE_LIVE)
		return 0;
	if (words[0]) {
		r = decide_workload(options, environment, words[0], true, decision, err);
		decision->exit_code = decision->exit_code ? EXIT_USAGE : 0;
		if (r < 0)
			return r;
		request.program = decision->target->path;
		request.secure = decision->target->set_id;
		request.argv = words;
	}
	folder = getcwd(NULL, 0);
	request.folder = folder ? folder : "/";
	r = sysroot_open(&root, "/", err);
	if (r < 0)
		return r;
	r = libraries_read(&request, ret_libraries, err);
	if (r < 0 && r != -ENOMEM && words[0])
		decision->exit_code = EXIT_USAGE;
	return r;
}

/* Whether the kernel gives huge pages is a fact of the host, and those are read only where one is needed. */
static int read_host(struct decision *decision, struct err *err)
{
	struct machine *machine = decision->machine;

	return decision->workload.request.huge_pages && machine->source == MACHINE_LIVE && !machine->host
		       ? machine_read_host(machine, 0, err)
		       : 0;
}

static int take_share(struct decision *decision, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t cpuset_os = NULL;
	int r;

	if (!decision->workload.request.slot) {
		if (decision->machine->source == MACHINE_LIVE)
			rank_watch(decision->machine, &decision->workload);
		return 0;
	}
	r = machine_read_cpuset(decision->machine, &cpuset_os, err);
	return r < 0 ? r : rank_take(decision->machine, cpuset_os, &decision->workload, err);
}

int decide_plan(const struct options *options, char *const *words, struct decision *decision, struct err *err)
{
	int r = take_share(decision, err);

	decision->workload.workers = decision->workload.request.workers;
	if (r == 0 && !decision->workload.workers &&
	    workers_of(words, &decision->workload, &decision->workload.workers) < 0)
		r = err_nomem(err);
	if (!decision->workload.request.workers && !decision->workload.request.threads)
		decision->workload.ranks_by = starter_of_ranks(words);
	if (r == 0)
		r = plan_make(decision->machine, &decision->workload, &decision->plan, err);
	if (r == 0 && layers_explain(decision->options, decision->plan) < 0)
		r = err_nomem(err);
	if (r == 0)
		r = read_host(decision, err);
	if (r == 0 && needs_agent(decision)) {
		decision->agent = agent_path();
		decision->workload.agent_path = decision->agent;
	}
	if (r == 0)
		r = allocator_facts_find(words, decision, err);
	if (r == 0)
		r = mkl_facts_find(words, decision, err);
	if (r == 0)
		r = hook_facts_find(words, decision, err);
	if (r == 0)
		r = runtime_decide(options, words, decision, err);
	if (r == 0)
		r = settings_make(decision->machine, &decision->workload, decision->plan, &decision->settings, err);
	if (r == -EINVAL)
		decision->exit_code = EXIT_USAGE;
	return r;
}

void decision_clear(struct decision *decision)
{
	settings_free(decision->settings);
	plan_free(decision->plan);
	target_free(decision->target);
	machine_free(decision->machine);
	free(decision->agent);
	free(decision->cache_folder);
	framework_clear(&decision->framework);
	free(decision->hook_folder);
	free(decision->mkl_answer);
	malloc_library_clear(&decision->malloc_library);
	openmp_found_clear(&decision->openmp);
	*decision = (struct decision){ .machine = NULL };
}

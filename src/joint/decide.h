/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From options to a decision: read the machine, look at the program, make
 * plan and settings. What the commands that plan have in common.
 */
#pragma once

#include "plan/workload.h"
#include "target/framework.h"
#include "target/malloc_library.h"

#include <stdbool.h>

struct err;
struct libraries;
struct machine;
struct options;
struct plan;
struct settings;
struct target;

struct decision {
	struct machine *machine;
	struct target *target; /* NULL: no program named, or it was not found */
	char *agent;
	char *cache_folder;         /* NULL: nothing is remembered */
	struct framework framework; /* in the program's Python environment; empty: none, or nobody looked */
	bool framework_looked_for;
	char *hook_folder;
	char *mkl_answer;
	struct malloc_library malloc_library;
	struct openmp_found openmp;    /* which OpenMP runtimes there are; empty unless it was looked for */
	const struct options *options; /* borrowed; set with the workload */
	struct workload workload;      /* borrows from options, environment and this struct */
	struct plan *plan;
	struct settings *settings;
	int exit_code; /* after a failure: the exit code the user's input calls for; 0: it was not the input */
};

/*
 * Read the machine the options name and narrow it by their limits. `use_cache`: what is known of this machine's
 * topology from an earlier start may be used, unless the options say no.
 */
int decide_machine(const struct options *options, bool use_cache, struct decision *decision, struct err *err);

/*
 * Set up the workload: the request, the environment, the agent, and the program (NULL: none named). A program
 * that is not found, or that cannot be executed, is an error only when `needed`.
 */
int decide_workload(const struct options *options, const char *const *environment, const char *program, bool needed,
		    struct decision *decision, struct err *err);

/*
 * The libraries that the program words[0] would load or could use; NULL there: any program. Those of this machine: for
 * another one `*ret_libraries` stays NULL. A program that cannot be looked at is bad usage.
 */
int decide_libraries(const struct options *options, char *const *words, struct decision *decision,
		     struct libraries **ret_libraries, struct err *err);

/* Make plan and settings for what the two above found. */
int decide_plan(const struct options *options, char *const *words, struct decision *decision, struct err *err);

void decision_clear(struct decision *decision);
#define cleanup_decision cleanup_(decision_clear)

/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/allocator_facts.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/sysroot.h"
#include "joint/decide.h"
#include "joint/framework_facts.h"
#include "machine/machine.h"
#include "target/malloc_thresholds.h"
#include "target/target.h"

#include <string.h>

/* The libraries by the words of malloc_library.h; NULL: none is preloaded for it. */
static const char *const library_words[ALLOCATOR_COUNT] = {
	[ALLOCATOR_AUTO] = "tcmalloc_minimal", /* the build without profilers, and nothing less known */
	[ALLOCATOR_JEMALLOC] = "jemalloc",     [ALLOCATOR_JEMALLOC_AGGRESSIVE] = "jemalloc",
	[ALLOCATOR_TCMALLOC] = "tcmalloc",     [ALLOCATOR_MIMALLOC] = "mimalloc",
};

/* Left out altogether: then there is nothing to know. */
static bool is_left_out(const struct wishes *wishes)
{
	static const char *const families[] = { "allocator", "preload" };

	for (size_t i = 0; i < wishes->without_count; i++) {
		for (size_t k = 0; k < ARRAY_SIZE(families); k++) {
			if (strcmp(wishes->without[i], families[k]) == 0)
				return true;
		}
	}
	return false;
}

/* A preload reaches it, and glibc's loader is what to ask. */
static bool takes_preloads(const struct target *target)
{
	return !target || (target->libc == TARGET_LIBC_GLIBC && target->loader && !target->foreign && !target->set_id);
}

static int find_library(struct decision *decision, const char *word, struct err *err)
{
	struct workload *workload = &decision->workload;
	cleanup_sysroot struct sysroot root = SYSROOT_INIT;
	const struct malloc_library_request request = {
		.root = &root,
		.target = decision->target,
		.names = malloc_library_names(word),
		.library_path = workload_getenv(workload, "LD_LIBRARY_PATH"),
		.cache_folder = decision->cache_folder,
		.again = workload->request.allocator != ALLOCATOR_AUTO,
	};
	int r = sysroot_open(&root, "/", err);

	if (r == 0)
		r = malloc_library_find(&request, &decision->malloc_library, err);
	if (r < 0)
		return r;
	workload->malloc_library = (struct workload_library){
		.path = decision->malloc_library.path,
		.why_not = decision->malloc_library.why_not,
		.broken = decision->malloc_library.broken,
		.untried = decision->malloc_library.untried,
		.proven = decision->malloc_library.path != NULL,
	};
	return 0;
}

/*
 * Is a library worth its time unasked? What starts small and computes nothing would only pay for it: `true` takes six
 * times as long. Without a program anything may come.
 */
static int find_worth(char *const *words, struct decision *decision, bool *ret_worth, struct err *err)
{
	const struct target *target = decision->target;
	int r;

	*ret_worth = !target || target_may_compute(target);
	if (*ret_worth || target->links_malloc)
		return 0;
	r = framework_facts_find(words, decision, err);
	*ret_worth = decision->framework.name != NULL;
	return r;
}

int allocator_facts_find(char *const *words, struct decision *decision, struct err *err)
{
	struct workload *workload = &decision->workload;
	const enum allocator asked = workload->request.allocator;
	const struct target *target = decision->target;
	const char *word = library_words[asked];
	bool worth = true;
	int r = 0;

	if (is_left_out(&workload->wishes) || !takes_preloads(target) || asked == ALLOCATOR_GLIBC)
		return 0;
	if (decision->machine->source != MACHINE_LIVE) {
		/* The other machine's libraries are not here to be looked at. */
		if (word && asked != ALLOCATOR_AUTO)
			workload->malloc_library.path = malloc_library_names(word)->sonames[0];
		return 0;
	}
	if (asked == ALLOCATOR_AUTO)
		r = find_worth(words, decision, &worth, err);
	if (r == 0 && word && worth)
		r = find_library(decision, word, err);
	if (r < 0)
		return r;
	if (!workload->malloc_library.path && target && (worth || framework_may_be_there(target, words)))
		workload->malloc_threshold_capped = malloc_threshold_is_capped(target->loader);
	return 0;
}

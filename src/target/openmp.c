/* SPDX-License-Identifier: Apache-2.0 */
#include "target/openmp.h"

#include "base/cleanup.h"
#include "target/libraries.h"
#include "target/tree.h"

#include <errno.h>
#include <string.h>

const char *const openmp_words[OPENMP_KIND_COUNT] = { "auto", "gnu", "intel", "llvm" };
const char *const openmp_names[OPENMP_KIND_COUNT] = { "another runtime", "GNU's libgomp", "Intel's libiomp5",
						      "LLVM's libomp" };

enum openmp_kind openmp_kind_of(const char *soname, const char *path)
{
	static const struct {
		const char *stem;
		enum openmp_kind kind;
	} stems[] = {
		{ "libgomp", OPENMP_GNU },
		{ "libiomp5", OPENMP_INTEL },
		{ "libomp", OPENMP_LLVM },
	};
	const char *name = soname ? soname : tree_name(path);

	for (size_t i = 0; i < ARRAY_SIZE(stems); i++) {
		if (strncmp(name, stems[i].stem, strlen(stems[i].stem)) == 0)
			return stems[i].kind;
	}
	return OPENMP_ANY;
}

void openmp_found_clear(struct openmp_found *found)
{
	for (unsigned i = 0; i < OPENMP_KIND_COUNT; i++) {
		free(found->candidates[i].path);
		free(found->candidates[i].why_not);
	}
	free(found->program);
	free(found->path);
	free(found->nobody);
	free(found->second_path);
	free(found->second_by);
	*found = (struct openmp_found){ .kind = OPENMP_ANY };
}

/* The environment's own folder, then a package's, then the system's: nearest to what the program is made of. */
static int rank_of(const struct library *library)
{
	static const int ranks[] = {
		[LIBRARY_PRELOADED] = 1, [LIBRARY_PROGRAM] = 1,     [LIBRARY_LOADER] = 3,
		[LIBRARY_PACKAGE] = 2,   [LIBRARY_ENVIRONMENT] = 0,
	};

	return ranks[library->place] + (library->usable ? 0 : (int)ARRAY_SIZE(ranks));
}

static enum openmp_kind kind_of(const struct library *library)
{
	return openmp_kind_of(library->soname, library->path);
}

static const struct library *best_of(const struct libraries *libraries, enum openmp_kind kind)
{
	const struct library *best = NULL;

	for (size_t i = 0; i < libraries->count; i++) {
		const struct library *library = &libraries->items[i];

		if (library->family == LIBRARY_OPENMP && kind_of(library) == kind &&
		    (!best || rank_of(library) < rank_of(best)))
			best = library;
	}
	return best;
}

static int copy(const char *text, char **ret_copy)
{
	*ret_copy = text ? strdup(text) : NULL;
	return text && !*ret_copy ? -ENOMEM : 0;
}

/* The next loaded runtime behind `after` (NULL: the first of all); NULL: there is none. */
static const struct library *next_loaded(const struct libraries *libraries, const struct library *after)
{
	for (size_t i = after ? (size_t)(after - libraries->items) + 1 : 0; i < libraries->count; i++) {
		const struct library *library = &libraries->items[i];

		if (library->family == LIBRARY_OPENMP && (library->in_charge || library->loaded_by))
			return library;
	}
	return NULL;
}

/*
 * Who is in charge, and one of another kind that is loaded as well. The one in charge comes first in the list. Where
 * the first import decides between copies of one kind, the kind is known all the same.
 */
static int pick_loaded(const struct libraries *libraries, struct openmp_found *found)
{
	const struct library *first = next_loaded(libraries, NULL), *second = first;

	while (second && kind_of(second) == kind_of(first))
		second = next_loaded(libraries, second);
	if (first && (first->in_charge || !second))
		found->kind = kind_of(first);
	if (second && !first->in_charge && openmp_is_kmp(kind_of(first)))
		second = first; /* nobody is in charge: name one that could be given it */
	if (second)
		found->second = kind_of(second);
	if (first && first->in_charge)
		found->at_start = first->place == LIBRARY_PROGRAM || first->place == LIBRARY_PRELOADED;
	return copy(first && first->in_charge ? first->path : NULL, &found->path) < 0 ||
			       copy(libraries->nobody[LIBRARY_OPENMP], &found->nobody) < 0 ||
			       copy(second ? second->path : NULL, &found->second_path) < 0 ||
			       copy(second ? second->loaded_by : NULL, &found->second_by) < 0
		       ? -ENOMEM
		       : 0;
}

int openmp_pick(const struct libraries *libraries, struct openmp_found *ret_found)
{
	cleanup_openmp_found struct openmp_found found = { .kind = OPENMP_ANY };

	if (pick_loaded(libraries, &found) < 0 ||
	    copy(libraries->libc == TARGET_LIBC_GLIBC ? libraries->program : NULL, &found.program) < 0)
		return -ENOMEM;
	for (unsigned kind = OPENMP_GNU; kind < OPENMP_KIND_COUNT; kind++) {
		const struct library *best = best_of(libraries, (enum openmp_kind)kind);

		if (best && (copy(best->path, &found.candidates[kind].path) < 0 ||
			     copy(best->why_not, &found.candidates[kind].why_not) < 0))
			return -ENOMEM;
	}
	*ret_found = found;
	found = (struct openmp_found){ .kind = OPENMP_ANY };
	return 0;
}

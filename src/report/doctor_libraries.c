/* SPDX-License-Identifier: Apache-2.0 */
/* Rules about libraries: files that stop the loader, what could be used and is not installed, and two OpenMP runtimes
 * in one program. */
#include "report/doctor_rule.h"

#include "base/cleanup.h"
#include "target/libraries.h"

#include <string.h>

static void show(const struct library *library, struct doctor_say *say)
{
	doctor_show(say, "%s: %s%s%s", library->path, library->usable ? library->found : library->why_not,
		    library->loaded_by ? ", loaded by " : "", library->loaded_by ? library->loaded_by : "");
}

/* Is there one of this family that the program's loader could load? Each that was found is evidence. */
static bool has_usable(const struct doctor_input *in, enum library_family family, struct doctor_say *say)
{
	bool usable = false;

	for (size_t i = 0; i < in->libraries->count; i++) {
		const struct library *library = &in->libraries->items[i];

		if (library->family != family)
			continue;
		show(library, say);
		if (library->usable && !usable)
			text_add(&say->detail, "%s", library->name);
		usable = usable || library->usable;
	}
	return usable;
}

static enum doctor_verdict openmp(const struct doctor_input *in, struct doctor_say *say)
{
	if (has_usable(in, LIBRARY_OPENMP, say))
		return DOCTOR_GOOD;
	doctor_show(say, "loader and packages: no OpenMP runtime");
	return DOCTOR_BLOCKED;
}

static enum doctor_verdict allocator(const struct doctor_input *in, struct doctor_say *say)
{
	if (in->libraries->libc == TARGET_LIBC_NONE) {
		text_add(&say->detail, "none: a static program takes no other");
		return DOCTOR_GOOD;
	}
	if (has_usable(in, LIBRARY_ALLOCATOR, say))
		return DOCTOR_GOOD;
	doctor_show(say, "loader and packages: no allocator to preload");
	text_add(&say->cost, in->libraries->libc == TARGET_LIBC_MUSL
				     ? "musl's own cannot be tuned"
				     : "glibc's own, which fettle tunes, grows with shapes that change at every call");
	return DOCTOR_BLOCKED;
}

/* LLVM's runtime has GNU's functions too: preloaded, it answers for libgomp, which then has no threads. */
static bool takes_over(const struct library *library)
{
	return library->place == LIBRARY_PRELOADED &&
	       (strcmp(library->name, "libomp") == 0 || strcmp(library->name, "libiomp5") == 0);
}

/* Runtimes known to be loaded: by the program, a preload, or a package when it is imported. */
static enum doctor_verdict two_runtimes(const struct doctor_input *in, struct doctor_say *say)
{
	const struct library *over = NULL;
	size_t count = 0;

	for (size_t i = 0; i < in->libraries->count; i++) {
		const struct library *library = &in->libraries->items[i];

		if (library->family != LIBRARY_OPENMP || !library->usable || !library->loaded_by)
			continue;
		show(library, say);
		text_add(&say->detail, "%s%s (%s)", count ? " and " : "", library->name, library->loaded_by);
		over = !over && takes_over(library) ? library : over;
		count++;
	}
	if (!count)
		text_add(&say->detail, "none");
	if (count > 1 && over)
		text_add(&say->detail, ", where the preloaded %s answers for all", over->name);
	text_add(&say->remedy, "%s",
		 in->libraries->python ? "pip uninstall PACKAGE   (the one whose runtime is not wanted)"
				       : "LD_PRELOAD=libomp.so.5 PROGRAM   (LLVM's runtime answers for both)");
	return count > 1 && !over ? DOCTOR_COSTS : DOCTOR_GOOD;
}

/* The loader gives up at a file that is no library. */
static enum doctor_verdict in_the_way(const struct doctor_input *in, struct doctor_say *say)
{
	const struct library_stop *first = in->libraries->stops;

	for (size_t i = 0; i < in->libraries->stop_count; i++) {
		const struct library_stop *stop = &first[i];

		doctor_show(say, "%s: %s, looked for as %s%s%s", stop->path, stop->why, stop->name,
			    stop->needed_by ? " by " : "", stop->needed_by ? stop->needed_by : "");
	}
	if (!in->libraries->stop_count)
		return DOCTOR_GOOD;
	text_add(&say->detail, "%s, which %s", first->path, first->why);
	text_add(&say->cost, "%s", first->what_then);
	text_add(&say->remedy, "mv '%s' ELSEWHERE   (or leave its folder out of the search, and install %s whole)",
		 first->path, first->name);
	return DOCTOR_BLOCKED;
}

static const struct doctor_rule rules[] = {
	{ .id = "library-in-the-way",
	  .libraries = true,
	  .test = in_the_way,
	  .good = "no file stops the loader's search for a library",
	  .blocked = "the loader's search for a library stops at {}",
	  .unknown = "whether a file stops the loader's search for a library",
	  .cost = "{}",
	  .remedy = "{}" },
	{ .id = "openmp-two-runtimes",
	  .libraries = true,
	  .test = two_runtimes,
	  .good = "OpenMP runtimes loaded: {}",
	  .costs = "two OpenMP runtimes are loaded in one program: {}",
	  .unknown = "whether two OpenMP runtimes are loaded",
	  .cost = "each has a pool of threads of its own, on the same CPUs: measure it",
	  .remedy = "{}" },
	{ .id = "openmp-library",
	  .libraries = true,
	  .test = openmp,
	  .good = "an OpenMP runtime is there: {}",
	  .blocked = "no OpenMP runtime is installed",
	  .unknown = "whether an OpenMP runtime is installed",
	  .cost = "a program that needs one does not start; one that could use it computes in one thread",
	  .remedy = "sudo apt-get install libgomp1   (Fedora: libgomp)" },
	{ .id = "allocator-library",
	  .libraries = true,
	  .test = allocator,
	  .good = "an allocator to preload: {}",
	  .blocked = "no allocator to preload is installed",
	  .unknown = "whether an allocator to preload is installed",
	  .cost = "{}: measure it",
	  .remedy = "sudo apt-get install libtcmalloc-minimal4   (Fedora: gperftools-libs)" },
};

const struct doctor_rules doctor_library_rules = { rules, ARRAY_SIZE(rules) };

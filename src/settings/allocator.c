/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which malloc the program gets. `auto` is tcmalloc's minimal build where it was seen to work in a program that may
 * compute, else glibc's own, tuned; glibc's as it is where neither can be had, and wherever the user said something.
 * (Measured: tcmalloc is as fast as tuned glibc or faster on five networks of six, and keeps a quarter to a half of
 * its memory where every step has other shapes; loading it costs 2.4 ms, which is five times `true`.)
 *
 * jemalloc's strings are the guide's, word for word. jemalloc 5.3 counts oversize_threshold:1 as 0, below the smallest
 * that it takes: what the word was meant to turn on is off. Nor do they keep the pages of large blocks, which go back
 * to the kernel in the main thread at once, whatever time is given; only -1, never, keeps them (jemalloc(3),
 * opt.dirty_decay_ms; measured: 54,000 page faults against 1,108,000, tcmalloc 53,000).
 *
 * Of tcmalloc's variables only the release rate is set. TCMALLOC_HEAP_LIMIT_MB has malloc fail at the limit, also where
 * the kernel would have found memory elsewhere.
 *
 * jemalloc-aggressive never gives small blocks' pages back, and each thread's arena keeps its own high-water mark. So
 * under a memory limit it is refused unless
 *         limit / instances / processes >= 1 GiB * (threads of a process + 1),
 * one GiB for the program and one for each compute thread's arena.
 */
#include "settings/allocator.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/machine.h"
#include "settings/preload.h"
#include "settings/rule.h"
#include "settings/user.h"
#include "target/target.h"

#include <inttypes.h>
#include <string.h>

#define GIB          ((uint64_t)1 << 30)
#define GUIDE_PLAIN  "oversize_threshold:1,background_thread:true,metadata_thp:auto"
#define GUIDE_KEEPS  ",dirty_decay_ms:9000000000,muzzy_decay_ms:9000000000"
#define JEMALLOC_WHY "asked for (guide, Jemalloc)"
#define KEEPS        "; with '--set MALLOC_CONF=dirty_decay_ms:-1' it keeps pages, with as few page faults as tcmalloc"

static const struct allocator_kind {
	const char *why;     /* NULL: no library is preloaded for it */
	const char *package; /* who has it */
	const char *slow;    /* a figure to warn with */
} kinds[ALLOCATOR_COUNT] = {
	[ALLOCATOR_JEMALLOC] = { JEMALLOC_WHY, "Debian's libjemalloc2, conda-forge's jemalloc",
				 "steps of PyTorch on 8 MiB tensors took 16.0 ms in the main thread, with tuned glibc "
				 "1.2" KEEPS },
	[ALLOCATOR_JEMALLOC_AGGRESSIVE] = { JEMALLOC_WHY, "Debian's libjemalloc2, conda-forge's jemalloc",
					    "steps of PyTorch on 8 MiB tensors took 15.0 ms in the main thread, with "
					    "tuned glibc 1.2" KEEPS },
	[ALLOCATOR_TCMALLOC] = { "freed memory stays in caches for the next step (guide, TCMalloc; measured: as fast "
				 "as tuned glibc or faster on five networks of six, a quarter to a half of its memory "
				 "where every step has other shapes)",
				 "Debian's libtcmalloc-minimal4, conda-forge's gperftools" },
	[ALLOCATOR_MIMALLOC] = { "asked for", "Debian's libmimalloc2.0, conda-forge's mimalloc",
				 "blocks of 0.1 to 64 MB took 1.3 times as long as with glibc's malloc as it is" },
};

/* Is `name` a preload that replaces malloc? By the beginning of its file name. */
static bool replaces_malloc(const char *path, size_t length)
{
	static const char *const libraries[] = { "libjemalloc", "libtcmalloc", "libmimalloc",  "libsnmalloc",
						 "librpmalloc", "libhoard",    "libtbbmalloc", "libasan",
						 "libtsan",     "liblsan",     "libhwasan" };
	const char *slash = memrchr(path, '/', length);
	const char *name = slash ? slash + 1 : path;
	const size_t rest = length - (size_t)(name - path);

	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
		if (rest >= strlen(libraries[i]) && memcmp(name, libraries[i], strlen(libraries[i])) == 0)
			return true;
	}
	return false;
}

/* 1, 0, or -ENOMEM. */
static int other_malloc_preloaded(const struct settings_input *in)
{
	cleanup_text struct text users = TEXT_INIT;

	settings_users_part(in, "LD_PRELOAD", &users);
	for (const char *entry = users.data; entry && *entry;) {
		const size_t length = strcspn(entry, PRELOAD_SEPARATORS);

		if (replaces_malloc(entry, length))
			return 1;
		entry += length;
		entry += strspn(entry, PRELOAD_SEPARATORS);
	}
	return users.failed ? -ENOMEM : 0;
}

static const char out_of_memory[] = "out of memory";

/* Why glibc's malloc cannot be tuned, with where that is known from; NULL: it can. */
static const char *untunable(const struct settings_input *in, const char **ret_evidence)
{
	const struct target *target = in->workload->target;
	int other;

	*ret_evidence = target ? target->interpreter : NULL;
	if (target && target->libc == TARGET_LIBC_NONE)
		return "the program is static";
	if (target && target->libc != TARGET_LIBC_GLIBC)
		return target->libc == TARGET_LIBC_MUSL ? "the program's libc is musl"
							: "the program's libc is not known to be glibc";
	if (target && target->set_id)
		return "the program runs with another's rights, and glibc then ignores GLIBC_TUNABLES";
	if (target && target->elf_class == 32)
		return "the thresholds do not fit a 32-bit program";
	*ret_evidence = "LD_PRELOAD";
	other = other_malloc_preloaded(in);
	if (other)
		return other < 0 ? out_of_memory : "another malloc is preloaded";
	return NULL;
}

/* Why `auto` leaves glibc's malloc as it is. */
static const char *left_alone(const struct settings_input *in, const char **ret_evidence)
{
	const char *reason = untunable(in, ret_evidence);

	if (reason)
		return reason;
	*ret_evidence = "MALLOC_CONF";
	if (settings_user_value(in, "MALLOC_CONF"))
		return "the user configures jemalloc";
	*ret_evidence = in->machine->limits.memory_bytes.source;
	if (tunables_kept_bytes(in) < tunables_least_kept_bytes)
		return "the memory limit leaves no room for freed memory to be kept (an eighth of each instance's "
		       "share is under 128 MiB)";
	return NULL;
}

static const char *not_preloaded(const struct settings_input *in);
static bool aggressive_fits(const struct settings_input *in);

/* What is asked for, or with best effort what stands in where that cannot be had. */
static enum allocator asked_or_possible(const struct settings_input *in)
{
	const enum allocator asked = in->workload->request.allocator;

	if (!in->workload->request.best_effort || !kinds[asked].why)
		return asked;
	if (not_preloaded(in) || other_malloc_preloaded(in))
		return ALLOCATOR_AUTO;
	return asked == ALLOCATOR_JEMALLOC_AGGRESSIVE && !aggressive_fits(in) ? ALLOCATOR_JEMALLOC : asked;
}

struct allocator_choice allocator_choose(const struct settings_input *in)
{
	struct allocator_choice choice = { .allocator = asked_or_possible(in) };

	if (wishes_without(&in->workload->wishes, family_allocator.name))
		return (struct allocator_choice){ .allocator = ALLOCATOR_GLIBC };
	if (choice.allocator != ALLOCATOR_AUTO)
		return choice;
	choice.reason = left_alone(in, &choice.evidence);
	if (choice.reason)
		choice.allocator = ALLOCATOR_GLIBC;
	else if (in->workload->malloc_library.path && !preload_refused(in) && !tunables_are_users(in))
		choice.allocator = ALLOCATOR_TCMALLOC;
	else
		choice.allocator = ALLOCATOR_TUNED_GLIBC;
	return choice;
}

static bool is_preloaded(const struct settings_input *in)
{
	return kinds[allocator_choose(in).allocator].why != NULL;
}

/* ---- What cannot be had ---- */

/* Of a process; where ranks are started, which may be one, of an instance. */
static unsigned most_threads(const struct settings_input *in)
{
	unsigned most = 0;

	for (size_t i = 0; i < in->plan->instance_count; i++) {
		const unsigned all = in->plan->instances[i].threads, each = workload_threads_each(in->workload, all);

		most = (each ? each : all) > most ? (each ? each : all) : most;
	}
	return most;
}

static bool aggressive_fits(const struct settings_input *in)
{
	return setting_memory_each(in) >= GIB * (most_threads(in) + 1);
}

static int refuse_aggressive(const struct settings_input *in, struct err *err)
{
	if (aggressive_fits(in))
		return 0;
	(void)err_set(err, -EINVAL,
		      "--allocator jemalloc-aggressive keeps all memory it ever had: the memory limit gives each "
		      "%s %" PRIu64 " MiB, less than 1 GiB for the program and 1 GiB for each of its %u threads",
		      in->workload->workers > 1 ? "process" : "instance", setting_memory_each(in) >> 20,
		      most_threads(in));
	return err_hint(err, "possible: --allocator jemalloc, which gives memory back; fewer --instances or --threads");
}

/* Why this library cannot be preloaded; NULL: it can. */
static const char *not_preloaded(const struct settings_input *in)
{
	const struct workload_library *library = &in->workload->malloc_library;
	const char *reason = preload_refused(in);

	if (reason || library->path)
		return reason;
	return library->why_not ? library->why_not : "it was not looked for";
}

static int refuse_library(const struct settings_input *in, const char *word, const struct allocator_kind *kind,
			  struct err *err)
{
	const char *evidence, *reason = not_preloaded(in);
	const int other = other_malloc_preloaded(in);

	if (other < 0)
		return err_nomem(err);
	if (other) {
		(void)err_set(err, -EINVAL, "--allocator %s: LD_PRELOAD brings another malloc already", word);
		return err_hint(err, "possible: take it out of LD_PRELOAD; without --allocator it stays in charge");
	}
	if (!reason)
		return 0;
	(void)err_set(err, -EINVAL, "--allocator %s: %s", word, reason);
	if (untunable(in, &evidence))
		return err_hint(err, "possible: --allocator glibc");
	if (preload_refused(in) || in->workload->malloc_library.broken || in->workload->malloc_library.untried)
		return err_hint(err, "possible: --allocator tuned-glibc, which needs no library");
	return err_hint(err, "possible: --allocator tuned-glibc; to have it: %s", kind->package);
}

static int allocator_refuse(const struct settings_input *in, struct err *err)
{
	const enum allocator asked = in->workload->request.allocator;
	const char *evidence, *reason;

	if (in->workload->request.best_effort)
		return 0;
	if (kinds[asked].why) {
		int r = refuse_library(in, allocator_words[asked], &kinds[asked], err);

		return r == 0 && asked == ALLOCATOR_JEMALLOC_AGGRESSIVE ? refuse_aggressive(in, err) : r;
	}
	if (asked != ALLOCATOR_TUNED_GLIBC)
		return 0;
	reason = untunable(in, &evidence);
	if (!reason && tunables_kept_bytes(in) < tunables_least_kept_bytes)
		reason = "an eighth of each instance's share of the memory limit is under 128 MiB, too little to keep";
	if (!reason)
		return 0;
	if (reason == out_of_memory)
		return err_nomem(err);
	(void)err_set(err, -EINVAL, "--allocator tuned-glibc: %s", reason);
	return err_hint(err, "possible: --allocator glibc");
}

/* ---- Rows ---- */

static bool tunables_apply(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return allocator_choose(in).allocator == ALLOCATOR_TUNED_GLIBC;
}

static bool library_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return is_preloaded(in);
}

static bool is_asked(const struct settings_input *in)
{
	return asked_or_possible(in) != ALLOCATOR_AUTO;
}

static void library_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)instance;
	text_add(value, "%s", allocator_words[allocator_choose(in).allocator]);
}

static void library_explain(const struct settings_input *in, struct text *why)
{
	const struct workload_library *library = &in->workload->malloc_library;

	text_add(why, "%s; '%s' %s", kinds[allocator_choose(in).allocator].why, library->path,
		 library->proven ? "loads under the program's loader and answers malloc in two threads"
				 : "is not checked, for it is another machine's");
	if (in->workload->framework)
		text_add(why, "; %s is in the program's Python environment", in->workload->framework);
}

static bool jemalloc_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	const enum allocator allocator = allocator_choose(in).allocator;

	(void)instance;
	return allocator == ALLOCATOR_JEMALLOC || allocator == ALLOCATOR_JEMALLOC_AGGRESSIVE;
}

static void jemalloc_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	const bool keeps = allocator_choose(in).allocator == ALLOCATOR_JEMALLOC_AGGRESSIVE;

	(void)instance;
	text_add(value, GUIDE_PLAIN "%s", keeps ? GUIDE_KEEPS : "");
}

static bool release_applies(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return allocator_choose(in).allocator == ALLOCATOR_TCMALLOC && tunables_kept_is_limited(in);
}

static void release_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	(void)in;
	(void)instance;
	text_add(value, "10");
}

static const struct setting_rule rules[] = {
	{ .name = "allocator",
	  .applies = library_applies,
	  .value = library_value,
	  .why = "",
	  .explain = library_explain,
	  .risk = "every child loads it too, and starts later for it (`true`: 0.5 ms, with tcmalloc 2.9); a child of "
		  "another architecture complains and runs without",
	  .system_call = true,
	  .option = "allocator",
	  .by_option = is_asked },
	{ .name = "GLIBC_TUNABLES",
	  .applies = tunables_apply,
	  .merge = tunables_merge,
	  .users_part = tunables_users_part,
	  .why = "freed memory is kept for the next step instead of being given back to the kernel and faulted in "
		 "again "
		 "(measured: up to 1.4x on real networks; glibc manual, Memory Allocation Tunables)",
	  .explain = tunables_explain,
	  .risk = "freed memory stays with the process: no more at peak on fixed shapes, 15 % more where every step "
		  "has other shapes" },
	{ .name = "MALLOC_CONF",
	  .applies = jemalloc_applies,
	  .value = jemalloc_value,
	  .why = "the guide's string for jemalloc; 'jemalloc' is its form for where memory is tight, "
		 "'jemalloc-aggressive' "
		 "the one that keeps freed memory (guide, Jemalloc; jemalloc(3), TUNING)",
	  .risk = "the form that keeps memory may run into a memory limit" },
	{ .name = "TCMALLOC_RELEASE_RATE",
	  .applies = release_applies,
	  .value = release_value,
	  .why = "under this memory limit freed memory goes back to the kernel ten times as fast as by default "
		 "(gperftools, docs/tcmalloc.html: 0 is never, 10 the fastest that is reasonable)",
	  .risk = "memory that is given back is faulted in again when it is needed" },
};

static int add_warnings(const struct settings_input *in, enum allocator allocator)
{
	const struct workload_library *library = &in->workload->malloc_library;
	struct plan_notes *warnings = &in->plan->warnings;
	int r = 0;

	if (kinds[allocator].slow && !settings_user_value(in, "MALLOC_CONF"))
		r = plan_note(warnings, "allocator-slow", NULL, "%s may be slower: %s", allocator_words[allocator],
			      kinds[allocator].slow);
	if (r == 0 && kinds[allocator].why && !library->proven)
		r = plan_note(warnings, "allocator-unchecked", NULL,
			      "'%s' was not checked: it is another machine's, where it may be missing", library->path);
	if (r == 0 && library->broken && in->workload->request.allocator == ALLOCATOR_AUTO)
		r = plan_note(warnings, "allocator-unusable", NULL, "tcmalloc is not preloaded: %s", library->why_not);
	return r;
}

/* Something else stands in for what is asked for. */
static int warn_fallback(const struct settings_input *in, enum allocator allocator)
{
	const enum allocator asked = in->workload->request.allocator;
	const char *reason = not_preloaded(in);
	const bool missing = reason && !preload_refused(in) && !in->workload->malloc_library.broken;

	if (asked == ALLOCATOR_AUTO || asked == allocator)
		return 0;
	if (!reason)
		reason = allocator == ALLOCATOR_JEMALLOC ? "the memory limit is too small for it"
							 : "LD_PRELOAD brings another malloc already";
	return plan_note(&in->plan->warnings, "allocator-fallback", NULL, "%s is left out, %s stands in: %s%s%s",
			 allocator_words[asked], allocator_words[allocator], reason, missing ? "; to have it: " : "",
			 missing ? kinds[asked].package : "");
}

static int allocator_check(const struct settings_input *in)
{
	const struct allocator_choice choice = allocator_choose(in);

	if (warn_fallback(in, choice.allocator) < 0)
		return -ENOMEM;
	if (choice.reason == out_of_memory)
		return -ENOMEM;
	if (choice.reason)
		return plan_note(&in->plan->reasons, "allocator", choice.evidence, "glibc's malloc is not tuned: %s",
				 choice.reason);
	if (in->workload->request.allocator == ALLOCATOR_GLIBC)
		return plan_note(&in->plan->reasons, "allocator", "--allocator", "glibc's malloc is left as it is");
	return add_warnings(in, choice.allocator);
}

const struct setting_family family_allocator = {
	.name = "allocator",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
	.check = allocator_check,
	.refuse = allocator_refuse,
};

/* ---- Its place in LD_PRELOAD ---- */

static const char *preload_path(const struct settings_input *in, const struct plan_instance *instance)
{
	(void)instance;
	return is_preloaded(in) ? in->workload->malloc_library.path : NULL;
}

static void preload_explain(const struct settings_input *in, struct text *why)
{
	text_add(why, "%s answers malloc (--allocator)", allocator_words[allocator_choose(in).allocator]);
}

const struct preload_source preload_allocator = { .path = preload_path, .explain = preload_explain };

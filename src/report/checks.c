/* SPDX-License-Identifier: Apache-2.0 */
#include "report/check_rule.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/environ.h"
#include "launch/launch.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

void check_show(struct check_say *say, const char *format, ...)
{
	char *line = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		line = NULL;
	va_end(args);
	if (words_take(&say->evidence, line) < 0)
		say->failed = true;
}

/* Was this found in this instance? */
static bool found(const struct finding_input *in, const struct report *report, const char *id)
{
	for (size_t i = 0; i < report->finding_count; i++) {
		if (report->findings[i].instance == in->instance_idx && strcmp(report->findings[i].id, id) == 0)
			return true;
	}
	return false;
}

static bool is_bound(const struct finding_input *in)
{
	return in->instance->planned.known && in->instance->planned.pin != PIN_NONE;
}

static bool is_counted(const struct finding_input *in)
{
	return in->instance->planned.known && in->instance->planned.threads;
}

static bool is_planned(const struct finding_input *in)
{
	return in->instance->planned.known;
}

/* What the kernel granted at the start, as far as fettle was there. */
static bool cpus_refused(const struct finding_input *in, struct check_say *say)
{
	const struct launch_grant *grant = in->instance->grant;

	if (!grant || !grant->affinity_unmet)
		return false;
	if (grant->affinity_error)
		check_show(say, "sched_setaffinity: %s", strerror(-grant->affinity_error));
	else
		check_show(say, "sched_getaffinity, read back after binding: not what was asked");
	return true;
}

static void add_granted(const struct finding_input *in, hwloc_const_bitmap_t allowed, struct check_say *say)
{
	const struct launch_grant *grant = in->instance->grant;

	if (grant && grant->affinity_granted)
		allowed = grant->affinity_granted;
	if (allowed)
		finding_list(&say->granted, allowed);
}

/* All threads together have not all CPUs of the plan that are there. */
static bool is_narrower(const struct finding_input *in, hwloc_const_bitmap_t allowed)
{
	cleanup_bitmap hwloc_bitmap_t left = finding_cpus_left(in, in->instance->planned.mask_os);

	return left && !hwloc_bitmap_isincluded(left, allowed);
}

static enum verdict cpu_binding(const struct finding_input *in, const struct report *report, struct check_say *say)
{
	cleanup_bitmap hwloc_bitmap_t granted = hwloc_bitmap_alloc(), seen = hwloc_bitmap_alloc();
	struct thread_walk walk = { 0 };
	unsigned known = 0, all = 0;

	if (!granted || !seen) {
		say->failed = true;
		return VERDICT_UNKNOWN;
	}
	while (finding_next_thread(in->observation, in->instance_idx, &walk)) {
		all++;
		(void)hwloc_bitmap_set(seen, walk.thread->last.cpu_os);
		if (!walk.thread->allowed_os)
			continue;
		known++;
		(void)hwloc_bitmap_or(granted, granted, walk.thread->allowed_os);
	}
	finding_list(&say->asked, in->instance->planned.mask_os);
	/* Where what was granted at the start is known, what may be used now is what was seen. */
	if (in->instance->grant && in->instance->grant->affinity_granted)
		(void)hwloc_bitmap_or(seen, seen, granted);
	finding_list(&say->seen, seen);
	add_granted(in, all && (known == all || found(in, report, "cpu-escaped")) ? granted : NULL, say);
	if (cpus_refused(in, say))
		return VERDICT_DIFFERS;
	if (found(in, report, "cpu-escaped")) {
		check_show(say, "see cpu-escaped");
		return VERDICT_DIFFERS;
	}
	if (all && known == all && found(in, report, "setting-changed") && is_narrower(in, granted)) {
		check_show(say, "see setting-changed");
		return VERDICT_DIFFERS;
	}
	if (known < all || !all) {
		check_show(say, "the status of %u of %u threads could not be read (/proc/%d/task)", all - known, all,
			   (int)in->main->pid);
		return VERDICT_UNKNOWN;
	}
	check_show(say, "/proc/%d/task and its children's, status of %u threads: Cpus_allowed_list", (int)in->main->pid,
		   all);
	return VERDICT_MET;
}

/* Less of a window shows whether threads are there, hardly what they do. */
enum { SHORT_MS = 400 };

static enum verdict threads(const struct finding_input *in, const struct report *report, struct check_say *say)
{
	const unsigned planned = in->instance->planned.threads;
	unsigned count = 0;

	text_add(&say->asked, "%u", planned);
	if (!in->observation->looks) {
		check_show(say, "the program is over");
		return VERDICT_UNKNOWN;
	}
	for (size_t i = 0; i < in->main->thread_count; i++)
		count += !in->main->threads[i].gone && thread_computes(in->observation, &in->main->threads[i]);
	text_add(&say->seen, "%u", count);
	check_show(say, "/proc/%d/task: %u of %zu threads computed in %llu ms", (int)in->main->pid, count,
		   in->main->thread_count, (unsigned long long)in->window_ms);
	if (found(in, report, "threads-fewer") || found(in, report, "threads-more"))
		return VERDICT_DIFFERS;
	if (count == planned)
		return VERDICT_MET;
	if (in->window_ms < SHORT_MS)
		check_show(say, "that is too short a time to tell who computes");
	else
		check_show(say, "the others may have had nothing to do: look again when the program computes");
	return VERDICT_UNKNOWN;
}

static bool has_policy(const struct finding_input *in)
{
	return in->instance->planned.known && in->instance->planned.memory_policy != MEMORY_NONE;
}

static enum verdict memory(const struct finding_input *in, const struct report *report, struct check_say *say)
{
	const struct planned *planned = &in->instance->planned;
	const struct launch_grant *grant = in->instance->grant;

	text_add(&say->asked, "%s", memory_policy_words[planned->memory_policy]);
	if (!hwloc_bitmap_iszero(planned->nodes_os)) {
		text_add(&say->asked, ":");
		finding_list(&say->asked, planned->nodes_os);
	}
	if (grant && grant->memory_error) {
		text_add(&say->granted, "%s", memory_policy_words[grant->memory_granted]);
		check_show(say, "set_mempolicy: %s", strerror(-grant->memory_error));
		return VERDICT_DIFFERS;
	}
	if (!in->main->pages_known) {
		check_show(say, "/proc/%d/numa_maps could not be read", (int)in->main->pid);
		return VERDICT_UNKNOWN;
	}
	for (size_t i = 0; i < in->main->page_count; i++)
		text_add(&say->seen, "%snode %u: %llu MiB", i ? ", " : "", in->main->pages[i].node_os,
			 (unsigned long long)((in->main->pages[i].anonymous_bytes + in->main->pages[i].huge_bytes) >>
					      20));
	if (found(in, report, "memory-policy-refused"))
		text_add(&say->granted, "none");
	check_show(say, "/proc/%d/numa_maps", (int)in->main->pid);
	return found(in, report, "memory-policy-refused") || found(in, report, "memory-remote") ? VERDICT_DIFFERS
												: VERDICT_MET;
}

static bool has_preload(const struct finding_input *in)
{
	return in->main->environment ? finding_variable(in, "LD_PRELOAD") != NULL
				     : in->instance->planned.preloads.count > 0;
}

static enum verdict preload(const struct finding_input *in, const struct report *report, struct check_say *say)
{
	bool all = true;

	(void)report;
	if (in->main->environment)
		text_add(&say->asked, "%s", finding_variable(in, "LD_PRELOAD"));
	for (size_t i = 0; !in->main->environment && i < in->instance->planned.preloads.count; i++)
		text_add(&say->asked, "%s%s", i ? ":" : "", in->instance->planned.preloads.items[i]);
	if (!in->main->environment) {
		check_show(say, "/proc/%d/environ could not be read", (int)in->main->pid);
		return VERDICT_UNKNOWN;
	}
	if (!in->main->objects_known) {
		check_show(say, "/proc/%d/maps could not be read", (int)in->main->pid);
		return VERDICT_UNKNOWN;
	}
	for (size_t i = 0; i < in->main->preload_count; i++) {
		const struct observed_preload *one = &in->main->preloads[i];

		if (one->object_idx < 0) {
			all &= finding_is_scribe(in, one);
			check_show(say, "%s: %s", one->name, one->why);
			continue;
		}
		text_add(&say->seen, "%s%s", say->seen.length ? ":" : "", in->main->objects[one->object_idx].path);
	}
	check_show(say, "/proc/%d/maps", (int)in->main->pid);
	return all ? VERDICT_MET : VERDICT_DIFFERS;
}

static enum verdict owner(const struct finding_input *in, enum observed_symbol symbol, const char *what,
			  struct check_say *say)
{
	const struct observed_owner *seen = &in->main->owners[symbol];

	if (!seen->known) {
		check_show(say, "%s", seen->why ? seen->why : "not known");
		return VERDICT_UNKNOWN;
	}
	if (seen->object_idx >= 0) {
		text_add(&say->seen, "%s", in->main->objects[seen->object_idx].path);
		check_show(say, "the first in process %d that has %s", (int)in->main->pid, what);
	}
	return VERDICT_MET;
}

static bool is_dynamic(const struct finding_input *in)
{
	const struct observed_agent_process *main = check_main(in);

	return (in->main->deep && !in->main->statically_linked) || (main && main->malloc_owner);
}

static enum verdict allocator(const struct finding_input *in, const struct report *report, struct check_say *say)
{
	const enum verdict verdict = owner(in, SYMBOL_MALLOC, "malloc", say);

	for (size_t i = 0; i < in->main->preload_count && !say->asked.length; i++) {
		const int idx = in->main->preloads[i].object_idx;

		if (idx >= 0 && in->main->objects[idx].library &&
		    in->main->objects[idx].library->family == LIBRARY_ALLOCATOR)
			text_add(&say->asked, "%s", in->main->preloads[i].name);
	}
	return found(in, report, "allocator-not-in-charge") ? VERDICT_DIFFERS : verdict;
}

static bool has_openmp(const struct finding_input *in)
{
	const struct observed_agent_process *main = check_main(in);

	return in->main->owners[SYMBOL_GOMP].definers || in->main->owners[SYMBOL_KMPC].definers ||
	       (main && (main->gomp_owner || main->kmpc_owner));
}

static enum verdict openmp(const struct finding_input *in, const struct report *report, struct check_say *say)
{
	const bool gomp = in->main->owners[SYMBOL_GOMP].definers > 0;
	const enum verdict verdict =
		owner(in, gomp ? SYMBOL_GOMP : SYMBOL_KMPC, gomp ? "GOMP_parallel" : "__kmpc_fork_call", say);

	return found(in, report, "openmp-two-runtimes") || found(in, report, "openmp-not-in-charge") ? VERDICT_DIFFERS
												     : verdict;
}

/* The record names the variables that fettle gave a value; a wrapper between may have taken some out. */
static enum verdict environment(const struct finding_input *in, const struct report *report, struct check_say *say)
{
	const struct words *set = &in->instance->planned.set;
	unsigned there = 0;

	(void)report;
	text_add(&say->asked, "%zu variables", set->count);
	if (!in->main->environment) {
		check_show(say, "/proc/%d/environ could not be read", (int)in->main->pid);
		return VERDICT_UNKNOWN;
	}
	for (size_t i = 0; i < set->count; i++) {
		if (finding_variable(in, set->items[i]))
			there++;
		else
			check_show(say, "%s is not in the environment of process %d", set->items[i],
				   (int)in->main->pid);
	}
	text_add(&say->seen, "%u variables", there);
	check_show(say, "/proc/%d/environ, as it was when the program started", (int)in->main->pid);
	return there == set->count ? VERDICT_MET : VERDICT_DIFFERS;
}

static const struct check_rule rules[] = {
	{ "cpu-binding", cpu_binding, is_bound, SIGHT_ONCE, check_written_binding },
	{ "threads", threads, is_counted, SIGHT_OFTEN, check_written_threads },
	{ "memory", memory, has_policy, SIGHT_ONCE, check_written_memory },
	{ "preload", preload, has_preload, SIGHT_LAST, check_written_preload },
	{ "allocator", allocator, is_dynamic, SIGHT_LAST, check_written_allocator },
	{ "openmp", openmp, has_openmp, SIGHT_LAST, check_written_openmp },
	{ "environment", environment, is_planned, SIGHT_LAST, check_written_environment },
};

const char *check_name(size_t i)
{
	return i < ARRAY_SIZE(rules) ? rules[i].name : NULL;
}

/* What a text holds; NULL when it is empty. */
static char *take(struct text *text, bool *failed)
{
	const bool empty = !text->length;
	char *taken = empty ? NULL : text_take(text);

	*failed |= !empty && !taken;
	text_clear(text); /* an empty list is no words, and yet memory */
	return taken;
}

/* What a look could not tell: by what was written down, or not at all. `why`: nobody looked. */
static enum verdict without_look(const struct check_rule *rule, const struct finding_input *in, const char *why,
				 struct check_say *say)
{
	struct check_say told = { .failed = false };
	const enum verdict verdict = check_main(in) ? rule->written(in, &told) : VERDICT_UNKNOWN;

	if (why || verdict != VERDICT_UNKNOWN) {
		text_clear(&say->seen);
		words_clear(&say->evidence);
		say->seen = told.seen;
		say->evidence = told.evidence;
		say->failed |= told.failed;
	} else {
		text_clear(&told.seen);
		words_clear(&told.evidence);
	}
	if (why && verdict == VERDICT_UNKNOWN)
		check_show(say, "%s", why);
	return verdict;
}

static int apply(const struct check_rule *rule, const struct finding_input *in, const char *why, struct report *report)
{
	struct check *grown = array_grow(report->checks, &report->check_capacity, report->check_count, sizeof(*grown));
	struct check_say say = { .failed = false };

	if (!grown)
		return -ENOMEM;
	report->checks = grown;
	grown += report->check_count;
	*grown = (struct check){ .name = rule->name, .sight = rule->sight, .instance = in->instance_idx, .looks = 1 };
	grown->verdict = rule->test(in, report, &say);
	if (grown->verdict != VERDICT_DIFFERS && (why || grown->verdict == VERDICT_UNKNOWN))
		grown->verdict = without_look(rule, in, why, &say);
	say.failed |= say.asked.failed || say.granted.failed || say.seen.failed;
	grown->asked = take(&say.asked, &say.failed);
	grown->granted = take(&say.granted, &say.failed);
	grown->seen = take(&say.seen, &say.failed);
	grown->evidence = say.evidence;
	report->check_count++;
	return say.failed ? -ENOMEM : 0;
}

int checks_make(const struct finding_input *in, const char *why, struct report *report)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rules); i++) {
		if (rules[i].applies(in))
			r = apply(&rules[i], in, why, report);
	}
	return r;
}

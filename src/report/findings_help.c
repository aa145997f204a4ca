/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of findings share. */
#include "report/finding_rule.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/record.h"

#include "settings/preload.h"
#include "target/tree.h"

#include <stdarg.h>
#include <string.h>

enum { SHOWN_MOST = 6 };

void finding_show(struct finding_say *say, const char *format, ...)
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

bool finding_show_some(struct finding_say *say)
{
	if (say->shown == SHOWN_MOST) {
		say->left_out++;
		return false;
	}
	say->shown++;
	return true;
}

void finding_show_rest(struct finding_say *say, const char *what)
{
	if (say->left_out)
		finding_show(say, "and %u more %s", say->left_out, what);
	say->shown = 0;
	say->left_out = 0;
}

void finding_show_fact(struct finding_say *say, const struct fact *fact)
{
	if (fact->raw)
		finding_show(say, "%s: %s", fact->source, fact->raw);
	else
		finding_show(say, "%s: %llu", fact->source, (unsigned long long)fact->value);
}

bool finding_next_thread(const struct observation *observation, int instance_idx, struct thread_walk *walk)
{
	for (; walk->next_process < observation->process_count; walk->next_process++, walk->next_thread = 0) {
		const struct observed_process *process = &observation->processes[walk->next_process];

		if (process->instance_idx != instance_idx || process->gone)
			continue;
		while (walk->next_thread < process->thread_count) {
			const struct observed_thread *thread = &process->threads[walk->next_thread++];

			if (thread->gone)
				continue;
			walk->process = process;
			walk->thread = thread;
			return true;
		}
	}
	return false;
}

void finding_list(struct text *text, hwloc_const_bitmap_t set)
{
	cleanup_free char *list = cpulist_text(set);

	if (list)
		text_add(text, "%s", list);
	else
		text->failed = true;
}

bool finding_is_scribe(const struct finding_input *in, const struct observed_preload *preload)
{
	const struct planned *planned = &in->instance->planned;

	return planned->known && planned->pin != PIN_THREADS && !planned->flush &&
	       strcmp(tree_name(preload->name), preload_agent.name) == 0;
}

bool finding_is_nested(const struct finding_input *in, struct finding_say *say)
{
	cleanup_planned struct planned own = { .known = false };
	struct err why = { 0 };
	const char *record = in->main->environment ? finding_variable(in, RECORD_VARIABLE) : NULL;
	const int r = record ? planned_read(record, &own, &why) : -ENOENT;

	say->failed |= r == -ENOMEM;
	return r == 0 && in->instance->planned.known &&
	       !hwloc_bitmap_isequal(own.mask_os, in->instance->planned.mask_os) &&
	       hwloc_bitmap_isincluded(own.mask_os, in->instance->planned.mask_os);
}

const char *finding_variable(const struct finding_input *in, const char *name)
{
	return environ_value((const char *const *)in->main->environment, name);
}

unsigned finding_waited_milli(const struct finding_input *in)
{
	struct thread_walk walk = { 0 };
	unsigned sum = 0;

	while (finding_next_thread(in->observation, in->instance_idx, &walk)) {
		if (thread_computes(in->observation, walk.thread))
			sum += thread_wanted_milli(in->observation, walk.thread) -
			       thread_ran_milli(in->observation, walk.thread);
	}
	return sum;
}

hwloc_bitmap_t finding_cpus_left(const struct finding_input *in, hwloc_const_bitmap_t set)
{
	hwloc_bitmap_t left = hwloc_bitmap_dup(set);

	if (left && in->instance->cgroup.cpuset_os)
		(void)hwloc_bitmap_and(left, left, in->instance->cgroup.cpuset_os);
	if (left && in->observation->online_os)
		(void)hwloc_bitmap_and(left, left, in->observation->online_os);
	return left;
}

bool finding_chose_cpus(const struct finding_input *in, const struct observed_agent_process *process)
{
	cleanup_bitmap hwloc_bitmap_t mask = finding_cpus_left(in, in->instance->planned.mask_os);
	cleanup_bitmap hwloc_bitmap_t chosen = process->chosen_os ? finding_cpus_left(in, process->chosen_os) : NULL;

	if (!mask || !chosen || !process->choices || !process->last_os ||
	    !hwloc_bitmap_isequal(process->last_os, chosen) || hwloc_bitmap_isequal(chosen, mask))
		return false;
	return !process->forked || !hwloc_bitmap_isincluded(chosen, mask);
}

bool finding_lowered_team(const struct finding_input *in, const struct observed_agent_process *process,
			  unsigned *ret_largest)
{
	const unsigned planned = in->instance->planned.threads;
	unsigned largest = 0;

	for (size_t i = 0; i < process->runtime_count; i++)
		largest = process->runtimes[i].threads > largest ? process->runtimes[i].threads : largest;
	*ret_largest = largest;
	return process->state == AGENT_ENDED && process->team_last && process->team_last < planned &&
	       largest + 1 < planned;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about denormal numbers, from what the threads' floating-point flags say. */
#include "report/finding_rule.h"

#include "base/cleanup.h"

static void show_flags(struct finding_say *say, const struct thread_walk *walk)
{
	const struct observed_float *floats = &walk->thread->floats;

	if (!finding_show_some(say))
		return;
#if defined(__x86_64__)
	finding_show(say, "thread %d ('%s'): MXCSR is 0x%04x", (int)walk->thread->tid, walk->thread->name,
		     floats->control);
#else
	finding_show(say, "thread %d ('%s'): FPCR is 0x%08x, FPSR 0x%08x", (int)walk->thread->tid, walk->thread->name,
		     floats->control, floats->status);
#endif
}

static bool met(const struct finding_input *in, struct finding_say *say)
{
	struct thread_walk walk = { 0 };
	unsigned asked = 0, count = 0;

	while (finding_next_thread(in->observation, in->instance_idx, &walk)) {
		if (!walk.thread->floats.known || !thread_computes(in->observation, walk.thread))
			continue;
		asked++;
		if (!walk.thread->floats.met)
			continue;
		count++;
		show_flags(say, &walk);
	}
	finding_show_rest(say, "threads");
	text_add(&say->detail, "%u of %u threads", count, asked);
	return count > 0;
}

/* The main thread of the process flushes: somebody asked for it. */
static bool asked_inside(const struct observed_process *process)
{
	const struct observed_thread *first = process->thread_count ? process->threads : NULL;

	return first && first->tid == process->pid && first->floats.known && first->floats.flushes;
}

static bool incomplete(const struct finding_input *in, struct finding_say *say)
{
	const bool planned = in->instance->planned.known && in->instance->planned.flush;
	struct thread_walk walk = { 0 };
	unsigned asked = 0, count = 0;

	while (finding_next_thread(in->observation, in->instance_idx, &walk)) {
		if (!walk.thread->floats.known || !thread_computes(in->observation, walk.thread))
			continue;
		asked++;
		if (walk.thread->floats.flushes || !(planned || asked_inside(walk.process)))
			continue;
		count++;
		show_flags(say, &walk);
	}
	finding_show_rest(say, "threads");
	text_add(&say->detail, "%u of %u threads that compute do not flush denormal numbers, though %s", count, asked,
		 planned ? "--flush-denormals was given" : "the main thread does");
	if (!planned)
		say->severity = SEVERITY_WARNING;
	return count > 0;
}

static const struct finding_rule rules[] = {
	{ .id = "flush-incomplete",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_COMPUTE,
	  .window_ms = 400,
	  .test = incomplete,
	  .text = "{}",
	  .remedy =
		  "fettle run --flush-denormals -- ...   (before the first thread; a program that sets it itself must "
		  "do so in each, or before its pool starts)" },
	{ .id = "denormals-met",
	  .severity = SEVERITY_NOTE, /* once or always, the flag does not say */
	  .needs = NEEDS_COMPUTE,
	  .window_ms = 400,
	  .test = met,
	  .text = "{} that compute have met denormal numbers, which cost many times the time of others where there are "
		  "many (how many, their flags do not say)",
	  .remedy = "fettle run --flush-denormals -- ...   (they count as zero then: results change a little)" },
};

const struct finding_rules finding_denormal_rules = { rules, ARRAY_SIZE(rules) };

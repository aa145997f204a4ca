/* SPDX-License-Identifier: Apache-2.0 */
/* Findings about what LD_PRELOAD came to. */
#include "report/finding_rule.h"

#include "base/cleanup.h"

static bool lacking(const struct finding_input *in, bool unusable, struct finding_say *say)
{
	const struct observed_process *process = in->main;
	unsigned count = 0;

	for (size_t i = 0; i < process->preload_count; i++) {
		const struct observed_preload *preload = &process->preloads[i];

		if (preload->object_idx >= 0 || preload->unusable != unusable || finding_is_scribe(in, preload))
			continue;
		text_add(&say->detail, "%s%s: %s", count ? "; " : "", preload->name, preload->why);
		finding_show(say, "/proc/%d/environ: LD_PRELOAD names %s; /proc/%d/maps does not have it",
			     (int)process->pid, preload->name, (int)process->pid);
		count++;
	}
	return count > 0;
}

static bool missing(const struct finding_input *in, struct finding_say *say)
{
	return lacking(in, false, say);
}

static bool unusable(const struct finding_input *in, struct finding_say *say)
{
	return lacking(in, true, say);
}

static bool not_in_charge(const struct finding_input *in, struct finding_say *say)
{
	const struct observed_process *process = in->main;
	const struct observed_owner *owner = &process->owners[SYMBOL_MALLOC];
	bool first = true;

	if (!owner->known || owner->object_idx < 0)
		return false;
	for (size_t i = 0; i < process->preload_count && first; i++) {
		const int idx = process->preloads[i].object_idx;
		const struct observed_object *object = idx >= 0 ? &process->objects[idx] : NULL;

		if (!object || !object->library || object->library->family != LIBRARY_ALLOCATOR)
			continue;
		/* Of two allocators that are preloaded the first is meant. */
		first = false;
		if (idx == owner->object_idx)
			continue;
		text_add(&say->detail, "%s is preloaded, but malloc is that of %s", process->preloads[i].name,
			 process->objects[owner->object_idx].path);
		finding_show(say, "/proc/%d/maps: %s", (int)process->pid, object->path);
		finding_show(say, "link map of process %d: the first that has malloc is %s", (int)process->pid,
			     process->objects[owner->object_idx].path);
		return true;
	}
	return false;
}

static const struct finding_rule rules[] = {
	{ .id = "preload-missing",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_OBJECTS | NEEDS_ENVIRONMENT,
	  .test = missing,
	  .text = "a preload is not in the process: {}",
	  .remedy = "fettle machine -- PROGRAM   (shows which libraries there are and whether they load)" },
	{ .id = "preload-unusable",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_OBJECTS | NEEDS_ENVIRONMENT,
	  .test = unusable,
	  .text = "a preload cannot be in the process: {}",
	  .remedy = "take it out of LD_PRELOAD, or start a program that can load it" },
	{ .id = "allocator-not-in-charge",
	  .severity = SEVERITY_ERROR,
	  .needs = NEEDS_OBJECTS | NEEDS_ENVIRONMENT,
	  .test = not_in_charge,
	  .text = "{}",
	  .remedy = "fettle run --allocator tuned-glibc -- ...   (needs no preload), or build the program without its "
		    "own" },
};

const struct finding_rules finding_preload_rules = { rules, ARRAY_SIZE(rules) };

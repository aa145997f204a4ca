/* SPDX-License-Identifier: Apache-2.0 */
#include "report/agent_json.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "observe/observed_agent.h"

static int set_list(json_t *object, const char *key, hwloc_const_bitmap_t set)
{
	return set ? json_set_list(object, key, set) : json_object_set_new(object, key, json_null());
}

struct bit {
	unsigned bit;
	const char *word;
};

static const struct bit float_words[] = { { AGENT_FLUSHES, "flushes" },
					  { AGENT_MET_OPERAND, "denormal operand" },
					  { AGENT_MET_RESULT, "tiny result" } };
static const struct bit trouble_words[] = {
	{ AGENT_NO_FORK_HANDLER, "no handler for fork: children are not seen" },
	{ AGENT_NO_THREAD_KEY, "no key for the threads' own data: their ends are not seen" },
	{ AGENT_FILTERED,
	  "the program filters its system calls (seccomp): nothing that takes one is noted after that" },
	{ AGENT_NO_PLACE, "too many threads were about to start at once: some are not seen" },
};

static json_t *bits_to_json(unsigned bits, const struct bit *words, size_t count)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		if (bits & words[i].bit)
			r |= json_array_append_new(array, json_string(words[i].word));
	}
	return json_finish(array, r);
}

static json_t *float_to_json(unsigned bits)
{
	return bits & AGENT_FLOAT_KNOWN ? bits_to_json(bits, float_words, ARRAY_SIZE(float_words)) : json_null();
}

static json_t *thread_to_json(const struct observed_agent_thread *thread)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "tid", json_integer(thread->tid));

	r |= json_object_set_new(object, "of_runtime", json_boolean(thread->of_runtime));
	r |= json_object_set_new(object, "ended", json_boolean(thread->ended));
	r |= set_list(object, "first_os", thread->first_os);
	r |= set_list(object, "last_os", thread->last_os);
	r |= json_object_set_new(object, "float_first", float_to_json(thread->float_first));
	r |= json_object_set_new(object, "float_last", float_to_json(thread->float_last));
	return json_finish(object, r);
}

static json_t *runtime_to_json(const struct observed_agent_runtime *runtime)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "path", json_any_text(runtime->path));

	r |= json_object_set_new(object, "threads", json_integer(runtime->threads));
	return json_finish(object, r);
}

static int add_threads(const struct observed_agent_process *process, json_t *object)
{
	json_t *threads = json_array(), *runtimes = json_array();
	int r = json_object_set_new(object, "threads_started", json_integer(process->threads_started));

	for (size_t i = 0; i < process->thread_count; i++)
		r |= json_array_append_new(threads, thread_to_json(&process->threads[i]));
	for (size_t i = 0; i < process->runtime_count; i++)
		r |= json_array_append_new(runtimes, runtime_to_json(&process->runtimes[i]));
	r |= json_object_set_new(object, "threads_ended", json_integer(process->threads_ended));
	r |= json_object_set_new(object, "threads_unseen", json_integer(process->threads_unseen));
	r |= json_object_set_new(object, "threads_left", json_integer(process->threads_left));
	r |= json_object_set_new(object, "not_flushing", json_integer(process->not_flushing));
	r |= json_object_set_new(object, "met_denormals", json_integer(process->met_denormals));
	r |= json_object_set_new(object, "team_last",
				 process->team_last ? json_integer(process->team_last) : json_null());
	r |= json_object_set_new(object, "threads", threads);
	r |= json_object_set_new(object, "runtimes", runtimes);
	return r;
}

static int add_masks(const struct observed_agent_process *process, json_t *object)
{
	int r = set_list(object, "first_os", process->first_os);

	r |= set_list(object, "given_os", process->given_os);
	r |= set_list(object, "last_os", process->last_os);
	r |= set_list(object, "chosen_os", process->chosen_os);
	r |= json_object_set_new(object, "chooser", json_optional_text(process->chooser));
	r |= json_object_set_new(object, "choices", json_integer(process->choices));
	r |= json_object_set_new(object, "bindings", json_integer(process->bindings));
	r |= json_object_set_new(object, "widened", json_boolean(process->flags & AGENT_WIDENED));
	return r;
}

static json_t *policy_to_json(int policy)
{
	return policy == AGENT_NO_POLICY ? json_null() : json_integer(policy);
}

static json_t *process_to_json(const struct observed_agent_process *process)
{
	static const char *const states[] = {
		[AGENT_RUNS] = "runs", [AGENT_BECAME] = "became-another", [AGENT_ENDED] = "ended"
	};
	json_t *object = json_object();
	int r = json_object_set_new(object, "pid", json_integer(process->pid));

	r |= json_object_set_new(object, "parent", json_integer(process->parent));
	r |= json_object_set_new(object, "forked", json_boolean(process->forked));
	r |= json_object_set_new(object, "state", json_string(states[process->state]));
	r |= json_object_set_new(object, "malloc", json_optional_text(process->malloc_owner));
	r |= json_object_set_new(object, "GOMP_parallel", json_optional_text(process->gomp_owner));
	r |= json_object_set_new(object, "__kmpc_fork_call", json_optional_text(process->kmpc_owner));
	r |= add_masks(process, object);
	r |= json_object_set_new(object, "changed_before", json_words(&process->changed_before));
	r |= json_object_set_new(object, "changed", json_words(&process->changed));
	r |= json_object_set_new(object, "float_first", float_to_json(process->float_first));
	r |= json_object_set_new(object, "float_last", float_to_json(process->float_last));
	r |= add_threads(process, object);
	r |= json_object_set_new(object, "policy_first", policy_to_json(process->policy_first));
	r |= json_object_set_new(object, "policy_last", policy_to_json(process->policy_last));
	r |= json_object_set_new(object, "trouble",
				 bits_to_json(process->trouble, trouble_words, ARRAY_SIZE(trouble_words)));
	return json_finish(object, r);
}

/* What `count` threads did with their flags, unknown because of `why`. */
static int add_gap(pid_t pid, unsigned count, const char *what, const char *why, json_t *unknown)
{
	json_t *gap = json_object();
	int r = json_object_set_new(gap, "path", json_sprintf("agent, process %d", (int)pid));

	r |= json_object_set_new(gap, "what", json_sprintf("%s of %u thread%s", what, count, count == 1 ? "" : "s"));
	r |= json_object_set_new(gap, "why", json_string(why));
	return json_array_append_new(unknown, json_finish(gap, r));
}

int agent_gaps_to_json(const struct observed_agent *agent, json_t *unknown)
{
	static const char what[] = "the floating-point flags at the end (denormals met, flushing)";
	int r = 0;

	for (size_t i = 0; i < agent->process_count && r == 0; i++) {
		const struct observed_agent_process *process = &agent->processes[i];

		if (process->state == AGENT_ENDED && process->threads_left)
			r = add_gap(process->pid, process->threads_left, what,
				    "still there when the process ended, and read by nobody without being stopped: "
				    "fettle inspect --denormals does that while the program runs",
				    unknown);
		else if (process->state == AGENT_RUNS)
			r = add_gap(process->pid, process->threads_started - process->threads_ended + 1, what,
				    "the process was ended by a signal, or by a call that the agent does not see",
				    unknown);
	}
	return r;
}

json_t *agent_to_json(const struct observed_agent *agent)
{
	json_t *object = json_object(), *processes = json_array();
	int r = json_object_set_new(object, "processes_lost", json_integer(agent->processes_lost));

	for (size_t i = 0; i < agent->process_count; i++)
		r |= json_array_append_new(processes, process_to_json(&agent->processes[i]));
	r |= json_object_set_new(object, "threads_lost", json_integer(agent->threads_lost));
	r |= json_object_set_new(object, "variables", json_integer(agent->variables));
	r |= json_object_set_new(object, "variables_left_out", json_integer(agent->variables_left_out));
	r |= json_object_set_new(object, "map_error", agent->map_error ? json_integer(agent->map_error) : json_null());
	r |= json_object_set_new(object, "processes", processes);
	return json_finish(object, r);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The document of schema fettle.report/1. */
#include "report/report_json.h"

#include "base/json.h"
#include "observe/observation.h"
#include "report/agent_json.h"

#include <string.h>

/* The instance's index as the plan counts it, not its place in the observation. */
static int instance_number(const struct observation *observation, int instance)
{
	return (int)observation->instances[instance].planned.index;
}

static json_t *number_to_json(int instance)
{
	return instance < 0 ? json_null() : json_integer(instance);
}

static json_t *planned_to_json(const struct planned *planned)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "index", json_integer(planned->index));

	r |= json_object_set_new(object, "known", json_boolean(planned->known));
	r |= json_set_list(object, "pus_os", planned->pus_os);
	r |= json_set_list(object, "mask_os", planned->mask_os);
	r |= json_object_set_new(object, "threads", json_integer(planned->threads));
	r |= json_object_set_new(object, "pin", json_string(pin_words[planned->pin]));
	r |= json_set_list(object, "nodes_os", planned->nodes_os);
	r |= json_object_set_new(object, "memory_policy", json_string(memory_policy_words[planned->memory_policy]));
	r |= json_object_set_new(object, "preloads", json_words(&planned->preloads));
	r |= json_object_set_new(object, "variables", json_words(&planned->set));
	return json_finish(object, r);
}

static json_t *plan_to_object(const struct observation *observation)
{
	json_t *object = json_object(), *instances = json_array();
	bool known = observation->instance_count > 0;
	int r = 0;

	for (size_t i = 0; i < observation->instance_count; i++) {
		const struct planned *planned = &observation->instances[i].planned;

		known = known && planned->known;
		if (planned->pus_os)
			r |= json_array_append_new(instances, planned_to_json(planned));
	}
	r |= json_object_set_new(object, "known", json_boolean(known));
	r |= json_object_set_new(object, "instances", instances);
	return json_finish(object, r);
}

static json_t *seconds(uint64_t ns)
{
	const uint64_t ms = ns / 1000000;

	return json_real((double)ms / 1000);
}

/* What a counter grew by; null when it is not known. */
static json_t *grown(const struct fact counter[2], double unit)
{
	double value;

	if (counter[0].state != FACT_KNOWN || counter[1].state != FACT_KNOWN || counter[1].value < counter[0].value)
		return json_null();
	value = (double)(counter[1].value - counter[0].value) * unit;
	return unit == 1 ? json_integer((json_int_t)value) : json_real(value);
}

/* null: its flags are not known. */
static json_t *floats_to_json(const struct observed_float *floats)
{
	json_t *object = floats->known ? json_object() : json_null();
	int r = 0;

	if (!floats->known)
		return object;
	r |= json_object_set_new(object, "met", json_boolean(floats->met));
	r |= json_object_set_new(object, "flushes", json_boolean(floats->flushes));
	r |= json_object_set_new(object, "control", json_integer(floats->control));
	r |= json_object_set_new(object, "status", json_integer(floats->status));
	r |= json_object_set_new(object, "stopped_us", json_integer((json_int_t)(floats->stopped_ns / 1000)));
	return json_finish(object, r);
}

static json_t *stops_to_json(const struct observed_stops *stops)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "asked", json_integer(stops->asked));

	r |= json_object_set_new(object, "read", json_integer(stops->read));
	r |= json_object_set_new(object, "spared", json_integer(stops->spared));
	r |= json_object_set_new(object, "longest_us", json_integer((json_int_t)(stops->longest_ns / 1000)));
	r |= json_object_set_new(object, "refused", stops->refused_pid ? json_string(stops->why) : json_null());
	return json_finish(object, r);
}

static json_t *thread_to_json(const struct observation *observation, const struct observed_thread *thread)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "tid", json_integer(thread->tid));

	r |= json_object_set_new(object, "name", json_any_text(thread->name));
	if (thread->allowed_os)
		r |= json_set_list(object, "allowed_os", thread->allowed_os);
	else
		r |= json_object_set_new(object, "allowed_os", json_null());
	r |= json_object_set_new(object, "cpu_os", json_integer(thread->last.cpu_os));
	r |= json_object_set_new(object, "ran_milli", json_integer(thread_ran_milli(observation, thread)));
	r |= json_object_set_new(object, "waited_milli",
				 thread->has_wait ? json_integer(thread_wanted_milli(observation, thread) -
								 thread_ran_milli(observation, thread))
						  : json_null());
	r |= json_object_set_new(object, "voluntary_switches",
				 thread->has_switches
					 ? json_integer((json_int_t)(thread->last.voluntary - thread->first.voluntary))
					 : json_null());
	r |= json_object_set_new(
		object, "involuntary_switches",
		thread->has_switches ? json_integer((json_int_t)(thread->last.involuntary - thread->first.involuntary))
				     : json_null());
	r |= json_object_set_new(
		object, "migrations",
		thread->has_migrations ? json_integer((json_int_t)(thread->last.migrations - thread->first.migrations))
				       : json_null());
	r |= json_object_set_new(object, "pool", thread->pool ? json_string(pool_names[thread->pool]) : json_null());
	r |= json_object_set_new(object, "computes", json_boolean(thread_computes(observation, thread)));
	if (observation->stops.asked)
		r |= json_object_set_new(object, "denormals", floats_to_json(&thread->floats));
	return json_finish(object, r);
}

static json_t *owner_to_json(const struct observed_process *process, enum observed_symbol symbol)
{
	const struct observed_owner *owner = &process->owners[symbol];

	return owner->known && owner->object_idx >= 0 ? json_any_text(process->objects[owner->object_idx].path)
						      : json_null();
}

/* Libraries that we know a name for. */
static json_t *libraries_to_array(const struct observed_process *process)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; i < process->object_count; i++) {
		const struct observed_object *object = &process->objects[i];
		json_t *item;

		if (!object->library)
			continue;
		item = json_object();
		r |= json_object_set_new(item, "family", json_string(library_families[object->library->family]));
		r |= json_object_set_new(item, "name", json_string(object->library->name));
		r |= json_object_set_new(item, "path", json_any_text(object->path));
		r |= json_array_append_new(array, item);
	}
	return json_finish(array, r);
}

static json_t *pages_to_json(const struct observed_process *process)
{
	json_t *array = json_array();
	int r = 0;

	for (size_t i = 0; i < process->page_count; i++) {
		const struct observed_pages *pages = &process->pages[i];
		json_t *item = json_object();

		r |= json_object_set_new(item, "node_os", json_integer(pages->node_os));
		r |= json_object_set_new(item, "anonymous_bytes", json_integer((json_int_t)pages->anonymous_bytes));
		r |= json_object_set_new(item, "file_bytes", json_integer((json_int_t)pages->file_bytes));
		r |= json_object_set_new(item, "huge_bytes", json_integer((json_int_t)pages->huge_bytes));
		r |= json_array_append_new(array, item);
	}
	return json_finish(array, r);
}

static json_t *process_to_json(const struct observation *observation, const struct observed_process *process)
{
	json_t *object = json_object(), *threads = json_array();
	int r = json_object_set_new(object, "pid", json_integer(process->pid));

	r |= json_object_set_new(object, "parent", json_integer(process->parent));
	r |= json_object_set_new(object, "instance",
				 process->instance_idx < 0
					 ? json_null()
					 : json_integer(instance_number(observation, process->instance_idx)));
	r |= json_object_set_new(object, "command", json_optional_text(process->command));
	for (size_t i = 0; i < process->thread_count; i++) {
		if (!process->threads[i].gone)
			r |= json_array_append_new(threads, thread_to_json(observation, &process->threads[i]));
	}
	r |= json_object_set_new(object, "threads", threads);
	if (process->deep) {
		r |= json_object_set_new(object, "malloc", owner_to_json(process, SYMBOL_MALLOC));
		r |= json_object_set_new(object, "openmp_gnu_calls", owner_to_json(process, SYMBOL_GOMP));
		r |= json_object_set_new(object, "openmp_kmp_calls", owner_to_json(process, SYMBOL_KMPC));
		r |= json_object_set_new(object, "libraries", libraries_to_array(process));
		r |= json_set_fact(object, "rss_bytes", &process->rss_bytes, NULL);
		r |= json_set_fact(object, "peak_bytes", &process->peak_bytes, NULL);
		r |= json_set_fact(object, "swap_bytes", &process->swap_bytes, NULL);
		r |= json_set_fact(object, "huge_bytes", &process->huge_bytes, NULL);
		r |= json_set_fact(object, "kept_bytes", &process->kept_bytes, NULL);
		r |= json_object_set_new(object, "memory_policy",
					 process->memory_policy[0] ? json_string(process->memory_policy) : json_null());
		r |= json_object_set_new(object, "pages", process->pages_known ? pages_to_json(process) : json_null());
	}
	return json_finish(object, r);
}

/* How long the process has been there; null: the kernel does not say since when. */
static json_t *age(const struct observation *observation, const struct observed_process *process)
{
	const uint64_t started_ms = process->started * 1000 / observation->ticks_per_s;

	if (observation->uptime_ms.state != FACT_KNOWN || observation->uptime_ms.value < started_ms)
		return json_null();
	return seconds((observation->uptime_ms.value - started_ms) * 1000000);
}

static json_t *instance_to_json(const struct observation *observation, size_t i)
{
	const struct observed_instance *instance = &observation->instances[i];
	const struct observed_process *root = &observation->processes[instance->root_idx];
	json_t *object = json_object();
	uint64_t ticks = 0, peak = 0;
	int r = json_object_set_new(object, "index", json_integer(instance->planned.index));

	for (size_t k = 0; k < observation->process_count; k++) {
		const struct observed_process *process = &observation->processes[k];

		if (process->instance_idx != (int)i)
			continue;
		ticks += process->ticks + (process == root ? process->child_ticks_last : 0);
		if (process->peak_bytes.state == FACT_KNOWN && process->peak_bytes.value > peak)
			peak = process->peak_bytes.value;
	}
	r |= json_object_set_new(object, "pid", json_integer(root->pid));
	r |= json_object_set_new(object, "exit_code", json_null());
	r |= json_object_set_new(object, "signal", json_null());
	r |= json_object_set_new(object, "wall_s", age(observation, root));
	r |= json_object_set_new(object, "cpu_s", json_real((double)ticks / (double)observation->ticks_per_s));
	r |= json_object_set_new(object, "max_rss_bytes", peak ? json_integer((json_int_t)peak) : json_null());
	r |= json_object_set_new(object, "throttled_periods", grown(instance->cgroup.throttled, 1));
	r |= json_object_set_new(object, "throttled_s", grown(instance->cgroup.throttled_ns, 1e-9));
	r |= json_object_set_new(object, "agent", instance->agent ? agent_to_json(instance->agent) : json_null());
	return json_finish(object, r);
}

json_t *check_to_json(const struct check *check, int instance)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "check", json_string(check->name));

	r |= json_object_set_new(object, "instance", number_to_json(instance));
	r |= json_object_set_new(object, "asked", json_optional_text(check->asked));
	r |= json_object_set_new(object, "granted", json_optional_text(check->granted));
	r |= json_object_set_new(object, "seen", json_optional_text(check->seen));
	r |= json_object_set_new(object, "verdict", json_string(verdict_words[check->verdict]));
	r |= json_object_set_new(object, "evidence", json_words(&check->evidence));
	return json_finish(object, r);
}

json_t *finding_to_json(const struct finding *finding, int instance)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "id", json_string(finding->id));

	r |= json_object_set_new(object, "severity", json_string(severity_words[finding->severity]));
	r |= json_object_set_new(object, "instance", number_to_json(instance));
	r |= json_object_set_new(object, "text", json_any_text(finding->text));
	r |= json_object_set_new(object, "evidence", json_words(&finding->evidence));
	r |= json_object_set_new(object, "remedy", json_optional_text(finding->remedy));
	return json_finish(object, r);
}

json_t *gap_to_json(const struct observed_gap *gap)
{
	json_t *object = json_object();
	int r = json_object_set_new(object, "path", json_any_text(gap->path));

	r |= json_object_set_new(object, "what", json_string(gap->what));
	r |= json_object_set_new(object, "why", json_string(strerror(-gap->code)));
	return json_finish(object, r);
}

json_t *report_to_json(const struct report *report, const struct report_input *input)
{
	const struct observation *observation = input->observation;
	json_t *object = json_object(), *instances = json_array(), *checks = json_array(), *findings = json_array();
	json_t *processes = json_array(), *unknown = json_array();
	int r = json_object_set_new(object, "schema", json_string("fettle.report/1"));

	for (size_t i = 0; i < observation->instance_count; i++)
		r |= json_array_append_new(instances, instance_to_json(observation, i));
	for (size_t i = 0; i < report->check_count; i++)
		r |= json_array_append_new(
			checks,
			check_to_json(&report->checks[i], instance_number(observation, report->checks[i].instance)));
	for (size_t i = 0; i < report->finding_count; i++)
		r |= json_array_append_new(findings,
					   finding_to_json(&report->findings[i],
							   instance_number(observation, report->findings[i].instance)));
	for (size_t i = 0; i < observation->process_count; i++) {
		if (!observation->processes[i].gone)
			r |= json_array_append_new(processes, process_to_json(observation, &observation->processes[i]));
	}
	for (size_t i = 0; i < observation->gap_count; i++)
		r |= json_array_append_new(unknown, gap_to_json(&observation->gaps[i]));
	r |= json_object_set_new(object, "plan", plan_to_object(observation));
	r |= json_object_set_new(object, "instances", instances);
	r |= json_object_set_new(object, "checks", checks);
	r |= json_object_set_new(object, "findings", findings);
	r |= json_object_set_new(object, "window_s", seconds(observation_window_ns(observation)));
	if (observation->stops.asked)
		r |= json_object_set_new(object, "stops", stops_to_json(&observation->stops));
	r |= json_object_set_new(object, "processes", processes);
	r |= json_object_set_new(object, "unknown", unknown);
	return json_finish(object, r);
}

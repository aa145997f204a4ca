/* SPDX-License-Identifier: Apache-2.0 */
#include "report/run.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "observe/observation.h"
#include "report/agent_json.h"
#include "report/report_json.h"

#include <stdarg.h>
#include <string.h>

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

double run_share(uint64_t cpu_ns, unsigned cpus, uint64_t wall_ns)
{
	return cpus && wall_ns ? (double)cpu_ns / (double)wall_ns / cpus : -1;
}

static void add_number(double number, struct run_sum *sum)
{
	if (!sum->numbers || number < sum->least)
		sum->least = number;
	if (!sum->numbers || number > sum->most)
		sum->most = number;
	sum->sum += number;
	sum->numbers++;
	sum->mean = sum->sum / (double)sum->numbers;
}

void run_sum(const struct run *run, struct run_sum *ret_sum)
{
	*ret_sum = (struct run_sum){ .cpus = 0 };
	for (size_t i = 0; i < run->count; i++) {
		const struct run_instance *instance = &run->instances[i];

		ret_sum->cpus += instance->cpus;
		ret_sum->restarts += instance->restarts;
		ret_sum->cpu_ns += instance->cpu_ns;
		ret_sum->max_rss_bytes += instance->max_rss_bytes;
		if (instance->collected)
			add_number(instance->number, ret_sum);
	}
}

static json_t *integer_if(bool known, uint64_t value)
{
	return known ? json_integer((json_int_t)value) : json_null();
}

static json_t *real_if(bool known, double value)
{
	return known ? json_real(value) : json_null();
}

static json_t *share_to_json(uint64_t cpu_ns, unsigned cpus, uint64_t wall_ns)
{
	const double share = run_share(cpu_ns, cpus, wall_ns);

	return real_if(share >= 0, share);
}

static json_t *instance_to_json(const struct run *run, const struct run_instance *instance)
{
	const bool ran = instance->pid != 0, throttle_known = ran && run->throttle_known;
	json_t *object = json_object();
	int r = json_object_set_new(object, "index", json_integer(instance->index));

	r |= json_object_set_new(object, "pid", integer_if(ran, (uint64_t)instance->pid));
	r |= json_object_set_new(object, "exit_code",
				 integer_if(ran && instance->exit_code >= 0, (uint64_t)instance->exit_code));
	r |= json_object_set_new(object, "signal", integer_if(instance->signal != 0, (uint64_t)instance->signal));
	r |= json_object_set_new(object, "stopped", json_boolean(instance->stopped));
	r |= json_object_set_new(object, "restarts", json_integer(instance->restarts));
	r |= json_object_set_new(object, "wall_s", real_if(ran, seconds(instance->wall_ns)));
	r |= json_object_set_new(object, "cpu_s", real_if(ran, seconds(instance->cpu_ns)));
	r |= json_object_set_new(object, "cpu_share",
				 share_to_json(instance->cpu_ns, instance->cpus, instance->wall_ns));
	r |= json_object_set_new(object, "max_rss_bytes", integer_if(ran, instance->max_rss_bytes));
	r |= json_object_set_new(object, "throttled_periods", integer_if(throttle_known, instance->throttled_periods));
	r |= json_object_set_new(object, "throttled_s", real_if(throttle_known, seconds(instance->throttled_ns)));
	r |= json_object_set_new(object, "agent", instance->agent ? agent_to_json(instance->agent) : json_null());
	if (instance->hooked)
		r |= json_object_set_new(object, "pytorch", instance->hook ? json_incref(instance->hook) : json_null());
	if (run->collect)
		r |= json_object_set_new(object, "collected", real_if(instance->collected, instance->number));
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static json_t *collected_to_json(const struct run *run, const struct run_sum *sum)
{
	const bool any = sum->numbers > 0;

	return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o}", "pattern", json_any_text(run->collect), "count",
			 (json_int_t)sum->numbers, "sum", real_if(any, sum->sum), "mean", real_if(any, sum->mean),
			 "least", real_if(any, sum->least), "most", real_if(any, sum->most));
}

static json_t *sum_to_json(const struct run *run)
{
	json_t *object = json_object();
	struct run_sum sum;
	int r;

	run_sum(run, &sum);
	r = json_object_set_new(object, "wall_s", json_real(seconds(run->wall_ns)));
	r |= json_object_set_new(object, "cpu_s", json_real(seconds(sum.cpu_ns)));
	r |= json_object_set_new(object, "cpu_share", share_to_json(sum.cpu_ns, sum.cpus, run->wall_ns));
	r |= json_object_set_new(object, "max_rss_bytes", json_integer((json_int_t)sum.max_rss_bytes));
	r |= json_object_set_new(object, "restarts", json_integer(sum.restarts));
	r |= json_object_set_new(object, "throttled_periods", integer_if(run->throttle_known, run->throttled_periods));
	r |= json_object_set_new(object, "throttled_s", real_if(run->throttle_known, seconds(run->throttled_ns)));
	if (run->collect)
		r |= json_object_set_new(object, "collected", collected_to_json(run, &sum));
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

static bool has_finding(const struct report *report, const char *id)
{
	for (size_t i = 0; i < report->finding_count; i++) {
		if (strcmp(report->findings[i].id, id) == 0)
			return true;
	}
	return false;
}

static char *format(const char *form, ...) __attribute__((format(printf, 1, 2)));
static char *format(const char *form, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, form);
	if (vasprintf(&text, form, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

int run_add_throttled(const struct run *run, struct report *report, struct err *err)
{
	static const char id[] = "quota-throttled";
	struct finding *grown;

	if (!run->throttle_known || !run->throttled_periods || has_finding(report, id))
		return 0;
	grown = array_grow(report->findings, &report->finding_capacity, report->finding_count, sizeof(*grown));
	if (!grown)
		return err_nomem(err);
	report->findings = grown;
	grown += report->finding_count++;
	*grown = (struct finding){
		.id = id,
		.severity = SEVERITY_WARNING,
		.instance = -1,
		.looks = 1,
		.text = format("the CPU quota held the instances back in %llu periods, for %.2f s",
			       (unsigned long long)run->throttled_periods, seconds(run->throttled_ns)),
		.remedy = strdup("fewer threads (--threads), or a larger quota"),
	};
	if (!grown->text || !grown->remedy ||
	    words_take(&grown->evidence, format("%s: nr_throttled +%llu", run->throttle_path,
						(unsigned long long)run->throttled_periods)) < 0)
		return err_nomem(err);
	report_sort(report);
	return 0;
}

static int add_judged(const struct run *run, json_t *checks, json_t *findings, json_t *unknown)
{
	const struct report *judged = run->judged;
	int r = 0;

	for (size_t i = 0; judged && i < judged->check_count; i++)
		r |= json_array_append_new(checks, check_to_json(&judged->checks[i], judged->checks[i].instance));
	for (size_t i = 0; judged && i < judged->finding_count; i++)
		r |= json_array_append_new(findings,
					   finding_to_json(&judged->findings[i], judged->findings[i].instance));
	for (size_t i = 0; i < run->gap_count; i++)
		r |= json_array_append_new(unknown, gap_to_json(&run->gaps[i]));
	for (size_t i = 0; i < run->count && r == 0; i++) {
		if (run->instances[i].agent)
			r |= agent_gaps_to_json(run->instances[i].agent, unknown);
	}
	return r;
}

/* Nobody could be told what the hook did. */
static bool lacks_hook(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		if (run->instances[i].hooked && !run->instances[i].hook)
			return true;
	}
	return false;
}

json_t *run_to_json(const struct run *run, json_t *plan)
{
	json_t *object = json_object(), *instances = json_array(), *unknown = json_array();
	json_t *checks = json_array(), *findings = json_array();
	int r = instances && plan ? 0 : -1;

	for (size_t i = 0; r == 0 && i < run->count; i++)
		r |= json_array_append_new(instances, instance_to_json(run, &run->instances[i]));
	if (lacks_hook(run))
		r |= json_array_append_new(unknown, json_string("pytorch"));
	if (!run->throttle_known)
		r |= json_array_append_new(unknown, json_string("throttled_periods")) |
		     json_array_append_new(unknown, json_string("throttled_s"));
	r |= add_judged(run, checks, findings, unknown);
	r |= json_object_set_new(object, "schema", json_string("fettle.report/1"));
	r |= json_object_set_new(object, "plan", plan);
	r |= json_object_set_new(object, "exit_code", json_integer(run->exit_code));
	r |= json_object_set_new(object, "timed_out", json_boolean(run->timed_out));
	r |= json_object_set_new(object, "instances", instances);
	r |= json_object_set_new(object, "sum", sum_to_json(run));
	r |= json_object_set_new(object, "checks", checks);
	r |= json_object_set_new(object, "findings", findings);
	r |= json_object_set_new(object, "unknown", unknown);
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

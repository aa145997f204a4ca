/* SPDX-License-Identifier: Apache-2.0 */
#include "report/run.h"

#include "base/json.h"

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

/* The one finding that the counters alone prove. */
static json_t *findings_to_json(const struct run *run)
{
	json_t *findings = json_array();

	if (run->throttle_known && run->throttled_periods &&
	    json_array_append_new(
		    findings,
		    json_pack("{s:s, s:s, s:n, s:o, s:[o], s:s}", "id", "quota-throttled", "severity", "warning",
			      "instance", "text",
			      json_sprintf("the CPU quota held the instances back in %llu periods, for %.2f s",
					   (unsigned long long)run->throttled_periods, seconds(run->throttled_ns)),
			      "evidence",
			      json_sprintf("%s: nr_throttled +%llu", run->throttle_path,
					   (unsigned long long)run->throttled_periods),
			      "remedy", "fewer threads (--threads), or a larger quota")) < 0) {
		json_decref(findings);
		return NULL;
	}
	return findings;
}

json_t *run_to_json(const struct run *run, json_t *plan)
{
	json_t *object = json_object(), *instances = json_array(), *unknown = json_array();
	int r = instances && plan ? 0 : -1;

	for (size_t i = 0; r == 0 && i < run->count; i++)
		r |= json_array_append_new(instances, instance_to_json(run, &run->instances[i]));
	if (!run->throttle_known)
		r |= json_array_append_new(unknown, json_string("throttled_periods")) |
		     json_array_append_new(unknown, json_string("throttled_s"));
	r |= json_object_set_new(object, "schema", json_string("fettle.report/1"));
	r |= json_object_set_new(object, "plan", plan);
	r |= json_object_set_new(object, "exit_code", json_integer(run->exit_code));
	r |= json_object_set_new(object, "timed_out", json_boolean(run->timed_out));
	r |= json_object_set_new(object, "instances", instances);
	r |= json_object_set_new(object, "sum", sum_to_json(run));
	r |= json_object_set_new(object, "checks", json_array());
	r |= json_object_set_new(object, "findings", findings_to_json(run));
	r |= json_object_set_new(object, "unknown", unknown);
	if (r < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

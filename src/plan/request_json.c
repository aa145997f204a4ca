/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan.h"

#include "base/json.h"

static int set_count(json_t *object, const char *key, unsigned value)
{
	return value ? json_object_set_new(object, key, json_integer(value)) : 0;
}

static int set_flag(json_t *object, const char *key, bool value)
{
	return value ? json_object_set_new(object, key, json_true()) : 0;
}

static int set_text(json_t *object, const char *key, const char *value)
{
	return value ? json_object_set_new(object, key, json_string(value)) : 0;
}

json_t *request_to_json(const struct request *request)
{
	json_t *object = json_object();
	int r = object ? 0 : -1;

	r |= set_count(object, "instances", request->instances);
	r |= set_text(object, "slot", request->slot);
	if (request->cores_per_instance != CORES_EVEN)
		r |= json_object_set_new(object, "cores-per-instance", json_integer(request->cores_per_instance));
	r |= set_flag(object, "latency", request->latency);
	r |= set_flag(object, "throughput", request->throughput);
	r |= set_text(object, "per", request->has_per ? per_words[request->per] : NULL);
	r |= set_text(object, "nodes", request->nodes);
	r |= set_text(object, "packages", request->packages);
	r |= set_text(object, "cpus", request->cpus);
	if (request->has_near)
		r |= json_object_set_new(object, "near", json_integer(request->near));
	r |= set_text(object, "strategy", strategy_words[request->strategy]);
	r |= set_flag(object, "compact", request->compact);
	r |= set_flag(object, "spread", request->spread);
	r |= set_flag(object, "smt", request->smt);
	r |= set_flag(object, "efficiency-cores", request->efficiency_cores);
	r |= set_flag(object, "cross-node", request->cross_node);
	if (request->reserve.percent)
		r |= json_object_set_new(object, "reserve", json_sprintf("%u%%", request->reserve.amount));
	else
		r |= set_count(object, "reserve", request->reserve.amount);
	r |= set_text(object, "row", request->row ? row_words[request->row] : NULL);
	r |= set_flag(object, "one-node", request->one_node);
	r |= set_flag(object, "best-effort", request->best_effort);
	r |= set_count(object, "threads", request->threads);
	r |= set_count(object, "workers", request->workers);
	if (request->has_instance)
		r |= json_object_set_new(object, "instance", json_integer(request->instance));
	r |= set_text(object, "only", request->only);
	r |= set_text(object, "memory", memory_policy_words[request->memory]);
	r |= set_text(object, "pin", pin_words[request->pin]);
	r |= set_text(object, "allocator", allocator_words[request->allocator]);
	r |= set_text(object, "openmp", request->openmp ? openmp_words[request->openmp] : NULL);
	r |= set_text(object, "wait", request->wait ? wait_words[request->wait] : NULL);
	r |= set_text(object, "schedule", request->schedule ? schedule_words[request->schedule] : NULL);
	r |= set_flag(object, "flush-denormals", request->flush_denormals);
	r |= set_count(object, "onednn-cache", request->onednn_cache);
	r |= set_text(object, "max-isa", request->max_isa ? max_isa_words[request->max_isa] : NULL);
	r |= set_text(object, "fpmath", request->fpmath ? fpmath_words[request->fpmath] : NULL);
	r |= set_text(object, "huge-pages", request->huge_pages ? huge_pages_words[request->huge_pages] : NULL);
	r |= set_text(object, "prepack", request->prepack ? choice_words[request->prepack] : NULL);
	r |= set_text(object, "channels-last", request->channels_last ? choice_words[request->channels_last] : NULL);
	r |= set_text(object, "fuse", request->fuse ? choice_words[request->fuse] : NULL);
	r |= set_text(object, "precision", request->precision ? precision_words[request->precision] : NULL);
	r |= set_flag(object, "exact", request->exact);
	r |= set_text(object, "for", request->purpose ? purpose_words[request->purpose] : NULL);
	r |= set_text(object, "profile", request->profile);
	r |= set_flag(object, "repair", request->repair);
	return json_finish(object, r);
}

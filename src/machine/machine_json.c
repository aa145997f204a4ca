/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/host.h"
#include "machine/machine.h"
#include "machine/may.h"
#include "machine/query.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/json.h"

#include <string.h>

static const char *const source_kinds[] = {
	[MACHINE_LIVE] = "live", [MACHINE_XML] = "xml",     [MACHINE_SYNTHETIC] = "synthetic",
	[MACHINE_ROOT] = "root", [MACHINE_LSCPU] = "lscpu",
};

/* Name a fact in `unknown`, once. */
static int add_unknown(json_t *unknown, const char *key)
{
	const json_t *item;
	size_t i;

	json_array_foreach(unknown, i, item)
	{
		if (strcmp(json_string_value(item), key) == 0)
			return 0;
	}
	return json_array_append_new(unknown, json_string(key));
}

static int set_fact(json_t *object, const char *key, const struct fact *fact, json_t *unknown)
{
	int r = json_set_fact(object, key, fact, NULL);

	return r == 0 && fact->state == FACT_UNKNOWN ? add_unknown(unknown, key) : r;
}

static int set_text(json_t *object, const char *key, const char *text, json_t *unknown)
{
	if (text)
		return json_object_set_new(object, key, json_any_text(text));
	return json_object_set_new(object, key, json_null()) | add_unknown(unknown, key);
}

static json_t *core_list(const struct machine *machine, const struct machine_core *core)
{
	cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();
	cleanup_free char *text = NULL;

	for (unsigned i = 0; set && i < core->pu_count; i++) {
		if (hwloc_bitmap_set(set, machine->pus[core->pu_idx + i].os) < 0)
			return NULL;
	}
	text = set ? cpulist_text(set) : NULL;
	return text ? json_string(text) : NULL;
}

/* Of nothing there is 0: it is not known. */
static int set_count(json_t *object, const char *key, size_t count, json_t *unknown)
{
	if (!count)
		return set_text(object, key, NULL, unknown);
	return json_object_set_new(object, key, json_integer((json_int_t)count));
}

static int set_counts(const struct machine *machine, json_t *object, json_t *unknown)
{
	const bool told = machine->siblings_unknown;
	unsigned threads = 0;
	int r;

	for (size_t i = 0; i < machine->core_count; i++) {
		if (machine->cores[i].pu_count > threads)
			threads = machine->cores[i].pu_count;
	}
	r = set_count(object, "packages", machine->package_count ? machine->package_count : machine->told_packages,
		      unknown);
	r |= set_count(object, "cores", told ? machine->told_cores : machine->core_count, unknown);
	r |= json_object_set_new(object, "pus", json_integer((json_int_t)machine->pu_count));
	return r | set_count(object, "threads_per_core", told ? machine->told_threads : threads, unknown);
}

static int set_packages(const struct machine *machine, json_t *object, json_t *unknown)
{
	json_t *packages;
	int r = 0;

	if (!machine->package_count)
		return set_text(object, "packages_os", NULL, unknown);
	packages = json_array();
	for (size_t i = 0; i < machine->package_count; i++) {
		cleanup_free char *text = cpulist_text(machine->packages[i].pus_os);

		r |= json_array_append_new(packages, text ? json_string(text) : NULL);
	}
	return r | json_object_set_new(object, "packages_os", packages);
}

static int set_cores(const struct machine *machine, json_t *object, json_t *unknown)
{
	json_t *cores;
	int r = 0;

	if (machine->siblings_unknown)
		return set_text(object, "cores_os", NULL, unknown);
	cores = json_array();
	for (size_t i = 0; i < machine->core_count; i++)
		r |= json_array_append_new(cores, core_list(machine, &machine->cores[i]));
	return r | json_object_set_new(object, "cores_os", cores);
}

static json_t *node_to_json(const struct machine *machine, const struct machine_node *node, json_t *unknown)
{
	json_t *object = json_object(), *distances = NULL;
	int r = json_object_set_new(object, "node_os", json_integer(node->os));

	r |= set_fact(object, "memory_bytes", &node->memory_bytes, unknown);
	r |= json_set_list(object, "pus_os", node->pus_os);
	if (node->distances) {
		distances = json_array();
		for (size_t i = 0; i < machine->node_count; i++)
			r |= json_array_append_new(distances, json_integer((json_int_t)node->distances[i]));
	} else {
		distances = json_null();
		r |= add_unknown(unknown, "distances");
	}
	r |= json_object_set_new(object, "distances", distances);
	return json_finish(object, r);
}

static int set_nodes(const struct machine *machine, json_t *object, json_t *unknown)
{
	json_t *nodes = json_array();
	int r = 0;

	for (size_t i = 0; i < machine->node_count; i++)
		r |= json_array_append_new(nodes, node_to_json(machine, &machine->nodes[i], unknown));
	/* Every machine has memory somewhere: no node means that the source is silent. */
	if (!machine->node_count)
		r |= add_unknown(unknown, "nodes");
	return r | json_object_set_new(object, "nodes", nodes);
}

static int set_caches(const struct machine *machine, json_t *object, json_t *unknown)
{
	json_t *caches = json_array();
	int r = 0;

	for (size_t i = 0; i < machine->cache_count; i++) {
		json_t *cache = json_object();

		r |= json_object_set_new(cache, "level", json_integer(machine->caches[i].level));
		r |= set_fact(cache, "size_bytes", &machine->caches[i].size_bytes, unknown);
		r |= json_set_list(cache, "pus_os", machine->caches[i].pus_os);
		r |= json_array_append_new(caches, cache);
	}
	/* No cache at all means that the source is silent: there is no such machine. */
	if (!machine->cache_count)
		r |= add_unknown(unknown, "caches");
	return r | json_object_set_new(object, "caches", caches);
}

static int set_kinds(const struct machine *machine, json_t *object, json_t *unknown)
{
	json_t *kinds = json_array();
	int r = 0;

	for (size_t i = 0; i < machine->kind_count; i++) {
		json_t *kind = json_object();

		r |= json_object_set_new(kind, "kind", json_integer((json_int_t)i));
		r |= json_object_set_new(kind, "efficiency", json_integer(machine->kinds[i].efficiency));
		r |= json_object_set_new(kind, "small", json_boolean(machine->kinds[i].small));
		r |= json_set_list(kind, "pus_os", machine->kinds[i].pus_os);
		r |= set_fact(kind, "max_mhz", &machine->kinds[i].max_mhz, unknown);
		r |= json_array_append_new(kinds, kind);
	}
	if (!machine->kinds_known)
		r |= add_unknown(unknown, "core_kinds");
	return r | json_object_set_new(object, "core_kinds", kinds);
}

static int add_evidence(json_t *evidence, const char *name, const struct fact *fact)
{
	json_t *item;
	int r;

	if (!fact->source)
		return 0;
	item = json_object();
	r = json_object_set_new(item, "fact", json_string(name));
	r |= json_object_set_new(item, "path", json_any_text(fact->source));
	r |= json_object_set_new(item, "value", fact->raw ? json_any_text(fact->raw) : json_null());
	return r | json_array_append_new(evidence, item);
}

/* A set whose fact is unknown is printed as null: all we have then is an assumption. */
static int set_allowed_list(json_t *object, const char *key, hwloc_const_bitmap_t set, const struct fact *fact,
			    json_t *unknown)
{
	return fact->state == FACT_UNKNOWN ? set_text(object, key, NULL, unknown) : json_set_list(object, key, set);
}

static int set_quota(json_t *object, const struct fact *quota, json_t *unknown)
{
	if (quota->state != FACT_KNOWN)
		return set_fact(object, "cpu_quota", quota, unknown);
	return json_object_set_new(object, "cpu_quota", json_real((double)quota->value / 1000));
}

static int set_allowed(const struct machine *machine, json_t *object, json_t *unknown)
{
	const struct machine_limits *limits = &machine->limits;
	json_t *allowed = json_object(), *evidence = json_array();
	int r = set_allowed_list(allowed, "pus_os", limits->pus_os, &limits->pus, unknown);

	r |= set_allowed_list(allowed, "nodes_os", limits->nodes_os, &limits->nodes, unknown);
	r |= set_quota(allowed, &limits->quota_milli, unknown);
	r |= set_fact(allowed, "memory_limit_bytes", &limits->memory_bytes, unknown);
	r |= set_count(allowed, "usable_threads", machine_usable_threads(machine, false), unknown);
	r |= add_evidence(evidence, "pus_os", &limits->pus);
	r |= add_evidence(evidence, "nodes_os", &limits->nodes);
	r |= add_evidence(evidence, "cpu_quota", &limits->quota_milli);
	r |= add_evidence(evidence, "memory_limit_bytes", &limits->memory_bytes);
	r |= add_evidence(evidence, "isolated", &limits->isolated);
	r |= json_object_set_new(allowed, "evidence", evidence);
	return r | json_object_set_new(object, "allowed", allowed);
}

json_t *machine_to_json(const struct machine *machine)
{
	json_t *object = json_object(), *source = json_object(), *unknown = json_array();
	int r = json_object_set_new(object, "schema", json_string("fettle.machine/1"));

	r |= json_object_set_new(source, "kind", json_string(source_kinds[machine->source]));
	r |= json_object_set_new(source, "name", json_any_text(machine->source_name));
	r |= json_object_set_new(object, "source", source);
	r |= set_text(object, "model", machine->model, unknown);
	r |= set_text(object, "architecture", machine->architecture, unknown);
	r |= set_counts(machine, object, unknown);
	r |= set_packages(machine, object, unknown);
	r |= set_cores(machine, object, unknown);
	r |= set_nodes(machine, object, unknown);
	r |= set_caches(machine, object, unknown);
	r |= set_kinds(machine, object, unknown);
	r |= set_allowed(machine, object, unknown);
	if (machine->may)
		r |= json_object_set_new(object, "may", may_to_json(machine->may, unknown));
	r |= json_object_set_new(object, "host", host_to_json(machine->host, unknown));
	r |= json_object_set_new(object, "unknown", unknown);
	return json_finish(object, r);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "machine/narrow.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"
#include "base/parse.h"
#include "machine/machine.h"
#include "machine/machine_private.h"

#include <string.h>

/* One list option: what it may name, what is allowed now. */
struct wish {
	const char *option; /* "--allowed-cpus" */
	const char *noun;   /* "CPU" */
	const char *text;
	hwloc_const_bitmap_t existing;
	hwloc_const_bitmap_t allowed;
};

/* Both lists cut to what a line can show. */
static int refuse_empty(const struct wish *wish, struct err *err)
{
	cleanup_free char *allowed = cpulist_text(wish->allowed);

	err_set(err, -EINVAL, "%s '%.100s' leaves no %s to use", wish->option, wish->text, wish->noun);
	return err_hint(err, "allowed are '%.150s'", allowed ? allowed : "");
}

/* The wish ∩ what is allowed, never empty. A wish that was not made gives NULL. */
static int narrow_set(const struct wish *wish, hwloc_bitmap_t *ret_set, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL, missing = hwloc_bitmap_alloc();
	cleanup_free char *existing = NULL;
	int r;

	if (!wish->text)
		return 0;
	if (!missing)
		return err_nomem(err);
	r = cpulist_parse(wish->text, &set, err);
	if (r < 0)
		return err_wrap(err, "%s", wish->option);
	if (hwloc_bitmap_andnot(missing, set, wish->existing) < 0)
		return err_nomem(err);
	if (!hwloc_bitmap_iszero(missing)) {
		existing = cpulist_text(wish->existing);
		err_set(err, -EINVAL, "%s '%.100s': the machine has no %s %d", wish->option, wish->text, wish->noun,
			hwloc_bitmap_first(missing));
		return err_hint(err, "it has '%.150s'", existing ? existing : "");
	}
	if (hwloc_bitmap_and(set, set, wish->allowed) < 0)
		return err_nomem(err);
	if (hwloc_bitmap_iszero(set))
		return refuse_empty(wish, err);
	*ret_set = TAKE(set);
	return 0;
}

static int refuse_number(const char *option, const char *text, const char *example, struct err *err)
{
	return err_set(err, -EINVAL, "%s '%.100s' is not %s", option, text, example);
}

/* The smaller of the wish and what is known; 0 means that nothing changes. */
static uint64_t smaller(const struct fact *now, uint64_t wish)
{
	return now->state == FACT_KNOWN && now->value <= wish ? 0 : wish;
}

static int parse_numbers(const struct machine_narrow *narrow, uint64_t *quota_milli, uint64_t *memory, struct err *err)
{
	if (narrow->quota_cpus && parse_milli(narrow->quota_cpus, quota_milli) < 0)
		return refuse_number("--cpu-quota", narrow->quota_cpus, "a positive number of CPUs like 1.5", err);
	if (narrow->memory_limit && (parse_bytes(narrow->memory_limit, memory) < 0 || !*memory))
		return refuse_number("--memory-limit", narrow->memory_limit, "a positive number of bytes like 16G",
				     err);
	return 0;
}

static int existing_sets(const struct machine *machine, hwloc_bitmap_t pus, hwloc_bitmap_t nodes, struct err *err)
{
	if (!pus || !nodes)
		return err_nomem(err);
	for (size_t i = 0; i < machine->pu_count; i++) {
		if (hwloc_bitmap_set(pus, machine->pus[i].os) < 0)
			return err_nomem(err);
	}
	for (size_t i = 0; i < machine->node_count; i++) {
		if (hwloc_bitmap_set(nodes, machine->nodes[i].os) < 0)
			return err_nomem(err);
	}
	return 0;
}

/* Everything was checked: put it in place. Only memory can still run out. */
static int apply(struct machine_limits *limits, const struct machine_narrow *narrow, hwloc_bitmap_t *pus,
		 hwloc_bitmap_t *nodes, uint64_t quota_milli, uint64_t memory)
{
	int r = 0;

	if (*pus) {
		hwloc_bitmap_free(limits->pus_os);
		limits->pus_os = TAKE(*pus);
		r = fact_set(&limits->pus, FACT_KNOWN, (uint64_t)hwloc_bitmap_weight(limits->pus_os), "--allowed-cpus",
			     narrow->allowed_pus);
	}
	if (r == 0 && *nodes) {
		hwloc_bitmap_free(limits->nodes_os);
		limits->nodes_os = TAKE(*nodes);
		r = fact_set(&limits->nodes, FACT_KNOWN, (uint64_t)hwloc_bitmap_weight(limits->nodes_os),
			     "--allowed-nodes", narrow->allowed_nodes);
	}
	if (r == 0 && quota_milli)
		r = fact_set(&limits->quota_milli, FACT_KNOWN, quota_milli, "--cpu-quota", narrow->quota_cpus);
	if (r == 0 && memory)
		r = fact_set(&limits->memory_bytes, FACT_KNOWN, memory, "--memory-limit", narrow->memory_limit);
	return r;
}

int machine_narrow(struct machine *machine, const struct machine_narrow *narrow, struct err *err)
{
	struct machine_limits *limits = &machine->limits;
	cleanup_bitmap hwloc_bitmap_t pus = NULL, nodes = NULL;
	cleanup_bitmap hwloc_bitmap_t all_pus = hwloc_bitmap_alloc(), all_nodes = hwloc_bitmap_alloc();
	const struct wish wishes[] = {
		{ "--allowed-cpus", "CPU", narrow->allowed_pus, all_pus, limits->pus_os },
		{ "--allowed-nodes", "node", narrow->allowed_nodes, all_nodes, limits->nodes_os },
	};
	uint64_t quota_milli = 0, memory = 0;
	int r = existing_sets(machine, all_pus, all_nodes, err);

	if (r == 0)
		r = narrow_set(&wishes[0], &pus, err);
	if (r == 0)
		r = narrow_set(&wishes[1], &nodes, err);
	if (r == 0)
		r = parse_numbers(narrow, &quota_milli, &memory, err);
	if (r < 0)
		return r;
	quota_milli = smaller(&limits->quota_milli, quota_milli);
	memory = smaller(&limits->memory_bytes, memory);
	if (apply(limits, narrow, &pus, &nodes, quota_milli, memory) < 0)
		return err_nomem(err);
	machine_choose_homes(machine);
	return 0;
}

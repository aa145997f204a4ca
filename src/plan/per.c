/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/per.h"

#include "machine/machine.h"
#include "plan/workload.h"

static int node_of(const struct machine *machine, unsigned core_idx)
{
	return machine->cores[core_idx].node_idx;
}

static int package_of(const struct machine *machine, unsigned core_idx)
{
	return machine->cores[core_idx].package_idx;
}

static int l3_of(const struct machine *machine, unsigned core_idx)
{
	return machine->cores[core_idx].l3_idx;
}

static int core_of(const struct machine *machine, unsigned core_idx)
{
	(void)machine;
	return (int)core_idx;
}

static const struct per_kind kinds[PER_COUNT] = {
	[PER_NODE] = { "--per node", "node", "nodes", true, node_of },
	[PER_PACKAGE] = { "--per package", "package", "packages", false, package_of },
	[PER_L3] = { "--per l3", "L3 cache", "L3 caches", false, l3_of },
	[PER_CORE] = { "--per core", "core", "cores", false, core_of },
};

static const struct per_kind throughput = { "--throughput", "node", "nodes", true, node_of };

const struct per_kind *per_kind(const struct request *request)
{
	if (request->throughput)
		return &throughput;
	return request->has_per ? &kinds[request->per] : NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/purpose.h"

#include "base/cleanup.h"
#include "joint/layers.h"
#include "joint/option.h"
#include "joint/profile.h"

#include <errno.h>

static const struct row {
	enum purpose purpose;
	const char *option, *value;  /* value NULL: a flag */
	const char *gives_way_to[8]; /* options that decide the same; NULL-terminated */
} rows[] = {
	{ PURPOSE_INFERENCE,
	  "throughput",
	  NULL,
	  { "throughput", "instances", "slot", "latency", "per", "cross-node", "instance" } },
	{ PURPOSE_BENCHMARK, "pin", "threads", { "pin" } },
	{ PURPOSE_BENCHMARK, "memory", "bind", { "memory" } },
};

static const char *const why[PURPOSE_COUNT] = {
	[PURPOSE_ANY] = "",
	[PURPOSE_INFERENCE] = "inference: an instance on each node, so that none waits for another node's memory",
	[PURPOSE_TRAINING] = "training: data loaders are forked, so tokenizers keep no pool (TOKENIZERS_PARALLELISM)",
	[PURPOSE_BENCHMARK] = "benchmark: each thread on its CPU, pages on its nodes or nowhere, so that runs compare",
};

static bool is_decided(const struct row *row, const struct option_found *command_line, const struct profile *profile)
{
	for (size_t i = 0; row->gives_way_to[i]; i++) {
		if (option_given(command_line, row->gives_way_to[i]) ||
		    (profile && profile_names(profile, row->gives_way_to[i])))
			return true;
	}
	return false;
}

int purpose_add(enum purpose purpose, const struct option_found *command_line, const struct profile *profile,
		struct layers *layers)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].purpose != purpose || is_decided(&rows[i], command_line, profile))
			continue;
		if (layers_add(layers, "--%s", rows[i].option) < 0 ||
		    (rows[i].value && layers_add(layers, "%s", rows[i].value) < 0))
			return -ENOMEM;
	}
	return 0;
}

const char *purpose_why(enum purpose purpose)
{
	return why[purpose];
}

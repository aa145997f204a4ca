/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits given by hand: they narrow what was found, and never widen it.
 */
#pragma once

struct err;
struct machine;

/* As on the command line. */
struct machine_narrow {
	const char *allowed_pus; /* list text, NULL: not given */
	const char *allowed_nodes;
	const char *quota_cpus;   /* "1.5" */
	const char *memory_limit; /* "16G" */
};

/*
 * Narrow the limits. Refuses (-EINVAL) text that is no list or number, CPUs or nodes
 * the machine does not have, and a result with no CPU at all.
 */
int machine_narrow(struct machine *machine, const struct machine_narrow *narrow, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kinds of objects that can have an instance each (--per, --throughput).
 */
#pragma once

#include <stdbool.h>

struct machine;
struct request;

struct per_kind {
	const char *option; /* as the user says it: "--per node" */
	const char *one, *many;
	bool whole; /* where none is known the whole machine is one */
	/* The object a core belongs to, as some index; MACHINE_NONE: to none. */
	int (*of)(const struct machine *machine, unsigned core_idx);
};

/* What the request wants an instance for each of; NULL: it does not say. */
const struct per_kind *per_kind(const struct request *request);

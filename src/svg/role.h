/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each CPU is for: allowed or not and, in a plan, whose.
 */
#pragma once

#include <stdbool.h>

struct machine;
struct plan;

enum svg_role {
	SVG_ALLOWED,     /* in a plan: unused */
	SVG_NOT_ALLOWED, /* not ours */
	SVG_COMPUTE,     /* a compute thread of `instance` is meant to be here */
	SVG_HELPER,      /* `instance` may use it and no compute thread is meant to be here */
	SVG_SHARED,      /* so may several instances */
	SVG_ROLE_COUNT,
};

struct svg_pu {
	enum svg_role role;
	unsigned instance; /* of a compute or helper CPU */
	int thread;        /* number of the compute thread pinned here, or -1 */
};

/* One element for each of machine->pus; `plan` may be NULL. The caller frees it; NULL when memory ran out. */
struct svg_pu *svg_roles(const struct machine *machine, const struct plan *plan);

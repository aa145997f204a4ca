/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one look after the other at a run found, put together into one report. What happened once has happened; what
 * comes and goes is told of when it was seen often; of what is known the better the later one looks, the last counts
 * (enum sight). Pure.
 */
#pragma once

#include "report/findings.h"

struct launch_grant;
struct planned;

/* An instance of the plan, over all its lives. */
struct gathered_instance {
	unsigned index;
	unsigned looks;      /* at it, while it lived */
	unsigned long_looks; /* of those that could tell what comes and goes */
};

struct gathered {
	struct report report;    /* `instance` is the plan's index */
	struct report differing; /* checks that differed in some look, as of the last such */
	struct gathered_instance *instances;
	size_t instance_count, instance_capacity;
};

/* Add what a look found, as report_make() tells it. Takes what it needs out of `report`. Returns 0 or -ENOMEM. */
int gathered_add(struct gathered *gathered, struct report *report, const struct report_input *input, struct err *err);

/*
 * An instance that no look has met: its checks are unknown, because of `why`. `grant`: what the kernel granted it, or
 * NULL. Returns 0 or -ENOMEM.
 */
int gathered_unseen(struct gathered *gathered, const struct planned *planned, const struct launch_grant *grant,
		    const char *why, struct err *err);

/* Looks that met the instance. */
unsigned gathered_looks(const struct gathered *gathered, unsigned index);

/*
 * It is over: leave out what was seen too rarely, decide what checks come to, sort. `report` is then what is told.
 * Returns 0 or -ENOMEM.
 */
int gathered_finish(struct gathered *gathered, struct err *err);

void gathered_clear(struct gathered *gathered);

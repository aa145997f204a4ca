/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one look after the other at a run found, put together into one report. What happened once has happened; what
 * comes and goes is told of when it was seen often; of what is known the better the later one looks, the last counts
 * (enum sight). Pure.
 */
#pragma once

#include "report/findings.h"

struct machine;
struct observed_instance;
struct observed_process;

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

/* An instance that has ended. */
struct ended {
	const struct machine *machine;
	const struct observed_instance *instance; /* with what its agents wrote down, if they did */
	const struct observed_process *main;      /* as it was seen last; NULL: it never was */
	const char *why;                          /* and then why */
};

/*
 * What is known when an instance has ended: what its agents wrote down, and what was kept of its main process. Of one
 * that no look has met, checks that follow from none of that are unknown, because of `why`. Returns 0 or -ENOMEM.
 */
int gathered_close(struct gathered *gathered, const struct ended *ended, struct err *err);

/* Looks that met the instance. */
unsigned gathered_looks(const struct gathered *gathered, unsigned index);

/*
 * It is over: leave out what was seen too rarely, decide what checks come to, sort. `report` is then what is told.
 * Returns 0 or -ENOMEM.
 */
int gathered_finish(struct gathered *gathered, struct err *err);

void gathered_clear(struct gathered *gathered);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes belong to the trees looked at, who they are, and which plan they carry.
 */
#pragma once

#include "observe/observe.h"

/*
 * One pass over /proc: mark what is gone, add what came up, count what others used (where asked for). Returns 0 or
 * -ENOMEM.
 */
int processes_look(const struct observe_request *request, struct observation *observation);

/* Who the process is, as of now: a program may have been replaced by another since (exec). Returns 0 or -ENOMEM. */
int process_identify(const struct observe_request *request, struct observation *observation,
		     struct observed_process *process);

/*
 * Put processes that are in no instance yet into one: by what the request tells, else by the plan in their environment.
 * Returns 0 or -ENOMEM.
 */
int processes_group(const struct observe_request *request, struct observation *observation, struct err *err);

void process_clear(struct observed_process *process);

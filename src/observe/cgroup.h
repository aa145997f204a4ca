/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control group a process is in: limits, throttling, memory, of both versions.
 */
#pragma once

#include "observe/observe.h"

/*
 * Read the counters of the process's own group and of all above it that we see, the worst of each, at the first look
 * (`which` 0) or a later one (1). Returns 0 or -ENOMEM.
 */
int cgroup_look(const struct observe_request *request, unsigned which, const struct observed_process *process,
		struct observed_cgroup *cgroup);

/* The tightest limits on the way up. `process->cgroup` has been read. Returns 0 or -ENOMEM. */
int cgroup_finish(const struct observe_request *request, const struct observed_process *process,
		  struct observed_cgroup *cgroup);

void cgroup_clear(struct observed_cgroup *cgroup);

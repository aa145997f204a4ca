/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process's memory: how much, on which nodes, in huge pages, swapped out.
 */
#pragma once

#include "observe/observe.h"

/* Read status, smaps_rollup and numa_maps. Returns 0 or -ENOMEM. */
int memory_read(const struct observe_request *request, struct observation *observation,
		struct observed_process *process);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine as a whole was doing meanwhile: each CPU's time, clocks, pressure.
 */
#pragma once

#include "observe/observe.h"

/* CPU times at the first look (`which` 0) or a later one (1). Returns 0 or -ENOMEM. */
int system_look(const struct observe_request *request, unsigned which, struct observation *observation);

/* Once: which CPUs are online, clocks of the CPUs planned for, NUMA balancing, pressure. Returns 0 or -ENOMEM. */
int system_finish(const struct observe_request *request, struct observation *observation);

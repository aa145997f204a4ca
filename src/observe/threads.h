/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of one process.
 */
#pragma once

#include "observe/observe.h"

/*
 * Look at all threads of the process. One file is read of each; the others (where it ran, allowed CPUs, switches,
 * migrations) only of those that are new or have run since the last look. Returns 0, -ESRCH when the process is gone,
 * or -ENOMEM.
 */
int threads_look(const struct observe_request *request, struct observation *observation,
		 struct observed_process *process);

/* Once: where each thread waits, and from which code it was called (needs the right to trace). Returns 0 or -ENOMEM. */
int threads_where(const struct observe_request *request, struct observed_process *process);

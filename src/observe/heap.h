/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory the program has given back that glibc's malloc keeps: read from the heap itself, whose chunks tell.
 */
#pragma once

#include "observe/observe.h"

/*
 * Walk the main heap of a process whose malloc is glibc's and set `kept_bytes`: what of it is free and in memory.
 * Unknown when it cannot be read, or is changed too fast to be walked. Costs up to some 50 ms. Returns 0 or -ENOMEM.
 */
int heap_read(const struct observe_request *request, struct observation *observation, struct observed_process *process);

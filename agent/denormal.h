/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Denormal numbers as zero, for the calling thread and all that come of it.
 *
 * The control word is part of a thread's state: clone() and fork() copy it, exec resets it (and the next program's
 * agent sets it again). So one call in the first thread, before there are others, reaches every thread of the program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Results that would be denormal become zero, and denormal operands count as zero. False: not on this processor. */
bool denormal_flush(void);

/* What the calling thread's control word says now: enum agent_float. 0: not known on this processor. */
uint32_t denormal_state(void);

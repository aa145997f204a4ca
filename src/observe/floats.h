/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the floating-point flags of running threads say: has it met denormal numbers, and does it flush them? The one
 * thing in this room that stops a thread, for tens of microseconds, and only when asked (observe_request.denormals).
 *
 * Nothing is changed: flags are read and the thread goes on, or stays stopped when somebody else had stopped it.
 */
#pragma once

#include "observe/observe.h"

/*
 * Ask the threads of all processes that belong to an instance. Refusals become gaps, and `observation->stops` counts
 * what was done. Returns 0 or -ENOMEM.
 */
int floats_read(const struct observe_request *request, struct observation *observation);

/*
 * Would the system call that the thread waits in now end early, with EINTR, when the thread is stopped and goes on?
 * Most calls are begun again by the kernel; signal(7) lists those that are not. False when it cannot be told.
 */
bool stop_would_end_call(const struct observe_request *request, pid_t pid, pid_t tid);

/* One thread to be asked; the answer is written by another process, so that it lies in shared memory. */
struct float_question {
	pid_t pid, tid;
	struct observed_float answer;
};

/*
 * Stop each thread in turn, read its flags and let it go. A thread that cannot be stopped in time is left alone, and
 * what is left when all the time is used up is not asked (-ETIMEDOUT). Runs in a process of its own, whose end makes
 * the kernel let go of whatever it still holds.
 */
void stops_make(const struct observe_request *request, struct float_question *questions, size_t count);

/* What the registers mean. Pure. */
void float_judge(struct observed_float *answer);

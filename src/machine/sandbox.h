/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work on foreign files in a child with limits: hwloc 2.9 crashes on some broken ones, and a
 * hostile one may want to keep us waiting or eat our memory.
 */
#pragma once

struct err;
struct text;

/* What a child may cost. Linux stops at 8192 CPUs; hwloc's time grows with their square, and they take half a second.
 */
enum { SANDBOX_CPU_SECONDS = 3, SANDBOX_WALL_SECONDS = 10 };

/* Done in the child. Returns 0 with what it has to say in `answer`, or -errno with the reason. */
typedef int sandbox_work(const void *context, struct text *answer, struct err *err);

/*
 * Run `work` and hand on its result. When the child died before it could tell one, the result is
 * -ETIME (it used its time up) or -ECHILD, and `err` is untouched. Also -EFBIG: the answer is too long.
 */
int sandbox_run(sandbox_work *work, const void *context, struct text *ret_answer, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One window's look at running processes, judged: how 'fettle inspect' comes by what it shows.
 */
#pragma once

#include <sys/types.h>

struct err;
struct machine;
struct observation;
struct report;
struct sysroot;

/*
 * Look at the trees of `pids` for `window_ms`, infer a plan for those that carry none, and judge. Returns 0 and both
 * for their _free(); -ESRCH: none of them is there any more; -ENOMEM.
 */
int inspect_window(const struct sysroot *root, struct machine *machine, const pid_t *pids, size_t count,
		   unsigned window_ms, struct observation **ret_observation, struct report **ret_report,
		   struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One window's look at running processes, judged: how 'fettle inspect' comes by what it shows.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct machine;
struct observation;
struct report;
struct sysroot;

struct inspect_request {
	const pid_t *pids; /* trees begin with these */
	size_t count;
	unsigned window_ms;
	bool denormals; /* stop each thread for some microseconds at the end */
};

/*
 * Look at what is asked for, infer a plan for those that carry none, and judge. Returns 0 and both for their _free();
 * -ESRCH: none of the processes is there any more; -ENOMEM.
 */
int inspect_window(const struct sysroot *root, struct machine *machine, const struct inspect_request *asked,
		   struct observation **ret_observation, struct report **ret_report, struct err *err);

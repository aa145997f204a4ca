/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of a pool. A program that is known to start processes which compute at a time (torchrun) hands its variables
 * on to each of them, and each would have as many threads as there are CPUs for all: two with two threads on two CPUs
 * were seen to take twenty times as long as two with one.
 */
#include "settings/rule.h"

void setting_threads_value(const struct settings_input *in, const struct plan_instance *instance, struct text *value)
{
	text_add(value, "%u", workload_threads_each(in->workload, instance->threads));
}

void setting_threads_explain(const struct settings_input *in, struct text *why)
{
	if (in->workload->workers > 1 && !in->workload->request.threads)
		text_add(why,
			 "; the program starts processes (torchrun, --nproc-per-node), and each has its part of them");
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory policies in numactl's words, and which of them the kernel keeps without being asked.
 */
#pragma once

#include <stdbool.h>

struct emit_input;
struct plan_instance;
struct text;

/* Append the option of numactl(8), as "--membind=0-1". False: the plan asks for no policy. */
bool memory_numactl(const struct plan_instance *instance, struct text *text);

/*
 * Do pages lie where the policy wants them when nobody asks the kernel? Without a policy a page goes to the node
 * of the CPU that touches it first, or, where that is full or has no memory, to the nearest that has. So for none,
 * local, and for a preference for the nodes of the instance's own CPUs.
 */
bool memory_by_first_touch(const struct emit_input *in, const struct plan_instance *instance);

/* Does any instance that is written have a policy, or one that does not come about by itself? */
bool memory_any(const struct emit_input *in);
bool memory_any_asked(const struct emit_input *in);

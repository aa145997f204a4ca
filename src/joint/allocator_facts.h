/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the settings have to know of the allocator that is asked for: whether its library is there and works, and what
 * the program's glibc takes. Looks at no more than the request needs.
 */
#pragma once

struct decision;
struct err;

/*
 * Fill in the workload's facts from the request, the program and the environment. `words`: the program and its
 * arguments, NULL-terminated. Comes after the plan and before the settings. Returns 0 or -errno.
 */
int allocator_facts_find(char *const *words, struct decision *decision, struct err *err);

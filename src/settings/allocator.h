/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which malloc the program gets: the choice (allocator.c), and the tuning of glibc's own (tunables.c).
 */
#pragma once

#include "plan/workload.h"

#include <stdint.h>

struct plan_instance;
struct settings_input;
struct text;

struct allocator_choice {
	enum allocator allocator; /* never ALLOCATOR_AUTO */
	const char *reason;       /* why `auto` leaves glibc's malloc as it is; NULL: it does not */
	const char *evidence;     /* of the reason; may be NULL */
};

/* What the request comes to for this program and machine. */
struct allocator_choice allocator_choose(const struct settings_input *in);

/* GLIBC_TUNABLES, as members of its rule. */
void tunables_merge(const struct settings_input *in, const struct plan_instance *instance, const char *users,
		    struct text *value);
void tunables_users_part(const struct settings_input *in, const char *inherited, struct text *users);
void tunables_explain(const struct settings_input *in, struct text *why);

/* How much freed memory the tuned malloc of one instance keeps at most, and the least that is worth it. */
uint64_t tunables_kept_bytes(const struct settings_input *in);
extern const uint64_t tunables_least_kept_bytes;

/* Is it less than it would be without a memory limit? */
bool tunables_kept_is_limited(const struct settings_input *in);

/* Does the user tune glibc's malloc, in any of its ways? */
bool tunables_are_users(const struct settings_input *in);

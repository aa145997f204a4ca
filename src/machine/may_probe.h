/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probes behind may.h. Each runs in a forked child and may do to it what it likes; after the fork
 * only system calls are made, since the caller may have threads.
 */
#pragma once

#include "base/fact.h"

#include <stdbool.h>

#include <stddef.h>

/* What the probes need, prepared before the fork. */
struct may_scene {
	unsigned long *cpu; /* mask of one allowed CPU; NULL: we do not know one */
	size_t cpu_bytes;
	unsigned long *node;      /* mask of one allowed node with memory; NULL: there is none */
	unsigned long node_count; /* bits of it */
	int node_os;
	char *cgroup; /* our folder; NULL: not found */
};

struct may_answer {
	enum fact_state state;
	int may;   /* when known */
	int error; /* errno of a refusal; 0: `words` say why */
	char words[64];
};

typedef void may_probe_fn(const struct may_scene *scene, struct may_answer *answer);

may_probe_fn may_try_bind_cpu, may_try_bind_memory, may_try_prefer_memory, may_try_prefer_many, may_try_interleave,
	may_try_weighted_interleave, may_try_local_memory, may_try_bind_range, may_try_move_pages,
	may_try_migrate_pages;
may_probe_fn may_try_counters, may_try_software_counters, may_try_trace_children, may_try_trace_others,
	may_try_write_cgroups, may_try_use_amx;

/* Is the mode that get_mempolicy tells the one that was asked of set_mempolicy? */
bool may_policy_kept(int asked, int kept);

/* Answers, for the probes. */
void may_yes(struct may_answer *answer);
void may_no(struct may_answer *answer, int error);
void may_no_because(struct may_answer *answer, const char *words);
void may_none(struct may_answer *answer, enum fact_state state, const char *words);

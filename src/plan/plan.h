/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs where, and why. Pure: the same machine and workload give the same
 * plan, byte for byte; nothing is read, started or printed.
 *
 * Invariants (contract.md, "fettle plan --json") hold for every plan returned.
 */
#pragma once

#include "plan/workload.h"

#include <hwloc/bitmap.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct machine;

struct plan_instance {
	unsigned index;
	hwloc_bitmap_t pus_os;  /* where the compute threads are meant to be, one a PU */
	hwloc_bitmap_t mask_os; /* what the process and its children may use */
	unsigned cores;         /* 0: the machine does not tell which CPUs share one */
	unsigned threads;
	unsigned *places_os;              /* PU of each thread, in thread order; `threads` of them */
	enum pin pin;                     /* never PIN_AUTO */
	hwloc_bitmap_t nodes_os;          /* memory nodes; never one without memory */
	enum memory_policy memory_policy; /* never MEMORY_AUTO */
};

/* A sentence and what it rests on. `id` is a stable key; the texts are for people. */
struct plan_note {
	char *id;
	char *text;
	char *evidence; /* path or option; may be NULL (warnings have none) */
};

struct plan_notes {
	struct plan_note *items;
	size_t count, capacity;
};

struct plan {
	struct plan_instance *instances;
	size_t instance_count;
	hwloc_bitmap_t unused_pus_os; /* allowed, and in no instance's mask */
	struct plan_notes reasons;
	struct plan_notes warnings;
};

/*
 * Make the plan. Returns 0; -EINVAL for a wish that cannot be met, with a line that says
 * what would be possible (err->hint); -ENOMEM. Free with plan_free().
 * With request.has_instance the plan still holds all instances: which one is launched is launch's matter.
 */
int plan_make(const struct machine *machine, const struct workload *workload, struct plan **ret_plan, struct err *err);

void plan_free(struct plan *plan);
static inline void plan_free_(struct plan **plan)
{
	plan_free(*plan);
}
#define cleanup_plan cleanup_(plan_free_)

/* Append a note; the text is formatted, the evidence copied (NULL: none). Returns 0 or -ENOMEM. */
int plan_note(struct plan_notes *notes, const char *id, const char *evidence, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * The plan's own part of fettle.plan/1: instances (without "environment"), reasons,
 * unused_pus_os, warnings. NULL when memory ran out.
 */
json_t *plan_to_json(const struct plan *plan);

/* Read back what plan_to_json() wrote. Returns 0, or -EINVAL naming the key that is missing, wrong or contradictory. */
int plan_from_json(const json_t *document, struct plan **ret_plan, struct err *err);

/* The request as options: {"instances": 2, "memory": "auto", ...}, only what was asked. NULL when memory ran out. */
json_t *request_to_json(const struct request *request);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One instance as it was planned: read back from the FETTLE_PLAN that its processes carry (base/record.h), or taken
 * from a plan. What is observed is held against this.
 */
#pragma once

#include "base/words.h"
#include "plan/request.h"

#include <hwloc/bitmap.h>
#include <stdbool.h>

struct err;
struct plan_instance;

struct planned {
	bool known; /* fettle planned it; false: what fettle would have planned */
	unsigned index, count;
	hwloc_bitmap_t pus_os;  /* where the compute threads are meant to be */
	hwloc_bitmap_t mask_os; /* what the process and its children may use */
	unsigned threads;       /* of each process that computes; 0: they are not planned */
	bool shared;            /* there are several, and together they have the instance's */
	enum pin pin;
	enum memory_policy memory_policy;
	hwloc_bitmap_t nodes_os; /* of the policy; empty: it names none */
	bool flush;              /* denormal numbers were to count as zero */
	struct words preloads;   /* file names of libraries that fettle preloads besides its agent */
	struct words set;        /* variables that fettle gave their values */
};

/*
 * Read a record. Returns 0; -ENOENT: there is none (`record` NULL) or it is of a version we do not know; -EINVAL:
 * a field is broken, in words; -ENOMEM. Free with planned_clear().
 */
int planned_read(const char *record, struct planned *ret_planned, struct err *err);

/* The same from an instance of a plan of `count` instances. Returns 0 or -ENOMEM. */
int planned_from_plan(const struct plan_instance *instance, unsigned count, struct planned *ret_planned);

/*
 * The plan of an instance that is started now, in full; `record` is the FETTLE_PLAN made for it, which names what is
 * preloaded and set (NULL: nothing is). Returns 0 or -ENOMEM.
 */
int planned_of_run(const struct plan_instance *instance, unsigned count, const char *record,
		   struct planned *ret_planned, struct err *err);

/* A copy, for planned_clear(). Returns 0 or -ENOMEM. */
int planned_copy(const struct planned *from, struct planned *ret_planned);

/* Is the name in the list? */
bool planned_has(const struct words *words, const char *name);

void planned_clear(struct planned *planned);
#define cleanup_planned cleanup_(planned_clear)

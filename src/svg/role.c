/* SPDX-License-Identifier: Apache-2.0 */
#include "svg/role.h"

#include "machine/machine.h"
#include "plan/plan.h"

#include <stdlib.h>

static void take_instance(const struct machine *machine, const struct plan_instance *instance, struct svg_pu *pus)
{
	for (size_t i = 0; i < machine->pu_count; i++) {
		const unsigned os = machine->pus[i].os;

		if (hwloc_bitmap_isset(instance->pus_os, os)) {
			pus[i].role = SVG_COMPUTE;
			pus[i].instance = instance->index;
			for (unsigned t = 0; instance->pin == PIN_THREADS && t < instance->threads; t++) {
				if (pus[i].thread < 0 && instance->places_os[t] == os)
					pus[i].thread = (int)t;
			}
		} else if (hwloc_bitmap_isset(instance->mask_os, os) && pus[i].role != SVG_COMPUTE) {
			pus[i].role = pus[i].role == SVG_ALLOWED ? SVG_HELPER : SVG_SHARED;
			pus[i].instance = instance->index;
		}
	}
}

struct svg_pu *svg_roles(const struct machine *machine, const struct plan *plan)
{
	struct svg_pu *pus = calloc(machine->pu_count, sizeof(*pus));

	for (size_t i = 0; pus && i < machine->pu_count; i++) {
		const bool allowed = hwloc_bitmap_isset(machine->limits.pus_os, machine->pus[i].os) != 0;

		pus[i] = (struct svg_pu){ .role = allowed ? SVG_ALLOWED : SVG_NOT_ALLOWED, .thread = -1 };
	}
	for (size_t i = 0; pus && plan && i < plan->instance_count; i++)
		take_instance(machine, &plan->instances[i], pus);
	return pus;
}

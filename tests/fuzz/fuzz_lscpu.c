/* SPDX-License-Identifier: Apache-2.0 */
/* lscpu's text: refused in one line, or a machine whose parts fit together. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "machine/lscpu.h"
#include "machine/machine.h"
#include "machine/source.h"

static void check(const struct machine *machine)
{
	size_t next = 0;

	MUST(machine->pu_count > 0 && machine->core_count > 0 && machine->kind_count > 0);
	MUST((size_t)hwloc_bitmap_weight(machine->limits.pus_os) == machine->pu_count);
	for (size_t c = 0; c < machine->core_count; c++) {
		const struct machine_core *core = &machine->cores[c];

		MUST(core->pu_idx == next && core->pu_count > 0);
		MUST(core->package_idx >= MACHINE_NONE && core->package_idx < (int)machine->package_count);
		MUST(core->l3_idx >= MACHINE_NONE && core->l3_idx < (int)machine->cache_count);
		MUST(core->l3_idx == MACHINE_NONE || machine->caches[core->l3_idx].level == 3);
		for (unsigned i = 0; i < core->pu_count; i++, next++) {
			MUST(machine->pus[next].core_idx == (int)c);
			MUST(i == 0 || machine->pus[next].os > machine->pus[next - 1].os);
		}
	}
	MUST(next == machine->pu_count);
	for (size_t n = 1; n < machine->node_count; n++) {
		MUST(machine->nodes[n].os > machine->nodes[n - 1].os);
		MUST(!hwloc_bitmap_intersects(machine->nodes[n].pus_os, machine->nodes[n - 1].pus_os));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = fuzz_text(data, size);
	const struct source source = { MACHINE_LSCPU, (char *)(uintptr_t) "lscpu:fuzz", text, size };
	cleanup_machine struct machine *machine = calloc(1, sizeof(*machine));
	struct err err = { .code = 0 };

	MUST(machine);
	if (lscpu_read(&source, machine, &err) == 0)
		check(machine);
	else
		MUST(err.code < 0 && err.text[0]);
	return 0;
}

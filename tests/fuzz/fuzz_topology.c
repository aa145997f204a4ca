/* SPDX-License-Identifier: Apache-2.0 */
/* A remembered topology is refused or whole, whatever bytes a file holds; what is taken packs to the same bytes again.
 */
#include "fuzz.h"

#include "base/text.h"
#include "machine/machine.h"
#include "machine/topology_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = fuzz_text(data, size);
	struct machine *machine = calloc(1, sizeof(*machine));
	struct text again = TEXT_INIT;

	MUST(machine);
	if (topology_unpack(bytes, size, machine) == 0) {
		MUST(machine->pu_count > 0 && machine->core_count > 0);
		for (size_t i = 0; i < machine->core_count; i++) {
			MUST(machine->cores[i].pu_count > 0);
			MUST(machine->cores[i].pu_idx + machine->cores[i].pu_count <= machine->pu_count);
		}
		topology_pack(machine, &again);
		MUST(!again.failed && again.length <= size);
	}
	text_clear(&again);
	machine_free(machine);
	free(bytes);
	return 0;
}

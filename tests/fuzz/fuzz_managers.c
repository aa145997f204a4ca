/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables of managers of ranks: a claim that is taken has an index below its count, also among those that share CPU
 * 0; a refusal says why.
 */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "plan/managers.h"
#include "plan/workload.h"

enum { LINES = 6 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), *rest = text;
	const char *environment[LINES + 1] = { NULL };
	struct workload workload = { .environment = environment };
	cleanup_bitmap hwloc_bitmap_t mask = hwloc_bitmap_alloc();
	struct manager_sharers sharers;
	struct manager_claim claim;
	struct err err = { 0 };

	for (size_t i = 0; i < LINES && rest; i++)
		environment[i] = strsep(&rest, "\n");
	if (managers_ask(&workload, &claim, &err) == 0) {
		MUST(claim.count > 0);
		MUST(claim.index < claim.count);
		MUST(claim.manager && claim.variable);
		MUST(mask && hwloc_bitmap_only(mask, 0) == 0);
		if (managers_sharers(&workload, &claim, mask, &sharers) > 0)
			MUST(sharers.index < sharers.count && sharers.count <= claim.count);
	} else {
		MUST(err.code < 0);
		MUST(*err.text);
	}
	free(text);
	return 0;
}

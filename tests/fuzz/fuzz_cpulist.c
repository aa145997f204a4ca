/* SPDX-License-Identifier: Apache-2.0 */
/* Lists: a set that was read prints as a list that reads as the same set. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_bitmap hwloc_bitmap_t set = NULL, again = NULL;
	cleanup_free char *text = fuzz_text(data, size), *printed = NULL;
	struct err err = { .code = 0 };

	if (cpulist_parse(text, &set, &err) < 0) {
		MUST(!set && err.code < 0 && err.text[0]);
		return 0;
	}
	MUST(hwloc_bitmap_last(set) < CPULIST_MAX);
	printed = cpulist_text(set);
	MUST(printed);
	MUST(cpulist_parse(printed, &again, &err) == 0 && hwloc_bitmap_isequal(set, again));
	MUST(cpulist_nth(set, 0) == hwloc_bitmap_first(set));
	return 0;
}

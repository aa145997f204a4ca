/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as ld.so.cache: entries lie inside, and their texts end there. */
#include "fuzz.h"

#include "target/ld_cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *bytes = fuzz_text(data, size);
	struct ld_cache cache = { .count = 0 };

	if (ld_cache_open(bytes, size, &cache)) {
		MUST(cache.bytes >= bytes && cache.bytes + cache.length == bytes + size);
		for (size_t i = 0; i < cache.count; i++) {
			struct ld_cache_entry entry;

			if (!ld_cache_entry(&cache, i, &entry))
				continue;
			MUST(entry.name + strlen(entry.name) < bytes + size);
			MUST(entry.path + strlen(entry.path) < bytes + size);
		}
	}
	free(bytes);
	return 0;
}

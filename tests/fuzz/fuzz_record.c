/* SPDX-License-Identifier: Apache-2.0 */
/* FETTLE_PLAN comes from the environment, so from anybody: a field found lies inside the text and ends at ';'. */
#include "fuzz.h"

#include "base/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = { "i=", "cpus=", "mask=", "pin=", "mem=", "set=", "" };
	char *record = fuzz_text(data, size);

	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		size_t length = 0;
		const char *value = record_field(record, keys[k], &length);

		if (!value)
			continue;
		MUST(value >= record && value + length <= record + strlen(record));
		MUST(!memchr(value, ';', length));
		MUST(value[length] == ';' || !value[length]);
	}
	free(record);
	return 0;
}

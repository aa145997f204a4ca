/* SPDX-License-Identifier: Apache-2.0 */
/* FETTLE_PLAN comes from the environment, so from anybody: a field found lies inside the text and ends at ';', and a
 * record that reads as a plan is a whole one. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/record.h"
#include "settings/planned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = { "i=", "cpus=", "mask=", "pin=", "mem=", "set=", "" };
	cleanup_planned struct planned planned = { .known = false };
	cleanup_free char *record = fuzz_text(data, size);
	struct err err = { .code = 0 };

	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		size_t length = 0;
		const char *value = record_field(record, keys[k], &length);

		if (!value)
			continue;
		MUST(value >= record && value + length <= record + strlen(record));
		MUST(!memchr(value, ';', length));
		MUST(value[length] == ';' || !value[length]);
	}
	if (planned_read(record, &planned, &err) < 0)
		MUST(!planned.known && err.code < 0 && err.text[0]);
	else
		MUST(planned.known && planned.pus_os && planned.mask_os && planned.nodes_os);
	return 0;
}

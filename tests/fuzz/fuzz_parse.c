/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers: refused ones leave the output alone, and what is printed again is read as the same. */
#include "fuzz.h"

#include "base/parse.h"

#include <stdio.h>

enum { UNTOUCHED = 77 };

static void u64_survives_printing(const char *text)
{
	uint64_t value = UNTOUCHED, again;
	char printed[32];

	if (parse_u64(text, &value) < 0) {
		MUST(value == UNTOUCHED);
		return;
	}
	(void)snprintf(printed, sizeof(printed), "%llu", (unsigned long long)value);
	MUST(parse_u64(printed, &again) == 0 && again == value);
}

static void int_survives_printing(const char *text)
{
	int value = UNTOUCHED, again;
	char printed[32];

	if (parse_int(text, &value) < 0) {
		MUST(value == UNTOUCHED);
		return;
	}
	(void)snprintf(printed, sizeof(printed), "%d", value);
	MUST(parse_int(printed, &again) == 0 && again == value);
}

static void unsigned_is_u64_or_refused(const char *text)
{
	unsigned value = UNTOUCHED;
	uint64_t wide;

	if (parse_unsigned(text, &value) == 0)
		MUST(parse_u64(text, &wide) == 0 && wide == value);
	else
		MUST(value == UNTOUCHED);
}

static void suffixes_only_make_more(const char *text)
{
	uint64_t bytes = UNTOUCHED, plain;

	if (parse_bytes(text, &bytes) < 0)
		MUST(bytes == UNTOUCHED);
	else if (parse_u64(text, &plain) == 0)
		MUST(bytes == plain);
	else
		MUST(bytes % 1024 == 0);
}

static void part_survives_printing(const char *text)
{
	struct part part = { UNTOUCHED, true }, again;
	char printed[32];

	if (parse_part(text, &part) < 0) {
		MUST(part.amount == UNTOUCHED && part.percent);
		return;
	}
	MUST(!part.percent || part.amount <= 100);
	(void)snprintf(printed, sizeof(printed), "%u%s", part.amount, part.percent ? "%" : "");
	MUST(parse_part(printed, &again) == 0 && again.amount == part.amount && again.percent == part.percent);
}

static void milli_is_positive(const char *text)
{
	uint64_t milli = UNTOUCHED, whole;

	if (parse_milli(text, &milli) < 0)
		MUST(milli == UNTOUCHED);
	else
		MUST(parse_u64(text, &whole) < 0 || milli == whole * 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	u64_survives_printing(text);
	int_survives_printing(text);
	unsigned_is_u64_or_refused(text);
	suffixes_only_make_more(text);
	part_survives_printing(text);
	milli_is_positive(text);
	free(text);
	return 0;
}

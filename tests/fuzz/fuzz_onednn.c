/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN's stream: any bytes are read, and how they are cut into pieces changes nothing. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "onednn/advice.h"

#include <string.h>

/* The document of the bytes, fed in pieces of this size. The caller frees it. */
static char *document_of(const uint8_t *data, size_t size, size_t piece)
{
	cleanup_onednn_profile struct onednn_profile *profile = onednn_profile_new();
	cleanup_onednn_advice struct onednn_advice advice = { .why = NULL };
	struct err err = { .code = 0 };
	json_t *document;
	char *text;

	MUST(profile);
	for (size_t at = 0; at < size; at += piece)
		onednn_profile_feed(profile, (const char *)data + at, size - at < piece ? size - at : piece);
	MUST(onednn_profile_end(profile, &err) == 0);
	MUST(onednn_advise(profile, 0, "avx2 avx512f", &advice, &err) == 0);
	MUST(profile->cache.live <= profile->primitives.count);
	for (size_t i = 1; i < advice.sizing.curve_count; i++)
		MUST(advice.sizing.curve[i].hit_rate >= advice.sizing.curve[i - 1].hit_rate);
	MUST(advice.sizing.agreement >= 0 && advice.sizing.agreement <= 1);
	document = onednn_to_json(profile, &advice, 5);
	MUST(document);
	text = json_dumps(document, JSON_PRESERVE_ORDER);
	json_decref(document);
	MUST(text);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *whole = document_of(data, size, size + 1), *pieces = document_of(data, size, 7);

	MUST(strcmp(whole, pieces) == 0);
	return 0;
}

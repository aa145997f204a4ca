/* SPDX-License-Identifier: Apache-2.0 */
/* What the primitive cache costs. */
#include "onednn/advice.h"

#include "base/cleanup.h"

#include <string.h>

/*
 * Resident memory a primitive, measured with tests/live/onednn_shapes ("memory KIND 1000") for 2.6.3 and in
 * PyTorch 2.13 for 3.12.0 (a thousand shapes, capacity 65536 less capacity 64), AVX-512 kernels (docs/onednn.md).
 * Generated code and its tables are most of it. 0: not measured.
 */
static const struct {
	const char *kind;
	double bytes[2]; /* oneDNN 2, oneDNN 3 */
} costs[] = {
	{ "convolution", { 71000, 42000 } }, { "matmul", { 50000, 243000 } }, { "inner_product", { 72000, 0 } },
	{ "eltwise", { 13600, 0 } },         { "reorder", { 12400, 12400 } },
};

bool onednn_primitive_bytes(const struct onednn_profile *profile, double *ret_bytes)
{
	const bool old = profile->version && strstr(profile->version, "v2.");
	double bytes = 0, known = 0, all = 0;

	for (size_t r = 0; r < profile->row_count; r++) {
		const double count = (double)profile->rows[r].distinct;

		all += count;
		for (size_t i = 0; i < ARRAY_SIZE(costs); i++) {
			if (costs[i].bytes[!old] > 0 && strcmp(profile->rows[r].kind, costs[i].kind) == 0) {
				known += count;
				bytes += count * costs[i].bytes[!old];
			}
		}
	}
	if (known <= 0 || known < 0.8 * all)
		return false;
	*ret_bytes = bytes / known;
	return true;
}

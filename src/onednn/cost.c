/* SPDX-License-Identifier: Apache-2.0 */
/* What the primitive cache costs. */
#include "onednn/advice.h"

#include "base/cleanup.h"

#include <string.h>

/*
 * Resident memory a primitive: of 2.6.3 with tests/live/onednn_shapes ("memory KIND 1000"), of 3.12.0 in PyTorch
 * 2.13, 800 to 1000 shapes at capacity 65536 less the same at 64, what comes with a primitive (reorders) taken off;
 * AVX-512 kernels (docs/onednn.md). Generated code and its tables are most of it. 0: not measured.
 */
static const struct {
	const char *kind;
	double bytes[2]; /* oneDNN 2, oneDNN 3 */
} costs[] = {
	{ "convolution", { 71000, 31000 } }, { "matmul", { 50000, 243000 } }, { "inner_product", { 72000, 321000 } },
	{ "eltwise", { 13600, 52000 } },     { "reorder", { 12400, 17600 } },
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

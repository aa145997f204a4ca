/* SPDX-License-Identifier: Apache-2.0 */
#include "base/shown.h"

#include "base/cleanup.h"
#include "base/fact.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

void shown_size(struct text *text, const struct fact *bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double value = (double)bytes->value / 1024;
	size_t unit = 0;

	if (bytes->state != FACT_KNOWN) {
		text_add(text, "size unknown");
		return;
	}
	for (; value >= 1024 && unit + 1 < ARRAY_SIZE(units); unit++)
		value /= 1024;
	text_add(text, "%.1f %s", value, units[unit]);
}

/* One run of numbers of equal step from `first`: its last number and step. */
static int run_end(hwloc_const_bitmap_t set, int first, int *ret_step)
{
	int next = hwloc_bitmap_next(set, first), last = first;

	*ret_step = next < 0 ? 1 : next - first;
	while (next >= 0 && next - last == *ret_step) {
		last = next;
		next = hwloc_bitmap_next(set, last);
	}
	/* Two numbers are no pattern. */
	if (*ret_step > 1 && last == first + *ret_step)
		last = first;
	return last;
}

void shown_list(struct text *text, hwloc_const_bitmap_t set, size_t room)
{
	size_t used = 0;
	int step = 1;

	for (int first = hwloc_bitmap_first(set), last; first >= 0; first = hwloc_bitmap_next(set, last)) {
		char piece[64];
		int n;

		last = run_end(set, first, &step);
		n = snprintf(piece, sizeof(piece), "%s%d", used ? "," : "", first);
		if (last > first)
			n += snprintf(piece + n, sizeof(piece) - (size_t)n, "-%d", last);
		if (last > first && step > 1)
			n += snprintf(piece + n, sizeof(piece) - (size_t)n, ":%d", step);
		if (used + (size_t)n + strlen(",...") > room) {
			text_add(text, ",...");
			return;
		}
		text_add(text, "%s", piece);
		used += (size_t)n;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cpulist.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <stdbool.h>
#include <string.h>

/* One number at *p, moved past. */
static bool take_number(const char **p, unsigned *ret_number)
{
	unsigned value = 0;

	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		value = value * 10 + (unsigned)(**p - '0');
		if (value >= CPULIST_MAX)
			return false;
	}
	*ret_number = value;
	return true;
}

/* One "a", "a-b" or "a-b:stride" at *p, moved past. */
static bool take_range(const char **p, hwloc_bitmap_t set)
{
	unsigned first, last, stride = 1;

	if (!take_number(p, &first))
		return false;
	last = first;
	if (**p == '-') {
		(*p)++;
		if (!take_number(p, &last) || last < first)
			return false;
		if (**p == ':') {
			(*p)++;
			if (!take_number(p, &stride) || !stride)
				return false;
		}
	}
	if (stride == 1)
		return hwloc_bitmap_set_range(set, first, (int)last) == 0;
	for (unsigned n = first; n <= last; n += stride) {
		if (hwloc_bitmap_set(set, n) < 0)
			return false;
	}
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* The whole of p: ranges between commas, then only blanks. */
static bool take_list(const char *p, hwloc_bitmap_t set)
{
	while (is_blank(*p))
		p++;
	if (!*p)
		return true;
	while (take_range(&p, set)) {
		if (*p == ',') {
			p++;
			continue;
		}
		while (is_blank(*p))
			p++;
		return !*p;
	}
	return false;
}

int cpulist_parse(const char *text, hwloc_bitmap_t *ret_set, struct err *err)
{
	cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();

	if (!set)
		return err_nomem(err);
	if (!take_list(text, set))
		return err_set(err, -EINVAL, "'%.60s' is not a list like 0-3,8", text);
	*ret_set = TAKE(set);
	return 0;
}

char *cpulist_text(hwloc_const_bitmap_t set)
{
	char *text = NULL;

	if (hwloc_bitmap_list_asprintf(&text, set) < 0)
		return NULL;
	return text;
}

int cpulist_nth(hwloc_const_bitmap_t set, unsigned n)
{
	int id = hwloc_bitmap_first(set);

	while (id >= 0 && n--)
		id = hwloc_bitmap_next(set, id);
	return id;
}

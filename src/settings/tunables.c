/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glibc's malloc kept from giving large blocks back to the kernel after every step. Needs no preload, so
 * it works wherever the program's libc is glibc.
 *
 * Under a memory limit: what the process keeps beyond stock glibc is freed memory at the top of the main
 * heap, at most trim_threshold. (The heaps of other threads are 64 MiB at most, and stock glibc stops
 * trimming those too once it has freed a block of 32 MiB.) So
 *         trim_threshold = min(4 GiB, limit / instances / 8), in whole MiB,
 * and nothing is set below 128 MiB, two steps of top_pad: the heap would shrink and grow at every step.
 * An eighth because a real network with shapes that change kept 15 % more than with stock glibc.
 *
 * Seen in the main thread's heap: glibc 2.35, 2.36 and 2.41 take a mmap_threshold of 1 GiB; 2.31 silently refuses any
 * above 32 MiB, half of what another thread's heap can grow to, and then maps and unmaps every block that the top of
 * the heap has no room for. There mmap_max=0 does what is meant. Blocks of 64 MiB and more of other threads are mapped
 * by all of them, whatever is set.
 */
#include "settings/allocator.h"

#include "base/cleanup.h"
#include "machine/machine.h"
#include "settings/rule.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static const uint64_t top_pad = 64 * MIB;
static const uint64_t trim_most = 4 * GIB;

const uint64_t tunables_least_kept_bytes = 128 * MIB; /* two steps of top_pad */

uint64_t tunables_kept_bytes(const struct settings_input *in)
{
	const uint64_t share = setting_memory_each(in) / 8 / MIB * MIB;

	return share < trim_most ? share : trim_most;
}

bool tunables_kept_is_limited(const struct settings_input *in)
{
	return tunables_kept_bytes(in) < trim_most;
}

static uint64_t mmap_threshold(const struct settings_input *in)
{
	(void)in;
	return GIB;
}

static uint64_t mmap_max(const struct settings_input *in)
{
	(void)in;
	return 0;
}

static bool is_newer(const struct settings_input *in)
{
	return !in->workload->malloc_threshold_capped;
}

static bool is_older(const struct settings_input *in)
{
	return in->workload->malloc_threshold_capped;
}

static uint64_t pad(const struct settings_input *in)
{
	(void)in;
	return top_pad;
}

/* glibc's word for madvise(MADV_HUGEPAGE), since 2.35. */
static uint64_t hugetlb(const struct settings_input *in)
{
	(void)in;
	return 1;
}

static bool huge_pages_asked(const struct settings_input *in)
{
	return in->workload->request.huge_pages == HUGE_PAGES_MADVISE;
}

/*
 * The order matters: an outer fettle's keys are found again at the end of the value by it. The one whose value
 * depends on the machine comes last, so that a user's own value of it is never taken for ours.
 */
static const struct tunable {
	const char *key;
	const char *variable; /* the older name of the same, or NULL; a tunable silently wins over it (glibc 2.36) */
	uint64_t (*value)(const struct settings_input *in);
	bool fixed;
	bool (*applies)(const struct settings_input *in); /* NULL: always */
} tunables[] = {
	{ "glibc.malloc.mmap_threshold", "MALLOC_MMAP_THRESHOLD_", mmap_threshold, true, is_newer },
	{ "glibc.malloc.mmap_max", "MALLOC_MMAP_MAX_", mmap_max, true, is_older },
	{ "glibc.malloc.top_pad", "MALLOC_TOP_PAD_", pad, true, NULL },
	{ "glibc.malloc.hugetlb", NULL, hugetlb, true, huge_pages_asked },
	{ "glibc.malloc.trim_threshold", "MALLOC_TRIM_THRESHOLD_", tunables_kept_bytes, false, NULL },
};

/* Does the user's GLIBC_TUNABLES say something of this key? */
static bool names_key(const char *users, const char *key)
{
	const size_t length = strlen(key);

	while (*users) {
		if (strncmp(users, key, length) == 0 && users[length] == '=')
			return true;
		users += strcspn(users, ":");
		users += *users == ':';
	}
	return false;
}

void tunables_merge(const struct settings_input *in, const struct plan_instance *instance, const char *users,
		    struct text *value)
{
	(void)instance;
	text_add(value, "%s", users);
	for (size_t i = 0; i < ARRAY_SIZE(tunables); i++) {
		const struct tunable *tunable = &tunables[i];

		if ((tunable->applies && !tunable->applies(in)) || names_key(users, tunable->key) ||
		    (tunable->variable && settings_user_value(in, tunable->variable)))
			continue;
		text_add(value, "%s%s=%" PRIu64, value->length ? ":" : "", tunable->key, tunable->value(in));
	}
}

bool tunables_are_users(const struct settings_input *in)
{
	static const char *const variables[] = {
		"MALLOC_ARENA_MAX",       "MALLOC_ARENA_TEST", "MALLOC_MMAP_MAX_",
		"MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_",   "MALLOC_TRIM_THRESHOLD_"
	};
	cleanup_text struct text users = TEXT_INIT;

	settings_users_part(in, "GLIBC_TUNABLES", &users);
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		if (settings_user_value(in, variables[i]))
			return true;
	}
	return users.failed || (users.data && strstr(users.data, "glibc.malloc."));
}

/* Did an outer fettle write this "key=value"? */
static bool wrote(const struct tunable *tunable, const struct settings_input *in, const char *entry, size_t length)
{
	const size_t key_length = strlen(tunable->key);
	char number[24];

	if (length <= key_length || memcmp(entry, tunable->key, key_length) != 0 || entry[key_length] != '=')
		return false;
	if (!tunable->fixed)
		return true;
	(void)snprintf(number, sizeof(number), "%" PRIu64, tunable->value(in));
	entry += key_length + 1;
	length -= key_length + 1;
	return strlen(number) == length && memcmp(entry, number, length) == 0;
}

/* Take our keys off the end of what an outer fettle merged: each at most once, last one first. */
void tunables_users_part(const struct settings_input *in, const char *inherited, struct text *users)
{
	size_t length = strlen(inherited);

	for (size_t i = ARRAY_SIZE(tunables); i-- > 0 && length;) {
		const char *colon = memrchr(inherited, ':', length);
		const size_t start = colon ? (size_t)(colon - inherited) + 1 : 0;

		if (wrote(&tunables[i], in, inherited + start, length - start))
			length = colon ? start - 1 : 0;
	}
	text_add_bytes(users, inherited, length);
}

void tunables_explain(const struct settings_input *in, struct text *why)
{
	const uint64_t trim = tunables_kept_bytes(in);

	if (trim < trim_most)
		text_add(why,
			 "; trim_threshold is an eighth of each instance's share of the memory limit: %" PRIu64 " MiB",
			 trim / MIB);
	if (is_older(in))
		text_add(why, "; mmap_max=0 because a glibc before 2.35 refuses thresholds above 32 MiB");
	if (huge_pages_asked(in))
		text_add(why, "; hugetlb has it ask for huge pages (--huge-pages: no gain was measured)");
	if (in->workload->request.allocator == ALLOCATOR_AUTO && in->workload->malloc_library.why_not)
		text_add(why, "; tcmalloc is not preloaded: %s", in->workload->malloc_library.why_not);
	if (!in->workload->target)
		text_add(why, "; no program was named: glibc is assumed");
}

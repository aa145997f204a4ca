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
 */
#include "base/cleanup.h"
#include "machine/machine.h"
#include "settings/rule.h"
#include "target/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIB             ((uint64_t)1 << 20)
#define GIB             ((uint64_t)1 << 30)
#define PATH_SEPARATORS ": " /* of LD_PRELOAD, see ld.so(8) */

static const uint64_t top_pad = 64 * MIB;
static const uint64_t trim_most = 4 * GIB;

static uint64_t trim_threshold(const struct settings_input *in)
{
	const struct fact *limit = &in->machine->limits.memory_bytes;
	uint64_t share;

	if (limit->state != FACT_KNOWN || in->plan->instance_count == 0)
		return trim_most;
	share = limit->value / in->plan->instance_count / 8 / MIB * MIB;
	return share < trim_most ? share : trim_most;
}

static uint64_t mmap_threshold(const struct settings_input *in)
{
	(void)in;
	return GIB;
}

static uint64_t pad(const struct settings_input *in)
{
	(void)in;
	return top_pad;
}

/*
 * The order matters: an outer fettle's keys are found again at the end of the value by it. The one whose value
 * depends on the machine comes last, so that a user's own value of it is never taken for ours.
 */
static const struct tunable {
	const char *key;
	const char *variable; /* the older name of the same; a tunable silently wins over it (glibc 2.36) */
	uint64_t (*value)(const struct settings_input *in);
	bool fixed;
} tunables[] = {
	{ "glibc.malloc.mmap_threshold", "MALLOC_MMAP_THRESHOLD_", mmap_threshold, true },
	{ "glibc.malloc.top_pad", "MALLOC_TOP_PAD_", pad, true },
	{ "glibc.malloc.trim_threshold", "MALLOC_TRIM_THRESHOLD_", trim_threshold, false },
};

/* Is `name` a preload that replaces malloc? By the beginning of its file name. */
static bool replaces_malloc(const char *path, size_t length)
{
	static const char *const libraries[] = { "libjemalloc", "libtcmalloc", "libmimalloc", "libsnmalloc",
						 "librpmalloc", "libhoard",    "libtbbmalloc" };
	const char *slash = memrchr(path, '/', length);
	const char *name = slash ? slash + 1 : path;
	const size_t rest = length - (size_t)(name - path);

	for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
		if (rest >= strlen(libraries[i]) && memcmp(name, libraries[i], strlen(libraries[i])) == 0)
			return true;
	}
	return false;
}

/* 1, 0, or -ENOMEM. */
static int other_malloc_preloaded(const struct settings_input *in)
{
	cleanup_text struct text users = TEXT_INIT;

	settings_users_part(in, "LD_PRELOAD", &users);
	for (const char *entry = users.data; entry && *entry;) {
		const size_t length = strcspn(entry, PATH_SEPARATORS);

		if (replaces_malloc(entry, length))
			return 1;
		entry += length;
		entry += strspn(entry, PATH_SEPARATORS);
	}
	return users.failed ? -ENOMEM : 0;
}

static const char out_of_memory[] = "out of memory";

/* Why glibc's malloc is left as it is, with where that is known from; NULL: it is tuned. */
static const char *left_alone(const struct settings_input *in, const char **ret_evidence)
{
	const struct target *target = in->workload->target;
	int other;

	*ret_evidence = target ? target->interpreter : NULL;
	if (target && target->libc == TARGET_LIBC_NONE)
		return "the program is static";
	if (target && target->libc != TARGET_LIBC_GLIBC)
		return target->libc == TARGET_LIBC_MUSL ? "the program's libc is musl"
							: "the program's libc is not known to be glibc";
	if (target && target->set_id)
		return "the program runs with another's rights, and glibc then ignores GLIBC_TUNABLES";
	if (target && target->elf_class == 32)
		return "the thresholds do not fit a 32-bit program";
	*ret_evidence = "LD_PRELOAD";
	other = other_malloc_preloaded(in);
	if (other)
		return other < 0 ? out_of_memory : "another malloc is preloaded";
	*ret_evidence = "MALLOC_CONF";
	if (settings_user_value(in, "MALLOC_CONF"))
		return "the user configures jemalloc";
	*ret_evidence = in->machine->limits.memory_bytes.source;
	if (trim_threshold(in) < 2 * top_pad)
		return "the memory limit leaves no room for freed memory to be kept (an eighth of each instance's "
		       "share is under 128 MiB)";
	return NULL;
}

static bool tunables_apply(const struct settings_input *in, const struct plan_instance *instance)
{
	const char *evidence;

	(void)instance;
	return !left_alone(in, &evidence);
}

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

static void tunables_merge(const struct settings_input *in, const struct plan_instance *instance, const char *users,
			   struct text *value)
{
	(void)instance;
	text_add(value, "%s", users);
	for (size_t i = 0; i < ARRAY_SIZE(tunables); i++) {
		const struct tunable *tunable = &tunables[i];

		if (!names_key(users, tunable->key) && !settings_user_value(in, tunable->variable))
			text_add(value, "%s%s=%" PRIu64, value->length ? ":" : "", tunable->key, tunable->value(in));
	}
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
static void tunables_users_part(const struct settings_input *in, const char *inherited, struct text *users)
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

static void tunables_explain(const struct settings_input *in, struct text *why)
{
	const uint64_t trim = trim_threshold(in);

	if (trim < trim_most)
		text_add(why,
			 "; trim_threshold is an eighth of each instance's share of the memory limit: %" PRIu64 " MiB",
			 trim / MIB);
	if (!in->workload->target)
		text_add(why, "; no program was named: glibc is assumed");
}

static const struct setting_rule rules[] = {
	{ .name = "GLIBC_TUNABLES",
	  .applies = tunables_apply,
	  .merge = tunables_merge,
	  .users_part = tunables_users_part,
	  .why = "freed memory is kept for the next step instead of being given back to the kernel and faulted in "
		 "again "
		 "(measured: up to 1.4x on real networks; glibc manual, Memory Allocation Tunables)",
	  .explain = tunables_explain,
	  .risk = "freed memory stays with the process: no more at peak on fixed shapes, 15 % more where every step "
		  "has other shapes" },
};

static int allocator_check(const struct settings_input *in)
{
	const char *evidence;
	const char *reason = left_alone(in, &evidence);

	if (reason == out_of_memory)
		return -ENOMEM;
	return reason ? plan_note(&in->plan->reasons, "allocator", evidence, "glibc's malloc is not tuned: %s", reason)
		      : 0;
}

const struct setting_family family_allocator = {
	.name = "allocator",
	.rules = rules,
	.rule_count = ARRAY_SIZE(rules),
	.check = allocator_check,
};

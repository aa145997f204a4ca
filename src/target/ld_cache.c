/* SPDX-License-Identifier: Apache-2.0 */
#include "target/ld_cache.h"

#include "base/cleanup.h"

#include <stdint.h>
#include <string.h>

/* The older format: magic, padding, a count, entries of 12 bytes, texts; the newer one follows, 8-byte aligned. */
static const char old_magic[] = "ld.so-1.7.0";
enum { OLD_COUNT = 12, OLD_HEADER = 16, OLD_ENTRY = 12 };

/* The newer format: header, entries, texts. */
static const char new_magic[] = "glibc-ld.so.cache1.1";
enum { NEW_COUNT = 20, NEW_ORDER = 28, NEW_HEADER = 48, NEW_ENTRY = 24 };
enum { ENTRY_FLAGS = 0, ENTRY_NAME = 4, ENTRY_PATH = 8, ENTRY_FEATURES = 16 };

/* Byte order as the header tells it since glibc 2.33; before, it is not told. */
enum { ORDER_MASK = 3, ORDER_UNSET = 0, ORDER_LITTLE = 2, ORDER_BIG = 3 };

/* The low byte of the flags: what kind of library. */
enum { KIND_MASK = 0xff, KIND_ELF = 1, KIND_ELF_LIBC6 = 3 };

/* Set in the features of an entry from a glibc-hwcaps folder; other features are the older kind. */
static const uint64_t features_by_folder = (uint64_t)1 << 62;

static uint32_t get32(const char *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static uint64_t get64(const char *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* Where the newer part begins, or `length`. Behind the older part's entries its texts may not be skipped by count:
 * the newer part stands in their middle, right after the entries. */
static size_t find_new(const char *bytes, size_t length)
{
	size_t start;

	if (length < OLD_HEADER || memcmp(bytes, old_magic, strlen(old_magic)) != 0)
		return 0;
	start = OLD_HEADER + (size_t)get32(bytes + OLD_COUNT) * OLD_ENTRY;
	start = (start + 7) & ~(size_t)7;
	return start < length ? start : length;
}

bool ld_cache_open(const char *bytes, size_t length, struct ld_cache *ret_cache)
{
	const uint16_t probe = 1;
	const bool little = *(const unsigned char *)&probe == 1;
	const size_t start = find_new(bytes, length);
	unsigned order;
	size_t count;

	bytes += start;
	length -= start;
	if (length < NEW_HEADER || memcmp(bytes, new_magic, strlen(new_magic)) != 0)
		return false;
	order = (unsigned char)bytes[NEW_ORDER] & ORDER_MASK;
	if (order != ORDER_UNSET && order != (unsigned)(little ? ORDER_LITTLE : ORDER_BIG))
		return false;
	count = get32(bytes + NEW_COUNT);
	if (count > (length - NEW_HEADER) / NEW_ENTRY)
		return false;
	*ret_cache = (struct ld_cache){ .bytes = bytes, .length = length, .count = count };
	return true;
}

/* The text at this offset, or NULL when it begins or ends outside. */
static const char *text_at(const struct ld_cache *cache, uint32_t offset)
{
	if (offset >= cache->length || !memchr(cache->bytes + offset, '\0', cache->length - offset))
		return NULL;
	return cache->bytes + offset;
}

bool ld_cache_entry(const struct ld_cache *cache, size_t i, struct ld_cache_entry *ret_entry)
{
	const char *bytes = cache->bytes + NEW_HEADER + i * NEW_ENTRY;
	const uint32_t kind = get32(bytes + ENTRY_FLAGS) & KIND_MASK;
	const uint64_t features = get64(bytes + ENTRY_FEATURES);
	struct ld_cache_entry entry = {
		.name = text_at(cache, get32(bytes + ENTRY_NAME)),
		.path = text_at(cache, get32(bytes + ENTRY_PATH)),
		.legacy = features && !(features & features_by_folder),
	};

	if (!entry.name || !entry.path || (kind != KIND_ELF && kind != KIND_ELF_LIBC6))
		return false;
	*ret_entry = entry;
	return true;
}

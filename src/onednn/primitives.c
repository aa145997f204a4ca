/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn/primitives.h"

#include "base/array.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_FIRST = 1024, KEY_MAX = ONEDNN_TEXT_MAX_BYTES / 1024 };

/* Odd constants with as many ones as zeros, in no order: digits of pi (as in Blowfish's first words). */
static const uint64_t PI[] = { 0x243f6a8885a308d3, 0x13198a2e03707345, 0xa4093822299f31d1, 0x082efa98ec4e6c89 };

static uint64_t load(const char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* Both halves of the product: every bit of the one depends on every bit of the other. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	const __uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static void hash(const char *bytes, size_t length, uint64_t ret_hash[2])
{
	uint64_t a = PI[0] ^ length, b = PI[1];
	char tail[16] = { 0 };
	size_t left = length;

	for (; left > 16; left -= 16, bytes += 16) {
		const uint64_t x = load(bytes), y = load(bytes + 8);

		a = mix(a ^ x, y ^ PI[2]);
		b = mix(b ^ y, x ^ PI[3]) + a;
	}
	memcpy(tail, bytes, left);
	a = mix(a ^ load(tail), load(tail + 8) ^ PI[2]);
	b = mix(b ^ load(tail + 8), load(tail) ^ PI[3]);
	ret_hash[0] = mix(a ^ PI[1], b ^ length);
	ret_hash[1] = mix(b ^ PI[0], a ^ PI[3]);
}

static void put(const struct onednn_primitives *primitives, uint32_t index)
{
	size_t at = primitives->items[index].hash[0] & (primitives->table_size - 1);

	while (primitives->table[at])
		at = (at + 1) & (primitives->table_size - 1);
	primitives->table[at] = index + 1;
}

/* Half of it stays free. */
static bool grow_table(struct onednn_primitives *primitives)
{
	const size_t size = primitives->table_size ? primitives->table_size * 2 : TABLE_FIRST;
	uint32_t *table = calloc(size, sizeof(*table));

	if (!table)
		return false;
	free(primitives->table);
	primitives->table = table;
	primitives->table_size = size;
	for (size_t i = 0; i < primitives->count; i++)
		put(primitives, (uint32_t)i);
	return true;
}

static void keep_text(struct onednn_primitives *primitives, struct onednn_span key, struct onednn_primitive *primitive)
{
	size_t want = primitives->texts_capacity ? primitives->texts_capacity : KEY_MAX;
	char *grown = primitives->texts;

	if (key.length > KEY_MAX || primitives->texts_length + key.length > ONEDNN_TEXT_MAX_BYTES)
		return;
	while (want < primitives->texts_length + key.length)
		want *= 2;
	if (want > primitives->texts_capacity) {
		grown = realloc(primitives->texts, want);
		if (!grown)
			return; /* the figures are right without it */
		primitives->texts = grown;
		primitives->texts_capacity = want;
	}
	memcpy(grown + primitives->texts_length, key.at, key.length);
	primitive->text = (uint32_t)primitives->texts_length + 1;
	primitive->text_length = (uint32_t)key.length;
	primitives->texts_length += key.length;
}

size_t onednn_primitives_find(struct onednn_primitives *primitives, struct onednn_span key, bool *ret_new)
{
	struct onednn_primitive *grown, fresh = { .epoch = 0 };
	size_t at;

	*ret_new = false;
	hash(key.at, key.length, fresh.hash);
	if (primitives->count * 2 >= primitives->table_size && !grow_table(primitives))
		return SIZE_MAX;
	for (at = fresh.hash[0] & (primitives->table_size - 1); primitives->table[at];
	     at = (at + 1) & (primitives->table_size - 1)) {
		const size_t index = primitives->table[at] - 1;

		if (memcmp(primitives->items[index].hash, fresh.hash, sizeof(fresh.hash)) == 0)
			return index;
	}
	if (primitives->count == ONEDNN_PRIMITIVES_MAX)
		return SIZE_MAX;
	grown = array_grow(primitives->items, &primitives->capacity, primitives->count, sizeof(*grown));
	if (!grown)
		return SIZE_MAX;
	primitives->items = grown;
	keep_text(primitives, key, &fresh);
	primitives->items[primitives->count] = fresh;
	primitives->table[at] = (uint32_t)primitives->count + 1;
	*ret_new = true;
	return primitives->count++;
}

void onednn_primitives_keep(struct onednn_primitives *primitives, const bool *stays, uint32_t *moved)
{
	size_t count = 0, length = 0;

	memset(primitives->table, 0, primitives->table_size * sizeof(*primitives->table));
	for (size_t i = 0; i < primitives->count; i++) {
		struct onednn_primitive item = primitives->items[i];

		moved[i] = UINT32_MAX;
		if (!stays[i])
			continue;
		if (item.text) { /* texts stand in the order of their primitives */
			memmove(primitives->texts + length, primitives->texts + item.text - 1, item.text_length);
			item.text = (uint32_t)length + 1;
			length += item.text_length;
		}
		moved[i] = (uint32_t)count;
		primitives->items[count] = item;
		put(primitives, (uint32_t)count++);
	}
	primitives->count = count;
	primitives->texts_length = length;
}

struct onednn_span onednn_primitive_key(const struct onednn_primitives *primitives,
					const struct onednn_primitive *primitive)
{
	if (!primitive->text)
		return (struct onednn_span){ "", 0 };
	return (struct onednn_span){ primitives->texts + primitive->text - 1, primitive->text_length };
}

void onednn_primitives_clear(struct onednn_primitives *primitives)
{
	free(primitives->items);
	free(primitives->table);
	free(primitives->texts);
	*primitives = (struct onednn_primitives){ .items = NULL };
}

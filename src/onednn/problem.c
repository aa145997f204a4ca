/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn/problem.h"

#include "base/cleanup.h"

#include <string.h>

/* Arithmetic: one multiplication and one addition for each weight and result (or, transposed, each weight and input).
 */

enum size { MB, G, IC, OC, ID, IH, IW, OD, OH, OW, KD, KH, KW, SIZE_COUNT };

static const char *const size_names[SIZE_COUNT] = { "mb", "g",  "ic", "oc", "id", "ih", "iw",
						    "od", "oh", "ow", "kd", "kh", "kw" };

static bool is_letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A number at `*at`, which moves behind it. False: none, or one too large to be a size. */
static bool take_number(const char **at, const char *end, double *ret_number)
{
	double number = 0;
	const char *p = *at;

	for (; p < end && is_digit(*p); p++)
		number = number * 10 + (*p - '0');
	if (p == *at || number > 1e12)
		return false;
	*at = p;
	*ret_number = number;
	return true;
}

/* "mb4_g1ic8oc16_ih40oh38kh3...": benchdnn's problem descriptor. Sizes that are not there are 1. */
static bool read_sizes(struct onednn_span problem, double ret_sizes[SIZE_COUNT])
{
	const char *p = problem.at, *const end = problem.at + problem.length;

	for (size_t i = 0; i < SIZE_COUNT; i++)
		ret_sizes[i] = 1;
	while (p < end) {
		const char *name = p;
		double number;
		struct onednn_span word;

		while (p < end && is_letter(*p))
			p++;
		word = (struct onednn_span){ name, (size_t)(p - name) };
		if (!word.length || !take_number(&p, end, &number))
			return false;
		for (size_t i = 0; i < SIZE_COUNT; i++) {
			if (onednn_span_is(word, size_names[i]))
				ret_sizes[i] = number;
		}
		if (p < end && *p == '_')
			p++;
	}
	return problem.length != 0;
}

/* "2x128x256": returns how many dimensions, 0: not all are numbers. */
static size_t read_dims(const char **at, const char *end, double dims[12])
{
	size_t count = 0;

	while (count < 12 && take_number(at, end, &dims[count])) {
		count++;
		if (*at == end || **at != 'x')
			return count;
		(*at)++;
	}
	return 0;
}

/* "2x128x256:2x256x64": batches by rows by depth, then batches by depth by columns; a batch of 1 is for all. */
static double matmul_flop(struct onednn_span problem)
{
	const char *p = problem.at, *const end = problem.at + problem.length;
	double a[12], b[12], flop;
	const size_t rank = read_dims(&p, end, a);

	if (rank < 2 || p == end || *p != ':')
		return 0;
	p++;
	if (read_dims(&p, end, b) != rank || a[rank - 1] != b[rank - 2])
		return 0;
	flop = 2 * a[rank - 2] * a[rank - 1] * b[rank - 1];
	for (size_t i = 0; i + 2 < rank; i++)
		flop *= a[i] > b[i] ? a[i] : b[i];
	return flop;
}

double onednn_flop(const struct onednn_line *line)
{
	const struct onednn_span kind = line->field[ONEDNN_KIND], problem = line->field[ONEDNN_PROBLEM];
	double s[SIZE_COUNT], weights;

	if (onednn_span_is(kind, "matmul"))
		return matmul_flop(problem);
	if (!read_sizes(problem, s) || s[G] == 0)
		return 0;
	weights = s[IC] * s[OC] / s[G] * s[KD] * s[KH] * s[KW];
	if (onednn_span_is(kind, "convolution"))
		return 2 * s[MB] * weights * s[OD] * s[OH] * s[OW];
	if (onednn_span_is(kind, "deconvolution"))
		return 2 * s[MB] * weights * s[ID] * s[IH] * s[IW];
	if (onednn_span_is(kind, "inner_product"))
		return 2 * s[MB] * s[IC] * s[OC] * s[ID] * s[IH] * s[IW];
	return 0;
}

/* One memory descriptor. */
struct memory {
	struct onednn_span name; /* "src" */
	struct onednn_span type; /* "f32" */
	struct onednn_span tag;  /* "abcd", "aBcd16b"; empty: not blocked or not known */
	bool library_chose;      /* it was left open, and oneDNN 3 says so */
};

/* Up to the next of `stops`; `*at` moves behind it. */
static struct onednn_span take_until(const char **at, const char *end, const char *stops)
{
	struct onednn_span span = { *at, 0 };

	while (*at < end && !strchr(stops, **at)) {
		(*at)++;
		span.length++;
	}
	*at += *at < end;
	return span;
}

/* "src:f32:a:blocked:abcd::f0" of oneDNN 3, "src_f32::blocked:abcd:f0" of oneDNN 2. */
static struct memory read_memory(struct onednn_span text)
{
	const char *p = text.at, *const end = text.at + text.length;
	struct memory memory = { .name = take_until(&p, end, ":") };
	const char *underscore = memrchr(memory.name.at, '_', memory.name.length);
	struct onednn_span flags;

	/* oneDNN 2 joins name and type; of oneDNN 3's names some have an underscore too ("diff_src"). */
	if (underscore && is_digit(memory.name.at[memory.name.length - 1])) {
		memory.type = (struct onednn_span){ underscore + 1,
						    memory.name.length - (size_t)(underscore + 1 - memory.name.at) };
		memory.name.length = (size_t)(underscore - memory.name.at);
	} else {
		memory.type = take_until(&p, end, ":");
	}
	flags = take_until(&p, end, ":");
	memory.library_chose = flags.length && memchr(flags.at, 'a', flags.length);
	if (onednn_span_is(take_until(&p, end, ":"), "blocked"))
		memory.tag = take_until(&p, end, ":");
	return memory;
}

/* "abc", "abcd", "abcde": no dimension moved, none in blocks. Two are a matrix, which has no places. */
static bool is_plain(struct onednn_span tag)
{
	if (tag.length < 3)
		return false;
	for (size_t i = 0; i < tag.length; i++) {
		if (tag.at[i] != (char)('a' + i))
			return false;
	}
	return true;
}

/* "acb", "acdb", "acdeb". */
static bool is_channels_last(struct onednn_span tag)
{
	if (tag.length < 3 || tag.at[0] != 'a' || tag.at[tag.length - 1] != 'b')
		return false;
	for (size_t i = 1; i + 1 < tag.length; i++) {
		if (tag.at[i] != (char)('b' + i))
			return false;
	}
	return true;
}

/* "aBcd16b": data are blocked in their channels alone, weights in 'a' too, or in groups. */
static bool is_blocked_data(struct onednn_span tag)
{
	return tag.length > 4 && tag.at[0] == 'a' && tag.at[1] == 'B' && is_letter(tag.at[2]);
}

static bool is_of(struct onednn_span kind, const char *const *words)
{
	for (; *words; words++) {
		if (onednn_span_is(kind, *words))
			return true;
	}
	return false;
}

static bool is_reference(struct onednn_span implementation)
{
	return onednn_span_is(implementation, "ref") || onednn_span_begins(implementation, "ref:") ||
	       onednn_span_begins(implementation, "ref_");
}

/* What the descriptors of data and result say together. */
struct data {
	size_t plain, chosen_plain, channels_last, blocked, count;
	bool narrow, single;
};

static struct data read_data(struct onednn_span memories)
{
	static const char *const data_names[] = { "src", "dst", "diff_src", "diff_dst", NULL };
	static const char *const weights_names[] = { "wei", "diff_wei", NULL };
	const char *p = memories.at, *const end = memories.at + memories.length;
	struct data data = { .count = 0 };

	while (p < end) {
		const struct memory memory = read_memory(take_until(&p, end, " "));

		if (is_of(memory.name, weights_names)) {
			data.single = onednn_span_is(memory.type, "f32");
			data.narrow = !data.single && !onednn_span_is(memory.type, "undef");
		}
		if (!is_of(memory.name, data_names))
			continue;
		data.count++;
		data.plain += is_plain(memory.tag);
		data.chosen_plain += is_plain(memory.tag) && memory.library_chose;
		data.channels_last += is_channels_last(memory.tag);
		data.blocked += is_blocked_data(memory.tag);
	}
	return data;
}

unsigned onednn_traits(const struct onednn_line *line)
{
	static const char *const spatial[] = {
		"convolution", "deconvolution",       "pooling", "batch_normalization", "lrn",
		"resampling",  "group_normalization", NULL
	};
	static const char *const weighted[] = { "convolution", "deconvolution", "matmul", "inner_product", NULL };
	const struct onednn_span kind = line->field[ONEDNN_KIND];
	const struct data data = read_data(line->field[ONEDNN_MEMORY]);
	unsigned traits = 0;

	if (is_reference(line->field[ONEDNN_IMPLEMENTATION]))
		traits |= ONEDNN_REFERENCE;
	if (is_of(kind, weighted))
		traits |= data.single ? ONEDNN_SINGLE : data.narrow ? ONEDNN_NARROW : 0;
	if (onednn_span_is(kind, "reorder"))
		return traits | ONEDNN_REORDER |
		       (data.blocked == 1 && data.plain + data.channels_last ? ONEDNN_ACTIVATION : 0);
	if (!is_of(kind, spatial))
		return traits;
	traits |= ONEDNN_SPATIAL;
	if (data.plain)
		traits |= ONEDNN_PLAIN | (data.plain > data.chosen_plain ? ONEDNN_ASKED_PLAIN : 0);
	else if (data.channels_last && data.channels_last == data.count)
		traits |= ONEDNN_CHANNELS_LAST;
	return traits;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn/line.h"

#include "base/cleanup.h"

#include <string.h>

/* More fields than any line of a primitive has; what is behind them is left in the last. */
enum { FIELDS_MAX = 24 };

static const char VERBOSE[] = "_verbose,"; /* how every marker ends */
enum { VERBOSE_LENGTH = sizeof(VERBOSE) - 1 };

const struct onednn_template onednn_template_usual = {
	.at = { 0, 1, 2, 3, 4, 5, 6, 7, 8 },
	.count = ONEDNN_FIELD_COUNT,
};

static const char *const field_names[ONEDNN_FIELD_COUNT] = {
	[ONEDNN_ENGINE] = "engine",
	[ONEDNN_KIND] = "primitive",
	[ONEDNN_IMPLEMENTATION] = "implementation",
	[ONEDNN_PROP] = "prop_kind",
	[ONEDNN_MEMORY] = "memory_descriptors",
	[ONEDNN_ATTRIBUTES] = "attributes",
	[ONEDNN_AUXILIARY] = "auxiliary",
	[ONEDNN_PROBLEM] = "problem_desc",
	[ONEDNN_TIME] = "exec_time",
};

bool onednn_span_is(struct onednn_span span, const char *word)
{
	return span.length == strlen(word) && memcmp(span.at, word, span.length) == 0;
}

bool onednn_span_begins(struct onednn_span span, const char *word)
{
	const size_t length = strlen(word);

	return span.length >= length && memcmp(span.at, word, length) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_name(struct onednn_span span)
{
	for (size_t i = 0; i < span.length; i++) {
		if ((span.at[i] < 'a' || span.at[i] > 'z') && span.at[i] != '_')
			return false;
	}
	return span.length != 0;
}

static struct onednn_span before_colon(struct onednn_span span)
{
	const char *colon = memchr(span.at, ':', span.length);

	return (struct onednn_span){ span.at, colon ? (size_t)(colon - span.at) : span.length };
}

/* Ten to the `exponent`, without the maths library. Beyond what a double holds it is 0 or infinity. */
static double power_of_ten(int exponent)
{
	double power = 1, base = exponent < 0 ? 0.1 : 10;

	for (unsigned n = (unsigned)(exponent < 0 ? -exponent : exponent); n; n >>= 1) {
		if (n & 1)
			power *= base;
		base *= base;
	}
	return power;
}

bool onednn_span_number(struct onednn_span span, double *ret_number)
{
	static const double tenths[] = { 1, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9 };
	const char *p = span.at, *const end = span.at + span.length;
	double number = 0;
	size_t digits = 0, decimals = 0;
	int exponent = 0, sign;

	for (; p < end && is_digit(*p); p++, digits++)
		number = number * 10 + (*p - '0');
	if (p < end && *p == '.') {
		for (p++; p < end && is_digit(*p); p++, digits++, decimals++)
			number = number * 10 + (*p - '0');
	}
	if (!digits || digits > 30)
		return false;
	number *= decimals < ARRAY_SIZE(tenths) ? tenths[decimals] : power_of_ten(-(int)decimals);
	if (p < end && *p == 'e') {
		p++;
		sign = p < end && *p == '-' ? -1 : 1;
		p += p < end && (*p == '-' || *p == '+');
		if (p == end || end - p > 3)
			return false;
		for (; p < end && is_digit(*p); p++)
			exponent = exponent * 10 + (*p - '0');
		number *= power_of_ten(sign * exponent);
	}
	if (p != end || number > 1e15)
		return false;
	*ret_number = number;
	return true;
}

/* How long the marker is that ends before `end` ("_verbose," stands there), or 0. */
static size_t marker_before(const char *text, const char *end)
{
	static const struct {
		const char *name;
		size_t length;
	} markers[] = { { "onednn", 6 }, { "dnnl", 4 } };

	for (size_t i = 0; i < ARRAY_SIZE(markers); i++) {
		if ((size_t)(end - text) >= markers[i].length &&
		    memcmp(end - markers[i].length, markers[i].name, markers[i].length) == 0)
			return markers[i].length;
	}
	return 0;
}

size_t onednn_line_find(const char *text, size_t length)
{
	const char *p = text, *const end = text + length;

	while ((p = memmem(p, (size_t)(end - p), VERBOSE, VERBOSE_LENGTH))) {
		const size_t marker = marker_before(text, p);

		if (marker)
			return (size_t)(p - text) - marker;
		p += VERBOSE_LENGTH;
	}
	return length;
}

/* Does a field end in a marker's name? Then another line begins in it. `ret_at` gets where. */
static bool ends_in_marker(const char *field, const char *comma, const char **ret_at)
{
	const size_t length = (size_t)(comma - field);
	size_t marker;

	if (length < VERBOSE_LENGTH - 1 || memcmp(comma - (VERBOSE_LENGTH - 1), VERBOSE, VERBOSE_LENGTH - 1) != 0)
		return false;
	marker = marker_before(field, comma - (VERBOSE_LENGTH - 1));
	*ret_at = comma - (VERBOSE_LENGTH - 1) - marker;
	return marker != 0;
}

/* Split at commas, `first` being where the first field begins. Returns how many; 0: another line begins at `*ret_next`.
 */
static size_t split(const char *text, size_t length, size_t first, struct onednn_span fields[FIELDS_MAX],
		    size_t *ret_next)
{
	const char *p = text + first, *const end = text + length;
	size_t count = 0;

	*ret_next = length;
	for (;;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		const char *other;

		if (comma && ends_in_marker(p, comma, &other)) {
			*ret_next = (size_t)(other - text);
			return 0;
		}
		if (count < FIELDS_MAX)
			fields[count++] = (struct onednn_span){ p, (size_t)((comma ? comma : end) - p) };
		if (!comma)
			return count;
		p = comma + 1;
	}
}

/* "template:operation,engine,..." or "prim_template:...": where each field is. */
static bool read_template(const struct onednn_span *fields, size_t count, struct onednn_template *ret_template)
{
	struct onednn_template template = { .count = 0 };
	unsigned seen = 0;
	size_t operation = 0;

	/* "template:operation" or "template:timestamp,operation" */
	while (operation < count && !onednn_span_is(fields[operation], "operation") &&
	       !(fields[operation].length >= 10 &&
		 memcmp(fields[operation].at + fields[operation].length - 10, ":operation", 10) == 0))
		operation++;
	for (size_t i = operation + 1; i < count; i++) {
		for (size_t f = 0; f < ONEDNN_FIELD_COUNT; f++) {
			if (onednn_span_is(fields[i], field_names[f])) {
				template.at[f] = (unsigned char)(i - operation - 1);
				seen |= 1U << f;
			}
		}
	}
	if (seen != (1U << ONEDNN_FIELD_COUNT) - 1)
		return false;
	template.count = (unsigned char)(count - operation - 1);
	*ret_template = template;
	return true;
}

static void read_info(const struct onednn_span *fields, size_t count, const char *end, struct onednn_line *line)
{
	static const struct {
		const char *begins;
		enum onednn_line_type type;
	} infos[] = { { "isa:", ONEDNN_LINE_ISA }, { "runtime:", ONEDNN_LINE_RUNTIME } };

	line->type = ONEDNN_LINE_OTHER;
	if (count && (onednn_span_begins(fields[0], "oneDNN v") || onednn_span_begins(fields[0], "DNNL v"))) {
		line->type = ONEDNN_LINE_VERSION;
		line->words = fields[0];
		return;
	}
	if (count && (onednn_span_begins(fields[0], "template:") || onednn_span_begins(fields[0], "prim_template:"))) {
		if (read_template(fields, count, &line->template))
			line->type = ONEDNN_LINE_TEMPLATE;
		return;
	}
	for (size_t i = 0; count > 1 && onednn_span_is(fields[0], "cpu") && i < ARRAY_SIZE(infos); i++) {
		const size_t length = strlen(infos[i].begins);

		if (onednn_span_begins(fields[1], infos[i].begins)) {
			line->type = infos[i].type; /* the rest of the line: an instruction set may hold commas */
			line->words =
				(struct onednn_span){ fields[1].at + length, (size_t)(end - fields[1].at) - length };
		}
	}
}

/* ":cache_hit" and its like. What only spares a part of the work is a miss of the primitive cache. */
static enum onednn_cached cached_of(struct onednn_span said)
{
	static const struct {
		const char *word;
		enum onednn_cached cached;
	} words[] = {
		{ ":cache_hit", ONEDNN_CACHED_HIT },
		{ ":cache_miss", ONEDNN_CACHED_MISS },
		{ ":kernel_cache_hit", ONEDNN_CACHED_MISS },
		{ ":persistent_cache_hit", ONEDNN_CACHED_MISS },
		{ ":nested_primitive_cache_hit", ONEDNN_CACHED_MISS },
		{ ":from_cache_blob", ONEDNN_CACHED_MISS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (onednn_span_is(said, words[i].word))
			return words[i].cached;
	}
	return ONEDNN_CACHED_UNSAID;
}

/* "exec", "create:cache_hit", "create_nested:cache_miss". Others ("create:dispatch") are not about a primitive made. */
static enum onednn_line_type operation_of(struct onednn_span word, struct onednn_line *line)
{
	static const char *const notes[] = { ":dispatch", ":check", ":error", ":warning" };

	if (onednn_span_is(word, "exec"))
		return ONEDNN_LINE_EXEC;
	if (!onednn_span_begins(word, "create"))
		return ONEDNN_LINE_OTHER;
	word.at += 6;
	word.length -= 6;
	if (onednn_span_begins(word, "_nested")) {
		line->nested = true;
		word.at += 7;
		word.length -= 7;
	}
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		if (onednn_span_is(word, notes[i]))
			return ONEDNN_LINE_OTHER;
	}
	if (word.length && word.at[0] != ':')
		return ONEDNN_LINE_OTHER;
	line->cached = cached_of(word);
	return ONEDNN_LINE_CREATE;
}

/* oneDNN 2 says which form of a descriptor it was given: "pooling_v2", "softmax_v2". The primitive is the same. */
static struct onednn_span without_version(struct onednn_span kind)
{
	static const char version[] = "_v2";
	const size_t length = sizeof(version) - 1;

	if (kind.length > length && memcmp(kind.at + kind.length - length, version, length) == 0)
		kind.length -= length;
	return kind;
}

/* The fields of a creation or an execution. False: the line is not whole. */
static bool read_fields(const struct onednn_span *fields, size_t count, const struct onednn_template *template,
			struct onednn_line *line)
{
	const struct onednn_span *last;

	if (count != template->count)
		return false;
	for (size_t f = 0; f < ONEDNN_FIELD_COUNT; f++)
		line->field[f] = fields[template->at[f]];
	line->field[ONEDNN_KIND] = without_version(line->field[ONEDNN_KIND]);
	if (!is_name(line->field[ONEDNN_KIND]) || !line->field[ONEDNN_IMPLEMENTATION].length ||
	    (!onednn_span_begins(line->field[ONEDNN_ENGINE], "cpu") &&
	     !onednn_span_begins(line->field[ONEDNN_ENGINE], "gpu")) ||
	    !onednn_span_number(line->field[ONEDNN_TIME], &line->ms))
		return false;
	/* The time stands last in every version; a template that puts it elsewhere leaves the whole line as the key. */
	last = &fields[template->at[ONEDNN_TIME] == count - 1 ? count - 2 : count - 1];
	line->key = (struct onednn_span){ fields[0].at, (size_t)(last->at + last->length - fields[0].at) };
	return true;
}

void onednn_line_parse(const char *text, size_t length, const struct onednn_template *template,
		       struct onednn_line *ret_line, size_t *ret_next)
{
	struct onednn_span fields[FIELDS_MAX];
	const size_t marker = (text[0] == 'o' ? 6 : 4) + VERBOSE_LENGTH;
	const size_t count = split(text, length, marker, fields, ret_next);
	size_t i = 0;

	*ret_line = (struct onednn_line){ .type = ONEDNN_LINE_CUT };
	if (!count)
		return;
	if (fields[i].length > 1 && fields[i].at[0] == 'v' && is_digit(fields[i].at[1]))
		i++; /* of the format: v1 */
	if (i < count && fields[i].length && is_digit(fields[i].at[0]))
		i++; /* a timestamp */
	if (i < count && onednn_span_is(fields[i], "primitive"))
		i++;
	if (i >= count)
		return;
	if (onednn_span_is(fields[i], "info")) {
		read_info(&fields[i + 1], count - i - 1, text + length, ret_line);
	} else if (is_name(before_colon(fields[i])) && count - i > 1) {
		ret_line->type = operation_of(fields[i], ret_line);
		if ((ret_line->type == ONEDNN_LINE_CREATE || ret_line->type == ONEDNN_LINE_EXEC) &&
		    !read_fields(&fields[i + 1], count - i - 1, template, ret_line))
			ret_line->type = ONEDNN_LINE_CUT;
	}
}

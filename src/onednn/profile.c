/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn/profile.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"

#include <stdio.h>
#include <string.h>

/* A stream of nonsense must not make rows without end. */
enum { ROWS_MAX = 4096 };

static char *copy_of(struct onednn_span span)
{
	return strndup(span.at, span.length);
}

static bool is_same(const char *text, struct onednn_span span)
{
	return strlen(text) == span.length && memcmp(text, span.at, span.length) == 0;
}

/* The row of this kind and implementation. SIZE_MAX: memory ran out. Asked once a primitive. */
static size_t find_row(struct onednn_profile *profile, struct onednn_span kind, struct onednn_span implementation)
{
	struct onednn_row row = { .kind = NULL }, *grown;

	for (size_t i = 0; i < profile->row_count; i++) {
		if (is_same(profile->rows[i].kind, kind) && is_same(profile->rows[i].implementation, implementation))
			return i;
	}
	if (profile->row_count == ROWS_MAX - 1)
		kind = implementation = (struct onednn_span){ "other", 5 };
	else if (profile->row_count == ROWS_MAX)
		return ROWS_MAX - 1;
	grown = array_grow(profile->rows, &profile->row_capacity, profile->row_count, sizeof(row));
	if (!grown)
		return SIZE_MAX;
	profile->rows = grown;
	row.kind = copy_of(kind);
	row.implementation = copy_of(implementation);
	if (!row.kind || !row.implementation) {
		free(row.kind);
		free(row.implementation);
		return SIZE_MAX;
	}
	profile->rows[profile->row_count] = row;
	return profile->row_count++;
}

/* The primitive of this line. SIZE_MAX: memory ran out. */
static size_t find_primitive(struct onednn_profile *profile, const struct onednn_line *line)
{
	struct onednn_primitives *primitives = &profile->primitives;
	struct onednn_primitive *primitive;
	size_t index, row;
	bool fresh;

	if (primitives->count == ONEDNN_PRIMITIVES_MAX) {
		if (onednn_cache_make_room(&profile->cache, primitives) < 0)
			return SIZE_MAX;
		profile->forgotten += ONEDNN_PRIMITIVES_MAX - primitives->count;
	}
	index = onednn_primitives_find(primitives, line->key, &fresh);
	if (index == SIZE_MAX || !fresh)
		return index;
	row = find_row(profile, line->field[ONEDNN_KIND], line->field[ONEDNN_IMPLEMENTATION]);
	if (row == SIZE_MAX)
		return SIZE_MAX;
	primitive = &primitives->items[index];
	primitive->row = (uint32_t)row;
	primitive->flags = onednn_traits(line);
	primitive->flop = onednn_flop(line);
	profile->rows[row].reference |= (primitive->flags & ONEDNN_REFERENCE) != 0;
	return index;
}

static void add_execution(struct onednn_profile *profile, struct onednn_primitive *primitive, double ms)
{
	struct onednn_row *row = &profile->rows[primitive->row];
	struct onednn_times *times = &profile->times;
	const struct {
		unsigned trait;
		double *sum;
	} sums[] = {
		{ ONEDNN_REORDER, &times->reorder },
		{ ONEDNN_ACTIVATION, &times->activation_reorder },
		{ ONEDNN_REFERENCE, &times->reference },
		{ ONEDNN_SPATIAL, &times->spatial },
		{ ONEDNN_PLAIN, &times->plain },
		{ ONEDNN_ASKED_PLAIN, &times->asked_plain },
		{ ONEDNN_CHANNELS_LAST, &times->channels_last },
		{ ONEDNN_SINGLE, &times->single },
		{ ONEDNN_NARROW, &times->narrow },
	};

	profile->executions++;
	times->all += ms;
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		if (primitive->flags & sums[i].trait)
			*sums[i].sum += ms;
	}
	primitive->calls++;
	primitive->exec_ms += ms;
	row->calls++;
	row->ms += ms;
	if (primitive->flop > 0) {
		row->flop += primitive->flop;
		row->flop_ms += ms;
	}
}

/*
 * A deconvolution is computed by a convolution that it makes for itself when it is made (not so those with kernels of
 * their own), and which then takes room in the cache. oneDNN 2 never prints it, oneDNN 3 with debuginfo=1 only, in
 * front of the deconvolution: stand in for it where nothing nested was seen.
 */
static bool hides_nested(const struct onednn_profile *profile, const struct onednn_line *line)
{
	const struct onednn_span implementation = line->field[ONEDNN_IMPLEMENTATION];

	return !profile->nested_shown && !line->nested && line->cached == ONEDNN_CACHED_MISS &&
	       onednn_span_is(line->field[ONEDNN_KIND], "deconvolution") &&
	       !memmem(implementation.at, implementation.length, "deconv", 6) &&
	       !onednn_span_begins(implementation, "brg");
}

static bool add_hidden(struct onednn_profile *profile, const struct onednn_line *line)
{
	struct onednn_line hidden = *line;
	char key[1024];
	const int length = snprintf(key, sizeof(key), "nested,%.*s", (int)line->key.length, line->key.at);
	size_t index;

	if (length < 0 || (size_t)length >= sizeof(key))
		return true;
	hidden.nested = true;
	hidden.key = (struct onednn_span){ key, (size_t)length };
	index = find_primitive(profile, &hidden);
	if (index == SIZE_MAX)
		return false;
	onednn_cache_ask(&profile->cache, &profile->primitives, index, &hidden);
	return true;
}

static void add_creation(struct onednn_profile *profile, size_t index, const struct onednn_line *line)
{
	struct onednn_primitive *primitive = &profile->primitives.items[index];
	struct onednn_row *row = &profile->rows[primitive->row];

	if (!primitive->creations++) {
		profile->distinct++;
		row->distinct++;
	}
	profile->nested_shown |= line->nested;
	if (!line->nested) { /* its time is in that of the primitive it is made for */
		profile->creations++;
		profile->create_ms += line->ms;
		row->creations++;
		row->create_ms += line->ms;
	}
	onednn_cache_ask(&profile->cache, &profile->primitives, index, line);
	profile->failed |= profile->cache.failed;
}

/* What the first process says of itself stays. */
static void remember(char **text, const struct onednn_line *line)
{
	if (!*text)
		*text = copy_of(line->words);
}

static void take_line(const struct onednn_line *line, void *context)
{
	struct onednn_profile *profile = context;
	size_t index;

	switch (line->type) {
	case ONEDNN_LINE_VERSION:
		profile->streams++;
		onednn_cache_restart(&profile->cache);
		remember(&profile->version, line);
		return;
	case ONEDNN_LINE_ISA:
		remember(&profile->isa, line);
		return;
	case ONEDNN_LINE_RUNTIME:
		remember(&profile->runtime, line);
		return;
	case ONEDNN_LINE_CREATE:
	case ONEDNN_LINE_EXEC:
		break;
	default:
		return;
	}
	if (profile->failed)
		return;
	index = find_primitive(profile, line);
	if (index == SIZE_MAX)
		profile->failed = true;
	else if (line->type == ONEDNN_LINE_EXEC)
		add_execution(profile, &profile->primitives.items[index], line->ms);
	else
		add_creation(profile, index, line);
	if (line->type == ONEDNN_LINE_CREATE && hides_nested(profile, line))
		profile->failed |= !add_hidden(profile, line);
}

struct onednn_profile *onednn_profile_new(void)
{
	struct onednn_profile *profile = calloc(1, sizeof(*profile));

	if (profile)
		onednn_stream_init(&profile->stream, take_line, profile);
	return profile;
}

void onednn_profile_feed(struct onednn_profile *profile, const char *bytes, size_t length)
{
	onednn_stream_feed(&profile->stream, bytes, length);
}

/* The longest first; among equals by name, so that the same stream gives the same text. */
static int compare_rows(const void *a, const void *b)
{
	const struct onednn_row *x = a, *y = b;
	int order;

	if (x->ms != y->ms)
		return x->ms < y->ms ? 1 : -1;
	order = strcmp(x->kind, y->kind);
	return order ? order : strcmp(x->implementation, y->implementation);
}

/* Sort the rows, and tell the primitives where theirs went. */
static int sort_rows(struct onednn_profile *profile)
{
	cleanup_free uint32_t *moved = calloc(profile->row_count + 1, sizeof(*moved));

	if (!moved)
		return -ENOMEM;
	for (size_t i = 0; i < profile->row_count; i++)
		profile->rows[i].number = (uint32_t)i;
	if (profile->row_count)
		qsort(profile->rows, profile->row_count, sizeof(*profile->rows), compare_rows);
	for (size_t i = 0; i < profile->row_count; i++)
		moved[profile->rows[i].number] = (uint32_t)i;
	for (size_t i = 0; i < profile->primitives.count; i++)
		profile->primitives.items[i].row = moved[profile->primitives.items[i].row];
	return 0;
}

/* A primitive that runs more often than it is asked for was kept by whoever runs it. */
static void count_kept(struct onednn_profile *profile)
{
	for (size_t i = 0; profile->creations && i < profile->primitives.count; i++) {
		const struct onednn_primitive *primitive = &profile->primitives.items[i];

		if (primitive->calls > primitive->creations)
			profile->kept += primitive->calls - primitive->creations;
	}
}

void onednn_profile_next(struct onednn_profile *profile)
{
	onednn_stream_end(&profile->stream);
	/* Its beginning is not in it. */
	if (profile->stream.lines > profile->lines_before && profile->streams == profile->streams_before)
		profile->streams++;
	profile->streams_before = profile->streams;
	profile->lines_before = profile->stream.lines;
	onednn_cache_restart(&profile->cache);
}

int onednn_profile_end(struct onednn_profile *profile, struct err *err)
{
	onednn_profile_next(profile);
	if (profile->failed)
		return err_nomem(err);
	if (sort_rows(profile) < 0)
		return err_nomem(err);
	count_kept(profile);
	return 0;
}

/* Keep the `count` longest so far sorted, the longest first. */
size_t onednn_profile_longest(const struct onednn_profile *profile, unsigned traits, size_t count, size_t *ret_longest)
{
	const struct onednn_primitive *items = profile->primitives.items;
	size_t found = 0;

	for (size_t i = 0; count && i < profile->primitives.count; i++) {
		size_t at = found < count ? found : count;

		if (!items[i].calls || !items[i].text || (traits && !(items[i].flags & traits)))
			continue;
		while (at && items[ret_longest[at - 1]].exec_ms < items[i].exec_ms)
			at--;
		if (at == count)
			continue;
		found += found < count;
		memmove(&ret_longest[at + 1], &ret_longest[at], (found - at - 1) * sizeof(*ret_longest));
		ret_longest[at] = i;
	}
	return found;
}

struct onednn_span onednn_profile_problem(const struct onednn_profile *profile,
					  const struct onednn_primitive *primitive)
{
	const struct onednn_span key = onednn_primitive_key(&profile->primitives, primitive);
	const char *comma = key.length ? memrchr(key.at, ',', key.length) : NULL;

	if (!comma)
		return key;
	return (struct onednn_span){ comma + 1, key.length - (size_t)(comma + 1 - key.at) };
}

double onednn_share(const struct onednn_profile *profile, double ms)
{
	return profile->times.all > 0 ? ms / profile->times.all : 0;
}

void onednn_profile_free(struct onednn_profile *profile)
{
	if (!profile)
		return;
	for (size_t i = 0; i < profile->row_count; i++) {
		free(profile->rows[i].kind);
		free(profile->rows[i].implementation);
	}
	free(profile->rows);
	free(profile->version);
	free(profile->isa);
	free(profile->runtime);
	onednn_primitives_clear(&profile->primitives);
	onednn_cache_clear(&profile->cache);
	free(profile);
}

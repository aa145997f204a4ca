/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn/stream.h"

#include <string.h>

void onednn_stream_init(struct onednn_stream *stream, void (*line)(const struct onednn_line *line, void *context),
			void *context)
{
	memset(stream, 0, offsetof(struct onednn_stream, carry));
	stream->line = line;
	stream->context = context;
	stream->template = onednn_template_usual;
}

/* From one marker to the next, or to the line's end. Returns its length. */
static size_t take_part(struct onednn_stream *stream, const char *text, size_t length)
{
	struct onednn_line line;
	size_t next;

	stream->marker_seen = true;
	onednn_line_parse(text, length, &stream->template, &line, &next);
	if (line.type == ONEDNN_LINE_CUT || next > ONEDNN_LINE_MAX) {
		stream->cut_lines++;
		return next;
	}
	stream->lines++;
	if (line.type == ONEDNN_LINE_VERSION)
		stream->template = onednn_template_usual;
	else if (line.type == ONEDNN_LINE_TEMPLATE)
		stream->template = line.template;
	stream->line(&line, stream->context);
	return next;
}

static void end_line(struct onednn_stream *stream)
{
	if (stream->words_seen || !stream->marker_seen)
		stream->other_lines++;
	stream->words_seen = stream->marker_seen = false;
	stream->kept = 0;
}

/* A line, or what is left of it, with its line end cut off. */
static void take_line(struct onednn_stream *stream, const char *text, size_t length)
{
	size_t at;

	if (length && text[length - 1] == '\r')
		length--;
	at = onednn_line_find(text, length);
	stream->words_seen |= at && !stream->marker_seen;
	while (at < length)
		at += take_part(stream, text + at, length - at);
	end_line(stream);
}

/* The carry is full and the line goes on: keep what may still become something. */
static void make_room(struct onednn_stream *stream)
{
	size_t at = onednn_line_find(stream->carry, stream->kept);

	stream->words_seen |= at && !stream->marker_seen;
	while (at < stream->kept) {
		struct onednn_line line;
		size_t next;

		if (stream->kept - at <= ONEDNN_LINE_MAX)
			break; /* may yet be whole */
		onednn_line_parse(stream->carry + at, stream->kept - at, &stream->template, &line, &next);
		stream->marker_seen = true;
		stream->cut_lines++; /* another begins in it, or it is too long */
		at += next;
	}
	/* A marker may have begun: its last byte is still to come. */
	if (at == stream->kept)
		at -= stream->kept < ONEDNN_MARKER_MAX - 1 ? stream->kept : ONEDNN_MARKER_MAX - 1;
	memmove(stream->carry, stream->carry + at, stream->kept - at);
	stream->kept -= at;
}

/* Keep the bytes of a line that is not at its end. */
static void keep(struct onednn_stream *stream, const char *bytes, size_t length)
{
	while (length) {
		const size_t room = sizeof(stream->carry) - stream->kept;
		const size_t part = length < room ? length : room;

		memcpy(stream->carry + stream->kept, bytes, part);
		stream->kept += part;
		bytes += part;
		length -= part;
		if (stream->kept == sizeof(stream->carry))
			make_room(stream);
	}
}

void onednn_stream_feed(struct onednn_stream *stream, const char *bytes, size_t length)
{
	const char *const end = bytes + length;

	while (bytes < end) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));

		if (!newline) {
			keep(stream, bytes, (size_t)(end - bytes));
			return;
		}
		if (stream->kept || stream->marker_seen || stream->words_seen) {
			keep(stream, bytes, (size_t)(newline - bytes));
			take_line(stream, stream->carry, stream->kept);
		} else {
			take_line(stream, bytes, (size_t)(newline - bytes));
		}
		bytes = newline + 1;
	}
}

void onednn_stream_end(struct onednn_stream *stream)
{
	if (stream->kept || stream->marker_seen || stream->words_seen)
		take_line(stream, stream->carry, stream->kept);
}

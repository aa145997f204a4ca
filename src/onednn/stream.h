/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds oneDNN's lines in a stream of bytes, however it is cut into pieces: between a program's own lines, behind
 * words that a program left without a line end, one in another where two writers got mixed. Memory is constant.
 * Pure: the bytes are handed in.
 */
#pragma once

#include "onednn/line.h"

#include <stdint.h>

/* A line of oneDNN's is a few hundred bytes; longer than this is none. */
enum { ONEDNN_LINE_MAX = 32 << 10, ONEDNN_MARKER_MAX = 15 };

struct onednn_stream {
	void (*line)(const struct onednn_line *line, void *context); /* told of every line but those that are cut */
	void *context;
	struct onednn_template template;

	uint64_t lines;       /* of oneDNN, whole */
	uint64_t cut_lines;   /* of oneDNN, not whole */
	uint64_t other_lines; /* the program's, or with something of the program's in front */

	bool marker_seen, words_seen; /* in the line that is being read: a marker; something before the first one */
	size_t kept;                  /* bytes of it in `carry` */
	char carry[ONEDNN_LINE_MAX + ONEDNN_MARKER_MAX];
};

/* Begin. `line` is called from onednn_stream_feed() and _end(); what it is given lives for the call alone. */
void onednn_stream_init(struct onednn_stream *stream, void (*line)(const struct onednn_line *line, void *context),
			void *context);

/* The next bytes. */
void onednn_stream_feed(struct onednn_stream *stream, const char *bytes, size_t length);

/* There are no more: a last line without a line end counts as well. */
void onednn_stream_end(struct onednn_stream *stream);

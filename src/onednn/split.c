/* SPDX-License-Identifier: Apache-2.0 */
#include "onednn/split.h"

#include "base/cleanup.h"

#include <string.h>

void onednn_split_init(struct onednn_split *split, onednn_take *theirs, onednn_take *ours, void *context)
{
	split->theirs = theirs;
	split->ours = ours;
	split->context = context;
	split->template = onednn_template_usual;
	split->held = 0;
}

static void give(const struct onednn_split *split, onednn_take *take, const char *bytes, size_t length)
{
	if (length)
		take(bytes, length, split->context);
}

/* How many of the last bytes may be the beginning of a marker. */
static size_t beginning(const char *bytes, size_t length)
{
	static const char *const markers[] = { "onednn_verbose,", "dnnl_verbose," };
	size_t most = 0;

	for (size_t i = 0; i < ARRAY_SIZE(markers); i++) {
		size_t n = strlen(markers[i]) - 1;

		for (n = n < length ? n : length; n > most; n--) {
			if (memcmp(bytes + length - n, markers[i], n) == 0)
				most = n;
		}
	}
	return most;
}

/* A line that begins with a marker, `whole` with its line end. Returns how much of it was dealt with. */
static size_t decide(struct onednn_split *split, const char *line, size_t whole)
{
	struct onednn_line parsed;
	size_t length = whole, next;

	length -= length && line[length - 1] == '\n';
	length -= length && line[length - 1] == '\r';
	onednn_line_parse(line, length, &split->template, &parsed, &next);
	if (next < length) { /* another begins in it */
		give(split, split->theirs, line, next);
		return next;
	}
	if (parsed.type == ONEDNN_LINE_VERSION)
		split->template = onednn_template_usual;
	else if (parsed.type == ONEDNN_LINE_TEMPLATE)
		split->template = parsed.template;
	give(split, parsed.type == ONEDNN_LINE_CUT ? split->theirs : split->ours, line, whole);
	return whole;
}

/* Deal with the buffer's bytes; what may become a line moves to its front. */
static void work(struct onednn_split *split)
{
	const char *p = split->buffer, *const end = split->buffer + split->held;

	while (p < end) {
		const size_t left = (size_t)(end - p), at = onednn_line_find(p, left);
		const char *newline;

		if (at == left) {
			const size_t kept = beginning(p, left);

			give(split, split->theirs, p, left - kept);
			p = end - kept;
			break;
		}
		give(split, split->theirs, p, at);
		p += at;
		newline = memchr(p, '\n', (size_t)(end - p));
		if (newline) {
			p += decide(split, p, (size_t)(newline - p) + 1);
		} else if (p == split->buffer && split->held == sizeof(split->buffer)) {
			give(split, split->theirs, p, split->held); /* too long for one of oneDNN's */
			p = end;
		} else {
			break;
		}
	}
	split->held = (size_t)(end - p);
	memmove(split->buffer, p, split->held);
}

bool onednn_split_feed(struct onednn_split *split, const char *bytes, size_t length)
{
	while (length) {
		const size_t room = sizeof(split->buffer) - split->held, part = length < room ? length : room;

		memcpy(split->buffer + split->held, bytes, part);
		split->held += part;
		bytes += part;
		length -= part;
		work(split);
	}
	return split->held != 0;
}

void onednn_split_release(struct onednn_split *split)
{
	size_t done = 0;

	while (done < split->held) {
		const size_t left = split->held - done;

		if (onednn_line_find(split->buffer + done, left) == 0) {
			done += decide(split, split->buffer + done, left);
		} else {
			give(split, split->theirs, split->buffer + done, left);
			break;
		}
	}
	split->held = 0;
}

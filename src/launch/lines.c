/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/lines.h"

#include <errno.h>
#include <string.h>

static void hand_over(struct lines *lines, bool ended, lines_take *take, void *to)
{
	take(to, lines->rest.length ? lines->rest.data : "", lines->rest.length, ended);
	lines->rest.length = 0;
}

static int keep(struct lines *lines, const char *bytes, size_t length, lines_take *take, void *to)
{
	while (length) {
		const size_t room = LINES_MAX - lines->rest.length, n = length < room ? length : room;

		if (!room) {
			hand_over(lines, false, take, to);
			continue;
		}
		text_add_bytes(&lines->rest, bytes, n);
		if (lines->rest.failed) {
			text_clear(&lines->rest);
			return -ENOMEM;
		}
		bytes += n;
		length -= n;
	}
	return 0;
}

int lines_add(struct lines *lines, const char *bytes, size_t length, lines_take *take, void *to)
{
	int r = 0;

	while (length && r == 0) {
		const char *newline = memchr(bytes, '\n', length);
		const size_t n = newline ? (size_t)(newline - bytes) : length;

		if (newline && !lines->rest.length && n <= LINES_MAX) {
			take(to, bytes, n, true);
		} else {
			r = keep(lines, bytes, n, take, to);
			if (newline && r == 0)
				hand_over(lines, true, take, to);
		}
		bytes += n + !!newline;
		length -= n + !!newline;
	}
	return r;
}

void lines_finish(struct lines *lines, lines_take *take, void *to)
{
	if (lines->rest.length)
		hand_over(lines, false, take, to);
}

void lines_clear(struct lines *lines)
{
	text_clear(&lines->rest);
}

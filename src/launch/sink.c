/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/sink.h"

#include "base/cleanup.h"
#include "launch/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

void sink_init(struct sink *sink, int fd)
{
	char name[32];
	struct stat st;

	*sink = (struct sink){ .fd = fd, .own_fd = -1, .terminal = isatty(fd) == 1 };
	if (fstat(fd, &st) < 0 || (!S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode)))
		return; /* a file never makes us wait; a socket cannot be opened anew */
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	sink->own_fd = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (sink->own_fd >= 0)
		sink->own_fd = child_fd_above_stdio(sink->own_fd);
}

void sink_clear(struct sink *sink)
{
	if (sink->own_fd >= 0)
		(void)close(sink->own_fd);
	text_clear(&sink->queue);
	*sink = (struct sink){ .fd = -1, .own_fd = -1 };
}

int sink_fd(const struct sink *sink)
{
	return sink->own_fd >= 0 ? sink->own_fd : sink->fd;
}

void sink_add(struct sink *sink, const char *bytes, size_t length)
{
	if (sink->error)
		return;
	if (sink->written > SINK_FULL) { /* never empty, it would only grow */
		sink->queue.length -= sink->written;
		memmove(sink->queue.data, sink->queue.data + sink->written, sink->queue.length);
		sink->written = 0;
	}
	text_add_bytes(&sink->queue, bytes, length);
	if (sink->queue.failed)
		sink->error = -ENOMEM;
}

/* How much may be written now: all, where the descriptor does not block; else what a pipe that says it has room takes.
 */
static size_t room_for(const struct sink *sink, size_t length)
{
	struct pollfd ready = { .fd = sink->fd, .events = POLLOUT };

	if (sink->own_fd >= 0)
		return length;
	if (poll(&ready, 1, 0) != 1)
		return 0;
	return length < PIPE_BUF ? length : PIPE_BUF;
}

void sink_flush(struct sink *sink)
{
	size_t waiting, room;

	while (!sink->error && (waiting = sink_waiting(sink)) > 0 && (room = room_for(sink, waiting)) > 0) {
		const ssize_t n = write(sink_fd(sink), sink->queue.data + sink->written, room);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0 && errno != EINTR)
			sink->error = -errno;
		sink->written += n > 0 ? (size_t)n : 0;
	}
	if (sink->error || !sink_waiting(sink)) {
		sink->queue.length = 0;
		sink->written = 0;
	}
}

size_t sink_waiting(const struct sink *sink)
{
	return sink->queue.length - sink->written;
}

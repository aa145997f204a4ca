/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/supervisor.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "launch/collect.h"
#include "plan/plan.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

enum { CHUNK_BYTES = 64 * 1024 };

static const struct launch_output none;

static const struct launch_output *output_of(const struct supervisor *s)
{
	return s->orders->output ? s->orders->output : &none;
}

static int make_prefixes(struct supervisor *s)
{
	const struct launch_output *output = output_of(s);

	s->streams.prefixes = calloc(2 * s->count, sizeof(*s->streams.prefixes));
	if (!s->streams.prefixes)
		return -ENOMEM;
	for (size_t i = 0; i < 2 * s->count; i++) {
		const char *prefix = output->log_fds ? NULL : output->prefix[i % 2];
		struct text text = TEXT_INIT;

		if (!prefix)
			continue;
		text_add(&text, "[%s%s%u] ", prefix, *prefix ? "." : "", s->children[i / 2].instance->index);
		s->streams.prefixes[i] = text_take(&text);
		if (!s->streams.prefixes[i])
			return -ENOMEM;
	}
	return 0;
}

int streams_prepare(struct supervisor *s, struct err *err)
{
	const struct launch_output *output = output_of(s);
	struct streams *streams = &s->streams;

	streams->std[0].fd = streams->std[0].own_fd = streams->std[1].fd = streams->std[1].own_fd = -1;
	if (!output->through[0] && !output->through[1])
		return 0;
	streams->items = calloc(2 * s->count, sizeof(*streams->items));
	streams->chunk = malloc(CHUNK_BYTES);
	if (output->log_fds)
		streams->logs = calloc(s->count, sizeof(*streams->logs));
	if (!streams->items || !streams->chunk || (output->log_fds && !streams->logs))
		return err_nomem(err);
	for (size_t i = 0; i < 2 * s->count; i++)
		streams->items[i] = (struct stream){
			.supervisor = s,
			.child = i / 2,
			.which = (int)(i % 2),
			.fd = -1,
			.sink = streams->logs ? &streams->logs[i / 2] : &streams->std[i % 2],
		};
	for (size_t i = 0; output->log_fds && i < s->count; i++)
		sink_init(&streams->logs[i], output->log_fds[i]);
	for (int which = 0; !streams->logs && which < 2; which++) {
		if (output->through[which])
			sink_init(&streams->std[which], which ? STDERR_FILENO : STDOUT_FILENO);
	}
	return make_prefixes(s) < 0 ? err_nomem(err) : 0;
}

void streams_clear(struct supervisor *s)
{
	struct streams *streams = &s->streams;

	for (size_t i = 0; i < 2 * s->count; i++) {
		if (streams->items) {
			lines_clear(&streams->items[i].lines);
			if (streams->items[i].fd >= 0)
				(void)close(streams->items[i].fd);
		}
		if (streams->prefixes)
			free(streams->prefixes[i]);
		if (streams->logs)
			sink_clear(&streams->logs[i / 2]);
	}
	for (int which = 0; streams->items && which < 2; which++)
		sink_clear(&streams->std[which]);
	free(streams->items);
	free(streams->prefixes);
	free(streams->logs);
	free(streams->chunk);
}

static void take_line(void *to, const char *line, size_t length, bool ended)
{
	const struct stream *stream = to;
	struct supervisor *s = stream->supervisor;
	const char *prefix = s->streams.prefixes[2 * stream->child + (size_t)stream->which];
	const struct launch_output *output = output_of(s);
	struct launch_end *end = &s->ends[stream->child];
	double number;

	if (output->collect && collect_number(output->collect, line, length, &number)) {
		end->collected = true;
		end->number = number;
	}
	if (prefix)
		sink_add(stream->sink, prefix, strlen(prefix));
	sink_add(stream->sink, line, length);
	if (ended || prefix)
		sink_add(stream->sink, "\n", 1);
}

static void watch(struct supervisor *s, int operation, int fd, unsigned events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	(void)epoll_ctl(s->epoll_fd, operation, fd, &event);
}

static void watch_stream(struct supervisor *s, struct stream *stream, bool on)
{
	watch(s, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, stream->fd, EPOLLIN,
	      SOURCE_STREAM + (uint64_t)(stream - s->streams.items));
	stream->paused = !on;
}

/* Bytes on their way to where they go. */
static void pass(const char *bytes, size_t length, void *to)
{
	struct stream *stream = to;

	if (lines_add(&stream->lines, bytes, length, take_line, stream) < 0 && !stream->sink->error)
		stream->sink->error = -ENOMEM;
}

static const struct launch_tap *tap_of(const struct stream *stream)
{
	return stream->which == 0 ? output_of(stream->supervisor)->tap : NULL;
}

static void close_stream(struct stream *stream)
{
	const struct launch_tap *tap = tap_of(stream);

	if (stream->fd < 0)
		return;
	if (!stream->paused)
		watch_stream(stream->supervisor, stream, false);
	(void)close(stream->fd);
	stream->fd = -1;
	if (tap)
		tap->end(stream->child, pass, stream, tap->context);
	lines_finish(&stream->lines, take_line, stream);
}

/* The number that epoll knows a sink by. */
static size_t index_of_sink(const struct supervisor *s, const struct sink *sink)
{
	return (size_t)(s->streams.logs ? sink - s->streams.logs : sink - s->streams.std);
}

static void note_error(struct supervisor *s, struct sink *sink)
{
	bool *told = &s->streams.lost_told[s->streams.logs ? 0 : index_of_sink(s, sink)];

	/* Nobody reads: a child that writes is to hear of it as it would from the pipe itself. */
	for (size_t i = 0; sink->error == -EPIPE && i < 2 * s->count; i++) {
		if (s->streams.items[i].sink == sink)
			close_stream(&s->streams.items[i]);
	}
	if (*told || sink->error == -EPIPE)
		return;
	*told = true;
	supervisor_tell(s, (struct launch_event){ .kind = LAUNCH_OUTPUT_LOST, .error = sink->error });
}

/* Write what goes; wait for room, or read on, as it went. */
static void flush(struct supervisor *s, struct sink *sink)
{
	bool wait;

	if (sink->terminal && sink_waiting(sink))
		supervisor_tell(s, (struct launch_event){ .kind = LAUNCH_WRITES });
	sink_flush(sink);
	if (sink->error)
		note_error(s, sink);
	wait = sink_waiting(sink) > 0;
	if (wait != sink->watched)
		watch(s, wait ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, sink_fd(sink), EPOLLOUT,
		      SOURCE_SINK + index_of_sink(s, sink));
	sink->watched = wait;
	for (size_t i = 0; i < 2 * s->count; i++) {
		struct stream *stream = &s->streams.items[i];
		const bool full = sink_waiting(sink) > SINK_FULL;

		if (stream->sink == sink && stream->fd >= 0 && stream->paused != full)
			watch_stream(s, stream, !full);
	}
}

/* False: nothing more can be had now. */
static bool read_some(struct stream *stream)
{
	const struct supervisor *s = stream->supervisor;
	const struct launch_tap *tap = tap_of(stream);
	const ssize_t n = read(stream->fd, s->streams.chunk, CHUNK_BYTES);

	if (n < 0)
		return errno == EINTR;
	if (n == 0)
		close_stream(stream);
	else if (tap)
		tap->take(stream->child, s->streams.chunk, (size_t)n, pass, stream, tap->context);
	else
		pass(s->streams.chunk, (size_t)n, stream);
	return n > 0;
}

void streams_ready(struct supervisor *s, size_t index)
{
	struct stream *stream = &s->streams.items[index];

	if (stream->fd < 0)
		return;
	(void)read_some(stream);
	flush(s, stream->sink);
}

void streams_sink_ready(struct supervisor *s, size_t index)
{
	flush(s, s->streams.logs ? &s->streams.logs[index] : &s->streams.std[index]);
}

/* What is in the pipe now; what its writers write later is lost. */
static void finish_stream(struct supervisor *s, struct stream *stream)
{
	while (stream->fd >= 0 && read_some(stream))
		flush(s, stream->sink);
	close_stream(stream);
	flush(s, stream->sink);
}

static int open_pipe(struct supervisor *s, struct stream *stream, int *ret_fd, struct err *err)
{
	int fds[2];

	if (stream->fd >= 0) /* of a former life: what is left of that writes on */
		finish_stream(s, stream);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot make a pipe");
	stream->fd = child_fd_above_stdio(fds[0]);
	*ret_fd = child_fd_above_stdio(fds[1]);
	if (stream->fd < 0 || *ret_fd < 0)
		return err_errno(err, -EMFILE, "cannot make a pipe");
	(void)fcntl(stream->fd, F_SETFL, O_NONBLOCK);
	watch_stream(s, stream, true);
	return 0;
}

int streams_open(struct supervisor *s, size_t i, int ret_fds[2], struct err *err)
{
	const struct launch_output *output = output_of(s);
	int r = 0;

	ret_fds[0] = ret_fds[1] = -1;
	if (output->log_fds && !s->streams.items)
		ret_fds[0] = ret_fds[1] = output->log_fds[i];
	for (int which = 0; s->streams.items && which < 2 && r == 0; which++) {
		if (!output->through[which])
			continue;
		if (which && output->together)
			ret_fds[1] = ret_fds[0];
		else
			r = open_pipe(s, &s->streams.items[2 * i + (size_t)which], &ret_fds[which], err);
	}
	return r;
}

void streams_close_ends(const struct supervisor *s, int fds[2])
{
	if (!s->streams.items)
		return;
	if (fds[1] >= 0 && fds[1] != fds[0])
		(void)close(fds[1]);
	if (fds[0] >= 0)
		(void)close(fds[0]);
}

/* Some sink with bytes that wait, or NULL. */
static struct sink *waiting_sink(struct supervisor *s)
{
	const size_t count = s->streams.logs ? s->count : 2;
	struct sink *sinks = s->streams.logs ? s->streams.logs : s->streams.std;

	for (size_t i = 0; i < count; i++) {
		if (sink_waiting(&sinks[i]))
			return &sinks[i];
	}
	return NULL;
}

void streams_drain(struct supervisor *s)
{
	struct sink *sink;

	for (size_t i = 0; s->streams.items && i < 2 * s->count; i++)
		finish_stream(s, &s->streams.items[i]);
	while (s->streams.items && !s->killing && (sink = waiting_sink(s)) != NULL) {
		struct pollfd fds[] = { { .fd = sink_fd(sink), .events = POLLOUT },
					{ .fd = s->signal_fd, .events = POLLIN },
					{ .fd = s->orders->guard_fd, .events = POLLIN } };

		(void)poll(fds, ARRAY_SIZE(fds), -1);
		if (fds[1].revents)
			commands_take(s);
		if (fds[2].revents)
			return;
		flush(s, sink);
	}
}

bool streams_wait_for_terminal(const struct supervisor *s)
{
	return (s->streams.std[0].terminal && sink_waiting(&s->streams.std[0])) ||
	       (s->streams.std[1].terminal && sink_waiting(&s->streams.std[1]));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 'fettle onednn run' under a plan. Each instance's stream is kept in a file without a name until all are over; then
 * they are read one behind the other: each process has a primitive cache of its own, and times add up.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/cmd_onednn.h"
#include "cli/onednn_speak.h"
#include "cli/onednn_tell.h"
#include "cli/output.h"
#include "cli/supervise.h"
#include "joint/decide.h"
#include "onednn/profile.h"
#include "onednn/split.h"

#include <fcntl.h>
#include <unistd.h>

enum { READ_BYTES = 128 << 10 };

/* What one instance prints. */
struct stream {
	struct onednn_split split;
	int fd;            /* oneDNN's lines; -1: none yet */
	int failed;        /* -errno of what could not be written there */
	launch_pass *pass; /* during a call */
	void *to;
};

struct gathering {
	struct invocation *invocation; /* with the user's options */
	struct stream *streams;
	size_t count;
	struct output_file keep; /* --keep */
};

static void gathering_clear(struct gathering *gathering)
{
	for (size_t i = 0; i < gathering->count; i++) {
		if (gathering->streams[i].fd >= 0)
			(void)close(gathering->streams[i].fd);
	}
	free(gathering->streams);
	output_discard(&gathering->keep);
}

static void take_theirs(const char *bytes, size_t length, void *context)
{
	struct stream *stream = context;

	stream->pass(bytes, length, stream->to);
}

static void take_ours(const char *bytes, size_t length, void *context)
{
	struct stream *stream = context;

	if (stream->failed == 0)
		stream->failed = output_bytes(stream->fd, bytes, length);
}

static int open_nameless(struct err *err)
{
	const char *folder = getenv("TMPDIR");
	int fd;

	if (!folder || !*folder)
		folder = "/tmp";
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? err_errno(err, -errno, "cannot make a file in '%s' for a stream", folder) : fd;
}

static int begin(size_t count, void *context, struct err *err)
{
	struct gathering *gathering = context;

	gathering->streams = calloc(count, sizeof(*gathering->streams));
	if (!gathering->streams)
		return err_nomem(err);
	for (; gathering->count < count; gathering->count++) {
		struct stream *stream = &gathering->streams[gathering->count];

		onednn_split_init(&stream->split, take_theirs, take_ours, stream);
		stream->fd = open_nameless(err);
		if (stream->fd < 0)
			return stream->fd;
	}
	return 0;
}

static void take_output(size_t index, const char *bytes, size_t length, launch_pass *pass, void *to, void *context)
{
	struct stream *stream = &((struct gathering *)context)->streams[index];

	stream->pass = pass;
	stream->to = to;
	(void)onednn_split_feed(&stream->split, bytes, length);
}

static void end_output(size_t index, launch_pass *pass, void *to, void *context)
{
	struct stream *stream = &((struct gathering *)context)->streams[index];

	stream->pass = pass;
	stream->to = to;
	onednn_split_release(&stream->split);
}

/* One stream, from its beginning, into the profile and --keep. */
static int read_back(const struct gathering *gathering, struct stream *stream, struct onednn_profile *profile)
{
	cleanup_free char *block = malloc(READ_BYTES);
	ssize_t n = 0;
	int r = stream->failed;

	if (!block)
		return -ENOMEM;
	if (r == 0 && lseek(stream->fd, 0, SEEK_SET) < 0)
		r = -errno;
	while (r == 0 && (n = read(stream->fd, block, READ_BYTES)) > 0) {
		onednn_profile_feed(profile, block, (size_t)n);
		if (gathering->keep.fd >= 0)
			r = output_bytes(gathering->keep.fd, block, (size_t)n);
	}
	return n < 0 ? -errno : r;
}

static int read_all_back(struct gathering *gathering, struct onednn_profile *profile, struct err *err)
{
	for (size_t i = 0; i < gathering->count; i++) {
		const int r = read_back(gathering, &gathering->streams[i], profile);

		onednn_profile_next(profile);
		if (r < 0)
			return err_errno(err, r, "cannot keep the stream of instance %zu", i);
	}
	return gathering->keep.fd >= 0 ? output_commit(&gathering->keep, err) : 0;
}

/* The program's own failure wins over ours. */
static int tell(int exit_code, void *context)
{
	struct gathering *gathering = context;
	cleanup_onednn_profile struct onednn_profile *profile = onednn_profile_new();
	cleanup_decision struct decision decision = { 0 };
	struct err err = { 0 };
	int code = EXIT_OK;

	if (!profile ? err_nomem(&err) : read_all_back(gathering, profile, &err))
		code = output_failure(EXIT_OWN, &err);
	else if (!profile->stream.lines)
		output_line("%s", onednn_nothing_printed);
	else
		code = onednn_tell(gathering->invocation, profile,
				   onednn_capacity_asked(&gathering->invocation->options),
				   onednn_processor_flags(&decision), true);
	if (exit_code != EXIT_OK)
		return exit_code;
	return code == EXIT_OK ? EXIT_OK : EXIT_OWN;
}

int onednn_run_planned(struct invocation *invocation, char *const *words, int count)
{
	cleanup_(gathering_clear) struct gathering gathering = { .invocation = invocation, .keep = OUTPUT_FILE_INIT };
	const struct run_tap tap = {
		.begin = begin,
		.launch = { take_output, end_output, &gathering },
		.tell = tell,
		.context = &gathering,
	};
	struct invocation planned = *invocation;
	struct err err = { 0 };

	if (invocation->options.keep && output_open(invocation->options.keep, &gathering.keep, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	if (onednn_speak(&err) < 0)
		return output_failure(EXIT_OWN, &err);
	planned.words = words;
	planned.word_count = count;
	planned.tap = &tap;
	/* These are of the stream, not of the plan. */
	planned.options.json = false;
	planned.options.output = planned.options.save = NULL;
	return cmd_run(&planned);
}

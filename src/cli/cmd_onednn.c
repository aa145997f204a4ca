/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cmd_onednn.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "cli/onednn_tell.h"
#include "cli/output.h"
#include "onednn/profile.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 128 << 10 };

/* Read to the end, whatever it is. */
static int read_all(int fd, struct onednn_profile *profile)
{
	cleanup_free char *block = malloc(READ_BYTES);
	ssize_t n;

	if (!block)
		return -ENOMEM;
	for (;;) {
		n = read(fd, block, READ_BYTES);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		onednn_profile_feed(profile, block, (size_t)n);
	}
}

/* One of the streams. Returns 0, or -errno and the exit code in `ret_code`. */
static int read_stream(const char *path, struct onednn_profile *profile, int *ret_code, struct err *err)
{
	const bool standard = strcmp(path, "-") == 0;
	cleanup_close int opened = standard ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	const uint64_t lines = profile->stream.lines, cut_lines = profile->stream.cut_lines;
	int r;

	*ret_code = EXIT_USAGE;
	if (!standard && opened < 0)
		return err_errno(err, -errno, "cannot read '%s'", path);
	r = read_all(standard ? STDIN_FILENO : opened, profile);
	if (r < 0) {
		*ret_code = EXIT_FAILED;
		return err_errno(err, r, "cannot read '%s'", standard ? "standard input" : path);
	}
	onednn_profile_next(profile);
	if (profile->stream.lines > lines || profile->stream.cut_lines > cut_lines)
		return 0;
	(void)err_set(err, -EINVAL, "no line of oneDNN in '%s'", standard ? "standard input" : path);
	return err_hint(err, "set ONEDNN_VERBOSE=2 for the program, or start it by 'fettle onednn run'");
}

/* Streams of processes that ran at the same time, or one. */
static int tell_streams(const struct invocation *invocation)
{
	cleanup_onednn_profile struct onednn_profile *profile = onednn_profile_new();
	struct err err = { 0 };
	int code;

	if (!profile) {
		(void)err_nomem(&err);
		return output_failure(EXIT_FAILED, &err);
	}
	for (int i = 0; i < invocation->word_count; i++) {
		if (read_stream(invocation->words[i], profile, &code, &err) < 0)
			return output_failure(code, &err);
	}
	return onednn_tell(invocation, profile, 0, NULL, false);
}

int cmd_onednn(struct invocation *invocation)
{
	const struct option *planned = onednn_plan_option(invocation, &invocation->found);
	struct err err = { 0 };

	if (invocation->word_count && strcmp(invocation->words[0], "run") == 0)
		return onednn_run(invocation, invocation->words + 1, invocation->word_count - 1);
	if (!invocation->word_count) {
		output_line("no stream: name a file, or '-', or 'run' and a program; try 'fettle onednn --help'");
		return EXIT_USAGE;
	}
	if (planned) {
		output_line("option '--%s' is for 'fettle onednn run': nothing is started for a stream", planned->name);
		return EXIT_USAGE;
	}
	if (invocation->options.keep) {
		output_line("option '--keep' is for 'fettle onednn run': this stream is a file already");
		return EXIT_USAGE;
	}
	if (onednn_check_options(&invocation->options, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	return tell_streams(invocation);
}

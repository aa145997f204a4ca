/* SPDX-License-Identifier: Apache-2.0 */
/* 'fettle onednn run -- program': collects the stream from a program that knows nothing of it. */
#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/cmd_onednn.h"
#include "cli/onednn_speak.h"
#include "cli/onednn_tell.h"
#include "cli/output.h"
#include "joint/decide.h"
#include "launch/piped.h"
#include "onednn/profile.h"
#include "onednn/split.h"
#include "target/target.h"

#include <string.h>
#include <unistd.h>

struct collector {
	struct onednn_profile *profile;
	struct onednn_split split;
	struct output_file keep; /* --keep */
	int failed;              /* -errno of what could not be written to it */
	bool gone;               /* nobody reads our standard output */
};

static void take_theirs(const char *bytes, size_t length, void *context)
{
	struct collector *collector = context;

	if (!collector->gone && output_bytes(STDOUT_FILENO, bytes, length) < 0)
		collector->gone = true;
}

static void take_ours(const char *bytes, size_t length, void *context)
{
	struct collector *collector = context;

	onednn_profile_feed(collector->profile, bytes, length);
	if (collector->keep.fd >= 0 && collector->failed == 0)
		collector->failed = output_bytes(collector->keep.fd, bytes, length);
}

static enum piped_state take_output(const char *bytes, size_t length, void *context)
{
	struct collector *collector = context;
	const bool held = onednn_split_feed(&collector->split, bytes, length);

	if (collector->gone)
		return PIPED_GONE;
	return held ? PIPED_HELD : PIPED_NOTHING_HELD;
}

static enum piped_state take_idle(void *context)
{
	struct collector *collector = context;

	onednn_split_release(&collector->split);
	return collector->gone ? PIPED_GONE : PIPED_NOTHING_HELD;
}

static void collector_free(struct collector **collector)
{
	if (!*collector)
		return;
	onednn_profile_free((*collector)->profile);
	output_discard(&(*collector)->keep);
	free(*collector);
}

static struct collector *collector_new(void)
{
	struct collector *collector = calloc(1, sizeof(*collector));

	if (!collector)
		return NULL;
	collector->keep = (struct output_file)OUTPUT_FILE_INIT;
	collector->profile = onednn_profile_new();
	onednn_split_init(&collector->split, take_theirs, take_ours, collector);
	if (!collector->profile)
		collector_free(&collector);
	return collector;
}

static int exit_code_of(const struct piped_end *end)
{
	return end->signal ? EXIT_SIGNAL + end->signal : end->exit_code;
}

/* Judge what came. The program's own failure wins over ours. */
static int tell(struct invocation *invocation, struct collector *collector, const struct piped_end *end)
{
	cleanup_decision struct decision decision = { 0 };
	struct err err = { 0 };
	int code = EXIT_OK, r = collector->failed;

	if (r < 0)
		(void)err_errno(&err, r, "cannot write '%s'", invocation->options.keep);
	else if (collector->keep.fd >= 0)
		r = output_commit(&collector->keep, &err);
	if (r < 0)
		code = output_failure(EXIT_OWN, &err);
	else if (!collector->profile->stream.lines)
		output_line("%s", onednn_nothing_printed);
	else
		code = onednn_tell(invocation, collector->profile, onednn_capacity_asked(&invocation->options),
				   onednn_processor_flags(&decision), true);
	if (exit_code_of(end))
		return exit_code_of(end);
	return code == EXIT_OK ? EXIT_OK : EXIT_OWN;
}

static int exit_code_of_start(int code)
{
	return code == -ENOENT || code == -ENOTDIR ? EXIT_NOT_FOUND : code == -ENOMEM ? EXIT_OWN : EXIT_NOT_EXECUTABLE;
}

static int collect(struct invocation *invocation, struct collector *collector, char *const *words)
{
	const struct piped_taker taker = { take_output, take_idle, collector };
	cleanup_target struct target *target = NULL;
	struct piped_end end = { .signal = 0 };
	struct err err = { 0 };
	int r = target_read(words[0], environ_value((const char *const *)environ, "PATH"), &target, &err);

	if (r < 0)
		return output_failure(exit_code_of_start(r), &err);
	if (onednn_speak(&err) < 0)
		return output_failure(EXIT_OWN, &err);
	r = launch_piped(&(struct launch_program){ target->path, words }, environ, &taker, &end, &err);
	if (r < 0)
		return output_failure(r == -ENOENT || r == -EACCES || r == -ENOEXEC ? exit_code_of_start(r) : EXIT_OWN,
				      &err);
	return tell(invocation, collector, &end);
}

const struct option *onednn_plan_option(const struct invocation *invocation, const struct option_found *found)
{
	static const struct option_table *const plans[] = { &planning_options, &instance_options, &settings_options };
	const struct option_table *const *tables = invocation->command->tables;

	for (size_t t = 0; tables[t]; t++) {
		for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
			if (tables[t] == plans[i] && found->first[t])
				return found->first[t];
		}
	}
	return NULL;
}

static int check_run(const struct invocation *invocation, int count, struct err *err)
{
	const struct options *options = &invocation->options;

	if (!count)
		return err_set(err, -EINVAL, "no program to run; try 'fettle onednn --help'");
	if (options->json && !options->output)
		return err_set(err, -EINVAL,
			       "'onednn run --json' needs '--output FILE': standard output is the program's");
	if (options->folded && strcmp(options->folded, "-") == 0)
		return err_set(err, -EINVAL, "'onednn run --folded' needs a file: standard output is the program's");
	if (options->dry_run)
		return err_set(err, -EINVAL, "'onednn run' has nothing to show without the program's run");
	return onednn_check_options(options, err);
}

static int show_help(const struct invocation *invocation)
{
	struct text text = TEXT_INIT;
	cleanup_free char *help = NULL;

	command_help(invocation->command, &text);
	help = text_take(&text);
	return output_result(invocation, help);
}

int onednn_run(struct invocation *invocation, char *const *words, int count)
{
	cleanup_(collector_free) struct collector *collector = NULL;
	const char *const *texts = (const char *const *)words;
	struct option_found found;
	struct err err = { 0 };

	if (option_parse(invocation->command->tables, "onednn", count, texts, &invocation->options, &found, &err) < 0 ||
	    (!invocation->options.help && check_run(invocation, count - found.next, &err) < 0))
		return output_failure(EXIT_USAGE, &err);
	if (invocation->options.help)
		return show_help(invocation);
	if (onednn_plan_option(invocation, &invocation->found) || onednn_plan_option(invocation, &found))
		return onednn_run_planned(invocation, words + found.next, count - found.next);
	collector = collector_new();
	if (!collector) {
		(void)err_nomem(&err);
		return output_failure(EXIT_OWN, &err);
	}
	if (invocation->options.keep && output_open(invocation->options.keep, &collector->keep, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	return collect(invocation, collector, words + found.next);
}

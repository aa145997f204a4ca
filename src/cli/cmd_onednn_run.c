/* SPDX-License-Identifier: Apache-2.0 */
/* 'fettle onednn run -- program': collects the stream from a program that knows nothing of it. */
#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/text.h"
#include "base/words.h"
#include "cli/cmd_onednn.h"
#include "cli/decide.h"
#include "cli/output.h"
#include "launch/piped.h"
#include "machine/host.h"
#include "machine/machine.h"
#include "onednn/profile.h"
#include "onednn/split.h"
#include "target/target.h"

#include <string.h>
#include <unistd.h>

/*
 * Creations and executions, and since 3.0 what primitives make inside others. oneDNN 3 reads both words of the first;
 * to oneDNN 2 it is longer than a number can be and so not set, and it reads the second (seen with 2.6.3 and 3.12.0).
 */
static const char *const speak[] = { "ONEDNN_VERBOSE=2,debuginfo=1", "DNNL_VERBOSE=2" };

/* Read in this order. */
static const char *const verbose_names[] = { "ONEDNN_VERBOSE", "DNNL_VERBOSE" };
static const char *const capacity_names[] = { "ONEDNN_PRIMITIVE_CACHE_CAPACITY", "MKLDNN_PRIMITIVE_CACHE_CAPACITY",
					      "DNNL_PRIMITIVE_CACHE_CAPACITY" };

const char onednn_nothing_printed[] =
	"the program printed no line of oneDNN: it does not use it, or its oneDNN was built without ONEDNN_VERBOSE";

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

/* The first of these variables that is set, or NULL. */
static const char *first_set(const char *const *names, size_t count, const char **ret_value)
{
	for (size_t i = 0; i < count; i++) {
		*ret_value = environ_value((const char *const *)environ, names[i]);
		if (*ret_value)
			return names[i];
	}
	return NULL;
}

static const char told_by_user[] = "%s='%s' is the user's and stays: what it leaves out is not collected";

/* Ours, with oneDNN told to speak unless the user has told it what to say. */
static int environment_for(struct words *ret_environment, struct err *err)
{
	const char *value, *name = first_set(verbose_names, ARRAY_SIZE(verbose_names), &value);
	int r = 0;

	for (char **variable = environ; r == 0 && *variable; variable++)
		r = words_add(ret_environment, *variable);
	if (r == 0 && name)
		output_line(told_by_user, name, value);
	for (size_t i = 0; r == 0 && !name && i < ARRAY_SIZE(speak); i++)
		r = words_add(ret_environment, speak[i]);
	/* The list ends in NULL. */
	if (r == 0)
		r = words_add(ret_environment, "");
	if (r < 0)
		return err_nomem(err);
	free(ret_environment->items[--ret_environment->count]);
	ret_environment->items[ret_environment->count] = NULL;
	return 0;
}

int onednn_speak(struct err *err)
{
	const char *value, *name = first_set(verbose_names, ARRAY_SIZE(verbose_names), &value);

	if (name)
		output_line(told_by_user, name, value);
	for (size_t i = 0; !name && i < ARRAY_SIZE(speak); i++) {
		if (putenv((char *)speak[i]) != 0) /* which never writes to it */
			return err_nomem(err);
	}
	return 0;
}

unsigned onednn_capacity_asked(const struct options *options)
{
	const char *value;
	unsigned capacity = 0;

	if (!first_set(capacity_names, ARRAY_SIZE(capacity_names), &value))
		return options->request.onednn_cache;
	return parse_unsigned(value, &capacity) < 0 ? 0 : capacity;
}

const char *onednn_processor_flags(struct decision *decision)
{
	const struct options live = { .machine = NULL };
	struct err err = { 0 };
	const struct fact *isa;

	if (decide_machine(&live, false, decision, &err) < 0 || machine_read_host(decision->machine, 0, &err) < 0 ||
	    !decision->machine->host)
		return NULL;
	isa = &decision->machine->host->facts[HOST_ISA];
	return isa->state == FACT_KNOWN ? isa->raw : NULL;
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
		output_line(onednn_nothing_printed);
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
	cleanup_words struct words environment = { .items = NULL };
	cleanup_target struct target *target = NULL;
	struct piped_end end = { .signal = 0 };
	struct err err = { 0 };
	int r = target_read(words[0], environ_value((const char *const *)environ, "PATH"), &target, &err);

	if (r < 0)
		return output_failure(exit_code_of_start(r), &err);
	if (environment_for(&environment, &err) < 0)
		return output_failure(EXIT_OWN, &err);
	r = launch_piped(&(struct launch_program){ target->path, words }, environment.items, &taker, &end, &err);
	if (r < 0)
		return output_failure(r == -ENOENT || r == -EACCES || r == -ENOEXEC ? exit_code_of_start(r) : EXIT_OWN,
				      &err);
	return tell(invocation, collector, &end);
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prove_sample.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "cli/command.h"
#include "launch/collect.h"
#include "launch/lines.h"
#include "launch/piped.h"
#include "prove/statistics.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is heard of a run. */
struct hearing {
	const regex_t *metric;
	struct lines lines;
	double *numbers; /* in the order in which they were printed */
	size_t count, capacity;
	char last[160]; /* the last line that says something, the program's rather than fettle's */
	bool last_is_theirs;
	bool failed; /* memory ran out */
};

static void hearing_clear(struct hearing *hearing)
{
	lines_clear(&hearing->lines);
	free(hearing->numbers);
}

int sampler_open(const regex_t *metric, bool rate, struct sampler *ret_sampler, struct err *err)
{
	const char *folder = getenv("TMPDIR");
	cleanup_free char *report = NULL, *self = calloc(1, PATH_MAX);
	int fd;

	if (!self || asprintf(&report, "%s/fettle-prove-XXXXXX", folder && *folder ? folder : "/tmp") < 0)
		return err_nomem(err);
	if (readlink("/proc/self/exe", self, PATH_MAX - 1) < 0)
		return err_errno(err, -errno, "cannot tell where this program is: /proc/self/exe");
	fd = mkostemp(report, O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, -errno, "cannot make '%s'", report);
	(void)close(fd);
	*ret_sampler = (struct sampler){ .self = TAKE(self), .report = TAKE(report), .metric = metric, .rate = rate };
	return 0;
}

void sampler_clear(struct sampler *sampler)
{
	if (sampler->report)
		(void)unlink(sampler->report);
	free(sampler->report);
	free(sampler->self);
	*sampler = (struct sampler){ .self = NULL };
}

static void keep_last(struct hearing *hearing, const char *line, size_t length)
{
	static const char ours[] = "fettle: ";
	const bool theirs = length < sizeof(ours) - 1 || memcmp(line, ours, sizeof(ours) - 1) != 0;

	if (!length || (hearing->last_is_theirs && !theirs))
		return;
	if (length >= sizeof(hearing->last))
		length = sizeof(hearing->last) - 1;
	memcpy(hearing->last, line, length);
	hearing->last[length] = '\0';
	hearing->last_is_theirs = theirs;
}

static void take_line(void *to, const char *line, size_t length, bool ended)
{
	struct hearing *hearing = to;
	double number, *grown;

	(void)ended;
	keep_last(hearing, line, length);
	if (!hearing->metric || !collect_number(hearing->metric, line, length, &number))
		return;
	grown = array_grow(hearing->numbers, &hearing->capacity, hearing->count, sizeof(*grown));
	if (!grown) {
		hearing->failed = true;
		return;
	}
	hearing->numbers = grown;
	hearing->numbers[hearing->count++] = number;
}

static enum piped_state take_output(const char *bytes, size_t length, void *context)
{
	struct hearing *hearing = context;

	hearing->failed |= lines_add(&hearing->lines, bytes, length, take_line, hearing) < 0;
	return PIPED_NOTHING_HELD;
}

static enum piped_state take_idle(void *context)
{
	(void)context;
	return PIPED_NOTHING_HELD;
}

/* Run ourselves with these words. Returns 0 or -errno. */
static int run_self(const struct sampler *sampler, struct words *words, struct hearing *hearing,
		    struct piped_end *ret_end, struct err *err)
{
	const struct piped_taker taker = { take_output, take_idle, hearing, true };
	cleanup_free char **argv = calloc(words->count + 1, sizeof(*argv));
	int r;

	if (!argv)
		return err_nomem(err);
	memcpy(argv, words->items, words->count * sizeof(*argv));
	r = launch_piped(&(struct launch_program){ sampler->self, argv }, environ, &taker, ret_end, err);
	lines_finish(&hearing->lines, take_line, hearing);
	return r == 0 && hearing->failed ? err_nomem(err) : r;
}

static int add_all(struct words *words, const struct words *more)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < more->count; i++)
		r = words_add(words, more->items[i]);
	return r;
}

static int words_of_run(const struct sampler *sampler, const struct words *options, const struct words *program,
			uint64_t limit_ms, struct words *ret_words)
{
	const char *const first[] = { "fettle", "run", "--quiet", "--report", sampler->report };
	char seconds[32];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(first); i++)
		r = words_add(ret_words, first[i]);
	if (r == 0)
		r = add_all(ret_words, options);
	(void)snprintf(seconds, sizeof(seconds), "%llu.%03u", (unsigned long long)(limit_ms / 1000),
		       (unsigned)(limit_ms % 1000));
	if (r == 0 && limit_ms)
		r = words_add(ret_words, "--timeout") || words_add(ret_words, seconds) ? -ENOMEM : 0;
	if (r == 0)
		r = words_add(ret_words, "--");
	return r == 0 ? add_all(ret_words, program) : r;
}

/* What of the plan differs from what is seen, or is wrong with it. */
static bool plan_broken(const json_t *report, struct sample *sample)
{
	const json_t *check, *finding;
	size_t i;

	json_array_foreach(json_object_get(report, "checks"), i, check)
	{
		const char *verdict = json_string_value(json_object_get(check, "verdict"));
		const char *name = json_string_value(json_object_get(check, "check"));

		if (verdict && name && strcmp(verdict, "differs") == 0) {
			(void)snprintf(sample->why, sizeof(sample->why), "the plan did not hold: %s differs", name);
			return true;
		}
	}
	json_array_foreach(json_object_get(report, "findings"), i, finding)
	{
		const char *severity = json_string_value(json_object_get(finding, "severity"));
		const char *id = json_string_value(json_object_get(finding, "id"));

		if (severity && id && strcmp(severity, "error") == 0) {
			(void)snprintf(sample->why, sizeof(sample->why), "the plan did not hold: %s", id);
			return true;
		}
	}
	return false;
}

/* The median of the steady part of what was printed, as a time. */
static double metric_of(const struct sampler *sampler, struct hearing *hearing)
{
	size_t first;

	for (size_t i = 0; sampler->rate && i < hearing->count; i++)
		hearing->numbers[i] = 1 / hearing->numbers[i];
	first = prove_steady(hearing->numbers, hearing->count);
	return prove_median(hearing->numbers + first, hearing->count - first);
}

static void judge_report(const struct sampler *sampler, struct hearing *hearing, const json_t *report,
			 struct sample *sample)
{
	const json_t *wall = json_object_get(json_array_get(json_object_get(report, "instances"), 0), "wall_s");

	sample->wall_s = json_number_value(wall);
	if (plan_broken(report, sample))
		return;
	if (sampler->metric && !hearing->count) {
		(void)snprintf(sample->why, sizeof(sample->why), "it printed nothing that --metric matches");
		return;
	}
	sample->time = sampler->metric ? metric_of(sampler, hearing) : sample->wall_s;
	sample->counts = sample->time > 0 && sample->time < 1e300;
	if (!sample->counts)
		(void)snprintf(sample->why, sizeof(sample->why), "what it came to is not above 0");
}

/* How it failed, with its last words. */
static void say_failure(const struct piped_end *end, const struct hearing *hearing, struct sample *sample)
{
	char how[64];

	if (end->signal || end->exit_code > EXIT_SIGNAL)
		(void)snprintf(how, sizeof(how), "it was ended by signal %d",
			       end->signal ? end->signal : end->exit_code - EXIT_SIGNAL);
	else
		(void)snprintf(how, sizeof(how), "it ended with exit code %d", end->exit_code);
	(void)snprintf(sample->why, sizeof(sample->why), "%s%s%s", how, hearing->last[0] ? ": " : "", hearing->last);
	sample->not_found = end->exit_code == EXIT_NOT_FOUND || end->exit_code == EXIT_NOT_EXECUTABLE;
}

int sample_take(const struct sampler *sampler, const struct words *options, const struct words *program,
		uint64_t limit_ms, struct sample *ret_sample, struct err *err)
{
	cleanup_(hearing_clear) struct hearing hearing = { .metric = sampler->metric };
	cleanup_words struct words words = { .items = NULL };
	struct sample sample = { .counts = false };
	struct piped_end end = { .told = 0 };
	json_t *report;
	int r = words_of_run(sampler, options, program, limit_ms, &words);

	if (r < 0)
		return err_nomem(err);
	r = run_self(sampler, &words, &hearing, &end, err);
	if (r < 0)
		return r;
	sample.told = end.told;
	report = end.exit_code == 0 ? json_load_file(sampler->report, 0, NULL) : NULL;
	if (report)
		judge_report(sampler, &hearing, report, &sample);
	else if (end.exit_code == 0)
		(void)snprintf(sample.why, sizeof(sample.why), "its report cannot be read");
	else
		say_failure(&end, &hearing, &sample);
	json_decref(report);
	*ret_sample = sample;
	return 0;
}

int sample_onednn(const struct sampler *sampler, const struct words *program, int *ret_told, struct err *err)
{
	const char *const first[] = {
		"fettle", "onednn", "run", "--quiet", "--json", "--output", sampler->report, "--"
	};
	cleanup_(hearing_clear) struct hearing hearing = { .metric = NULL };
	cleanup_words struct words words = { .items = NULL };
	struct piped_end end = { .told = 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(first); i++)
		r = words_add(&words, first[i]);
	if (r == 0)
		r = add_all(&words, program);
	if (r < 0)
		return err_nomem(err);
	r = run_self(sampler, &words, &hearing, &end, err);
	*ret_told = end.told;
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Making the runs: warm-up, blocks, the budget, every sample kept. */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/prove_progress.h"
#include "cli/prove_session.h"
#include "launch/clock.h"

#include <math.h>
#include <string.h>

enum {
	WARM_RUNS = 4,    /* of a baseline at most, before it counts */
	FIRST_LOOK = 8,   /* blocks of a team before another gets its turn */
	LIMIT_TIMES = 10, /* a run may take so many times as long as the baseline's */
	LIMIT_MORE_MS = 10000,
};

struct course {
	struct prove_session *session;
	struct prove_random random;
	struct prove_progress progress;
	struct output_file samples; /* --samples */
	uint64_t deadline;
};

static void course_clear(struct course *course)
{
	output_discard(&course->samples);
}

static double seconds_left(const struct course *course)
{
	const uint64_t now = clock_now_ns();

	return now < course->deadline ? (double)(course->deadline - now) / 1e9 : 0;
}

static double seconds_since(uint64_t begin_ns)
{
	return (double)(clock_now_ns() - begin_ns) / 1e9;
}

/* A field of comma-separated values (RFC 4180): in quotes where it has to be. */
static void add_field(const char *field, struct text *line)
{
	if (!strpbrk(field, ",\"\n\r")) {
		text_add(line, "%s", field);
		return;
	}
	text_add(line, "\"");
	for (const char *c = field; *c; c++)
		text_add(line, *c == '"' ? "\"\"" : "%c", *c);
	text_add(line, "\"");
}

/* Keep a sample. `block` 0: of the warm-up. */
static int keep(struct course *course, const struct prove_team *team, size_t block, const char *arm,
		const struct sample *sample, struct err *err)
{
	cleanup_text struct text line = TEXT_INIT;

	if (course->samples.fd < 0)
		return 0;
	add_field(team->workload, &line);
	text_add(&line, ",%zu,%s,%d,", block, arm, sample->counts);
	if (sample->counts)
		text_add(&line, "%.9g", sample->time);
	text_add(&line, ",%.6f,", sample->wall_s);
	add_field(sample->why, &line);
	text_add(&line, "\n");
	return line.failed ? err_nomem(err) : output_put(&course->samples, line.data, err);
}

static const char *name_of(const struct prove_team *team, size_t arm)
{
	return arm == PROVE_BASELINE ? "baseline"
	       : arm == PROVE_TWIN   ? "baseline-again"
				     : team->entries[arm - PROVE_CANDIDATES]->experiment->advice;
}

static const struct prove_arm *arm_of(const struct prove_team *team, size_t arm)
{
	return arm < PROVE_CANDIDATES ? team->baseline : &team->entries[arm - PROVE_CANDIDATES]->with;
}

/* One run. Returns 0; 1 when we are told to end; -errno. */
static int take(struct course *course, struct prove_team *team, size_t block, size_t arm, struct sample *ret_sample,
		struct err *err)
{
	const struct prove_arm *words = arm_of(team, arm);
	/* A first run that does not end is stopped with the budget. */
	const uint64_t limit_ms = team->limit_ms ? team->limit_ms : (uint64_t)(seconds_left(course) * 1e3) + 1;
	int r;

	prove_progress_draw(&course->progress, course->session, team->workload, block, seconds_left(course));
	r = sample_take(&course->session->sampler, &words->options, &words->program, limit_ms, ret_sample, err);
	prove_progress_clear(&course->progress);
	if (r < 0)
		return r;
	if (ret_sample->told) {
		course->session->told = ret_sample->told;
		(void)snprintf(course->session->ended, sizeof(course->session->ended), "it was interrupted");
		return 1;
	}
	return keep(course, team, block, name_of(team, arm), ret_sample, err);
}

static int close_team(struct prove_team *team, bool impossible, const char *why)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < team->group.count; i++)
		r = prove_trial_close(team->trials[i], impossible, why);
	return r;
}

/* Is there no time for this any more? Then the team is closed: a quicker one may still have it. Returns 0, 1 or
 * -ENOMEM. */
static int out_of_time(struct course *course, struct prove_team *team, double needed_s, struct err *err)
{
	static const char ended[] = "the budget ended";

	if (seconds_left(course) > needed_s)
		return 0;
	(void)snprintf(course->session->ended, sizeof(course->session->ended), "%s", ended);
	return close_team(team, false, ended) < 0 ? err_nomem(err) : 1;
}

/* Eight blocks of all of it may be more than there is time for: then rather some of it decided than none. */
static int trim(const struct course *course, struct prove_team *team, struct err *err)
{
	const double runs = seconds_left(course) / team->run_s / FIRST_LOOK;
	const size_t fits = runs > PROVE_CANDIDATES + 1 ? (size_t)runs - PROVE_CANDIDATES : 1;

	return prove_group_trim(&team->group, fits, "the budget is too short for all, and others promise more") < 0
		       ? err_nomem(err)
		       : 0;
}

/*
 * Run the baseline until two runs in a row take the same time to a twentieth: what the first ones bring into the page
 * cache is there then. One that fails takes its team with it; where it is the user's program that is our failure.
 */
static int warm_up(struct course *course, struct prove_team *team, struct err *err)
{
	double before = 0;

	team->warm = true;
	for (int i = 0; i < WARM_RUNS; i++) {
		const uint64_t begin = clock_now_ns();
		struct sample sample;
		int r = take(course, team, 0, PROVE_BASELINE, &sample, err);

		if (r != 0)
			return r;
		team->run_s = seconds_since(begin);
		if (!sample.counts && !course->session->facts.built_in)
			return err_set(err, -EINVAL, "'%s' cannot be measured: %s", team->workload, sample.why);
		if (!sample.counts)
			return close_team(team, true, sample.why) < 0 ? err_nomem(err) : 0;
		if (before > 0 && fabs(log(sample.time / before)) < 0.05)
			break;
		before = sample.time;
		team->limit_ms = (uint64_t)(team->run_s * 1e3 * LIMIT_TIMES) + LIMIT_MORE_MS;
		r = out_of_time(course, team, team->run_s, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return team->limit_ms ? trim(course, team, err) : 0;
}

/* One block of a team. Returns 0; 1: we are told to end; -errno. */
static int one_block(struct course *course, struct prove_team *team, struct err *err)
{
	cleanup_free struct prove_run *runs = calloc(PROVE_CANDIDATES + team->group.count, sizeof(*runs));
	cleanup_free struct sample *samples = calloc(PROVE_CANDIDATES + team->group.count, sizeof(*samples));
	const uint64_t begin = clock_now_ns();
	size_t count;
	int late;

	if (!runs || !samples)
		return err_nomem(err);
	count = prove_block_draw(&team->group, &course->random, runs);
	late = out_of_time(course, team, team->run_s * (double)count, err);
	if (late != 0)
		return late < 0 ? late : 0;
	for (size_t i = 0; i < count; i++) {
		const int r = take(course, team, team->group.blocks + 1, runs[i].arm, &samples[i], err);

		if (r != 0)
			return r;
		runs[i].counts = samples[i].counts;
		runs[i].time = samples[i].time;
		runs[i].why = samples[i].why;
	}
	team->run_s = seconds_since(begin) / (double)count;
	if (prove_block_take(&team->group, runs, count) < 0)
		return err_nomem(err);
	if (team->group.lost >= FIRST_LOOK && team->group.lost * 2 > team->group.blocks)
		return close_team(team, false, "the baseline's own runs do not count") < 0 ? err_nomem(err) : 0;
	return 0;
}

/* One that was begun gets to its first look; then each in turn. */
static struct prove_team *next_team(const struct prove_session *session)
{
	struct prove_team *chosen = NULL;

	for (size_t i = 0; i < session->team_count; i++) {
		struct prove_team *team = &session->teams[i];

		if (!prove_group_open(&team->group))
			continue;
		if (team->warm && team->group.blocks < FIRST_LOOK)
			return team;
		if (!chosen || team->group.blocks < chosen->group.blocks)
			chosen = team;
	}
	return chosen;
}

static int follow(struct course *course, struct err *err)
{
	struct prove_team *team;
	int r = 0;

	do {
		while (r == 0 && (team = next_team(course->session)) != NULL)
			r = team->warm ? one_block(course, team, err) : warm_up(course, team, err);
		if (r == 0)
			r = prove_session_join(course->session, err);
	} while (r == 0 && next_team(course->session));
	return r < 0 ? r : 0;
}

int prove_session_run(struct prove_session *session, uint64_t budget_ms, struct err *err)
{
	const struct options *options = &session->invocation->options;
	cleanup_(course_clear) struct course course = { .session = session,
							.samples = OUTPUT_FILE_INIT,
							.random = { .state = clock_now_ns() },
							.deadline = clock_now_ns() + budget_ms * 1000000U };
	int r = 0;

	prove_progress_init(&course.progress, options, (double)budget_ms / 1e3);
	if (options->prove.samples)
		r = output_open(options->prove.samples, &course.samples, err);
	if (r == 0 && options->prove.samples)
		r = output_put(&course.samples, "workload,block,run,counts,time,wall_s,why\n", err);
	if (r == 0 && budget_ms)
		r = follow(&course, err);
	for (size_t i = 0; r == 0 && i < session->count; i++) {
		if (prove_trial_close(&session->entries[i].trial, false, session->ended) < 0)
			r = err_nomem(err);
	}
	if (options->prove.samples && course.samples.fd >= 0 && r == 0)
		r = output_commit(&course.samples, err);
	return r;
}

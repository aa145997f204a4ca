/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_watch.h"

#include "base/cleanup.h"
#include "base/environ.h"
#include "base/record.h"
#include "cli/start.h"
#include "joint/options.h"
#include "launch/clock.h"
#include "observe/agent.h"
#include "observe/observe.h"
#include "plan/plan.h"
#include "settings/planned.h"
#include "settings/preload.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	NS_PER_MS = 1000000,
	PERIOD_LEAST_MS = 1000,
	PERIOD_MOST_MS = 10000,
	PERIOD_OF_AGE = 10,     /* one part in so many of what the run has lasted */
	COST_TIMES = 200,       /* as much time for each that was spent with looking */
	WINDOW_MS = 900,        /* as long a window judges what comes and goes, and is then over */
	START_MS = 3000,        /* --require=start: the first seconds, at the latest */
	REFRESH_LEAST_MS = 500, /* between two times that libraries and memory of an instance are read ... */
	REFRESH_MOST_MS = 60000,
	EXPLAIN_BYTES = 192,
	LOADING_TRIES = 8, /* a loader that is at work after as many looks is one that we do not understand */
};

/* When the first looks come, counted from the latest start. */
static const unsigned early_ms[] = { 20, 60, 250, 1000 };

/* A child, by its latest life. */
struct watched {
	bool running;
	bool settled; /* its first seconds are over */
	uint64_t started_ns, ended_ns;
	uint64_t refresh_due_ns, refresh_least_ns;
	unsigned tries;
};

/*
 * Where each one's agents write. Without one there is no record, and nothing else: that is said where something is not
 * known for it.
 */
static int make_records(const struct start *start, struct run_watch *watch)
{
	struct err why = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && i < start->count; i++) {
		const struct launch_child *child = &start->children[i];
		const char *const *environment = (const char *const *)child->environment;
		const char *preload = environ_value(environment, "LD_PRELOAD");

		if (!preload || !strstr(preload, preload_agent.name))
			continue;
		r = agent_file_make(environment, &watch->scribes[i].file, &why);
		if (r < 0) {
			r = r == -ENOMEM ? r : 0;
			continue;
		}
		r = agent_file_tell(&watch->scribes[i].file, (char **)child->environment);
		if (r == 0 && child->unpinned)
			r = agent_file_tell(&watch->scribes[i].file, (char **)child->unpinned);
	}
	return r;
}

/* What was planned for each, in full. */
static int read_plans(const struct start *start, struct run_watch *watch, struct err *err)
{
	const unsigned count = (unsigned)start->decision.plan->instance_count;

	for (size_t i = 0; i < start->count; i++) {
		const struct launch_child *child = &start->children[i];
		const char *record = environ_value((const char *const *)child->environment, RECORD_VARIABLE);
		int r = planned_of_run(child->instance, count, record, &watch->planned[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int run_watch_begin(const struct options *options, const struct start *start, struct run_watch *ret_watch,
		    struct err *err)
{
	struct run_watch *watch = ret_watch;
	int r = 0;

	*watch = (struct run_watch){ .wanted = options_watch(options), .start = start, .root = SYSROOT_INIT };
	if (!watch->wanted)
		return 0;
	watch->due_ns = CLOCK_NEVER;
	watch->count = start->count;
	watch->children = calloc(start->count, sizeof(*watch->children));
	watch->pids = calloc(start->count, sizeof(*watch->pids));
	watch->planned = calloc(start->count, sizeof(*watch->planned));
	watch->scribes = calloc(start->count, sizeof(*watch->scribes));
	for (size_t i = 0; watch->scribes && i < start->count; i++)
		watch->scribes[i].file = (struct agent_file)AGENT_FILE_INIT;
	if (!watch->children || !watch->pids || !watch->planned || !watch->scribes || make_records(start, watch) < 0)
		return err_nomem(err);
	r = require_parse(options->supervision.require, &watch->require, err);
	if (r == 0)
		r = read_plans(start, watch, err);
	return r < 0 ? r : sysroot_open(&watch->root, "/", err);
}

void run_watch_clear(struct run_watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (watch->planned)
			planned_clear(&watch->planned[i]);
		if (!watch->scribes)
			continue;
		agent_file_close(&watch->scribes[i].file);
		observed_agent_free(watch->scribes[i].agent);
	}
	observation_free(watch->observation);
	gathered_clear(&watch->gathered);
	require_clear(&watch->require);
	sysroot_close(&watch->root);
	free(watch->unmet);
	free(watch->children);
	free(watch->pids);
	free(watch->planned);
	free(watch->scribes);
	*watch = (struct run_watch){ .root = SYSROOT_INIT };
}

void run_watch_note(struct run_watch *watch, const struct launch_event *event)
{
	const uint64_t now = clock_now_ns();
	struct watched *child;

	if (!watch->wanted)
		return;
	child = &watch->children[event->index];
	if (event->kind == LAUNCH_STARTS) {
		*child = (struct watched){ .running = true, .started_ns = now };
		watch->first_start_ns = watch->first_start_ns ? watch->first_start_ns : now;
		watch->early = 0;
		watch->due_ns = now + (uint64_t)early_ms[0] * NS_PER_MS;
	} else if (event->kind == LAUNCH_ENDED) {
		child->running = false;
		child->ended_ns = now;
	}
}

/* CPU time of this thread, which alone looks. */
static uint64_t spent_ns(void)
{
	struct timespec spent = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	return (uint64_t)spent.tv_sec * 1000000000U + (uint64_t)spent.tv_nsec;
}

static struct observe_request request_of(const struct run_watch *watch)
{
	return (struct observe_request){ .root = &watch->root,
					 .pids = watch->pids,
					 .count = watch->count,
					 .planned = watch->planned,
					 .observer = getpid(),
					 .ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK),
					 .neighbours = true };
}

/* The child that is this instance; there is one. */
static size_t child_of(const struct run_watch *watch, const struct observed_instance *instance)
{
	size_t i = 0;

	while (i + 1 < watch->count && watch->planned[i].index != instance->planned.index)
		i++;
	return i;
}

/* The cheap part of a look. Returns 0; -ESRCH: nobody is there. */
static int take(struct run_watch *watch, const struct launch_event *event)
{
	const struct observe_request request = request_of(watch);

	for (size_t i = 0; i < watch->count; i++)
		watch->pids[i] = watch->children[i].running ? event->ends[i].pid : 0;
	if (watch->observation)
		return observe_look(&request, clock_now_ns(), watch->observation, &watch->failed);
	return observe_start(&request, clock_now_ns(), &watch->observation, &watch->failed);
}

/* What its agents have written so far, in the place of what they had. */
static int read_record(struct run_watch *watch, size_t i, struct observed_agent **agent)
{
	struct observed_agent *now = NULL;

	if (!watch->scribes[i].file.record)
		return 0;
	if (agent_read(&watch->scribes[i].file, &now) < 0)
		return err_nomem(&watch->failed);
	if (!now->process_count) { /* none has begun, or none could */
		observed_agent_free(now);
		return 0;
	}
	observed_agent_free(*agent);
	*agent = now;
	return 0;
}

/* How soon after now the costly part is worth repeating: a program is what it is, the more the longer it has been. */
static uint64_t refresh_pause_ns(uint64_t age_ns)
{
	const uint64_t least = (uint64_t)REFRESH_LEAST_MS * NS_PER_MS, most = (uint64_t)REFRESH_MOST_MS * NS_PER_MS;

	return age_ns < least ? least : age_ns > most ? most : age_ns;
}

static int refresh(struct run_watch *watch, size_t instance_idx)
{
	const struct observe_request request = request_of(watch);
	struct observed_instance *instance = &watch->observation->instances[instance_idx];
	const size_t i = child_of(watch, instance);
	struct watched *child = &watch->children[i];
	const uint64_t before = spent_ns();
	bool read = false;
	int r = observe_refresh(&request, watch->observation, instance_idx, &read, &watch->failed);
	uint64_t now, rest;

	if (r == 0)
		r = read_record(watch, i, &instance->agent);
	if (r < 0)
		return r;
	now = clock_now_ns();
	rest = (spent_ns() - before) * COST_TIMES;
	child->refresh_least_ns = now + (child->tries < LOADING_TRIES && !read ? 0 : rest);
	child->refresh_due_ns = read ? now + refresh_pause_ns(now - child->started_ns) : 0;
	child->tries += !read;
	return 0;
}

static bool needs_refresh(const struct run_watch *watch, size_t instance_idx)
{
	const struct observed_instance *instance = &watch->observation->instances[instance_idx];
	const struct watched *child = &watch->children[child_of(watch, instance)];
	const uint64_t now = clock_now_ns();

	if (instance->ended || now < child->refresh_least_ns)
		return false;
	return now >= child->refresh_due_ns || !watch->observation->processes[instance->main_idx].deep;
}

static uint64_t window_ms(const struct run_watch *watch)
{
	return observation_window_ns(watch->observation) / NS_PER_MS;
}

/* One costly thing; false: there was none to do. */
static bool step(struct run_watch *watch)
{
	const struct observe_request request = request_of(watch);
	const uint64_t now = clock_now_ns(), before = spent_ns();

	while (watch->next < watch->observation->instance_count) {
		const size_t instance = watch->next++;

		if (!needs_refresh(watch, instance))
			continue;
		(void)refresh(watch, instance);
		return true;
	}
	if (now < watch->system_due_ns || window_ms(watch) < WINDOW_MS)
		return false;
	(void)observe_refresh_system(&request, watch->observation, &watch->failed);
	watch->system_due_ns = now + (spent_ns() - before) * COST_TIMES + refresh_pause_ns(now - watch->first_start_ns);
	return true;
}

/* --require=start: a child whose threads compute as planned, or that has had its time, is past its start. */
static void settle(struct run_watch *watch, const struct report *report)
{
	const uint64_t now = clock_now_ns();

	for (size_t i = 0; i < watch->count; i++) {
		struct watched *child = &watch->children[i];

		child->settled |= now - child->started_ns >= (uint64_t)START_MS * NS_PER_MS;
	}
	for (size_t i = 0; window_ms(watch) >= WINDOW_MS && i < report->check_count; i++) {
		const struct check *check = &report->checks[i];

		if (strcmp(check->name, "threads") == 0 && check->verdict == VERDICT_MET)
			watch->children[child_of(watch, &watch->observation->instances[check->instance])].settled =
				true;
	}
}

static bool all_settled(const struct run_watch *watch)
{
	for (size_t i = 0; i < watch->count; i++) {
		if (watch->children[i].running && !watch->children[i].settled)
			return false;
	}
	return true;
}

static char *unmet_words(const struct run_watch *watch, const struct required *required)
{
	const int idx = required->finding ? required->finding->instance : required->check->instance;

	return required_words(required, (int)watch->observation->instances[idx].planned.index);
}

/* What the look came to. */
static void judge(struct run_watch *watch, const struct launch_event *event)
{
	const struct report_input input = { .machine = watch->start->decision.machine,
					    .observation = watch->observation };
	cleanup_report struct report *report = NULL;
	struct required required;
	bool at_start;

	for (size_t i = 0; i < watch->observation->instance_count; i++) {
		struct observed_instance *instance = &watch->observation->instances[i];

		instance->grant = &event->ends[child_of(watch, instance)].grant;
	}
	if (report_make(&input, &report, &watch->failed) < 0)
		return;
	at_start = watch->require.start && !all_settled(watch);
	settle(watch, report);
	if (at_start && !watch->unmet && require_unmet(&watch->require, report, &required))
		watch->unmet = unmet_words(watch, &required);
	(void)gathered_add(&watch->gathered, report, &input, &watch->failed);
	if (window_ms(watch) >= WINDOW_MS)
		observe_roll(watch->observation);
}

static uint64_t next_due(struct run_watch *watch)
{
	const uint64_t now = clock_now_ns(), part = (now - watch->first_start_ns) / PERIOD_OF_AGE;
	uint64_t period = (uint64_t)PERIOD_LEAST_MS * NS_PER_MS;

	watch->early++;
	if (watch->early < ARRAY_SIZE(early_ms))
		return now + (uint64_t)(early_ms[watch->early] - early_ms[watch->early - 1]) * NS_PER_MS;
	if (part > period && (!watch->require.start || all_settled(watch)))
		period = part < (uint64_t)PERIOD_MOST_MS * NS_PER_MS ? part : (uint64_t)PERIOD_MOST_MS * NS_PER_MS;
	if (period < watch->cost_ns * COST_TIMES)
		period = watch->cost_ns * COST_TIMES;
	return now + period;
}

/* Nothing was lost but looks to come. */
static bool is_over(const struct run_watch *watch)
{
	return watch->failed.code && watch->failed.code != -ESRCH;
}

uint64_t run_watch_look(struct run_watch *watch, const struct launch_event *event, bool *ret_stop)
{
	const uint64_t before = spent_ns();
	bool more = true;

	if (clock_now_ns() < watch->due_ns || is_over(watch))
		return is_over(watch) ? CLOCK_NEVER : watch->due_ns;
	if (!watch->taken) {
		watch->cost_ns = 0;
		watch->next = 0;
		watch->taken = take(watch, event) == 0;
		more = watch->taken;
	} else if (!step(watch)) {
		judge(watch, event);
		more = false;
	}
	watch->cost_ns += spent_ns() - before;
	*ret_stop = watch->unmet != NULL;
	if (more)
		return watch->due_ns; /* it has come: at once, but others come first */
	watch->taken = false;
	watch->failed.code = watch->failed.code == -ESRCH ? 0 : watch->failed.code;
	watch->due_ns = next_due(watch);
	return watch->due_ns;
}

/* Why no look has met it. */
static void explain(const struct run_watch *watch, size_t i, const struct launch_end *end, char why[EXPLAIN_BYTES])
{
	const struct watched *child = &watch->children[i];
	const char *record = watch->scribes[i].agent ? "" : ", and left no record";

	if (!end->pid)
		(void)snprintf(why, EXPLAIN_BYTES, "it was never started");
	else if (is_over(watch))
		(void)snprintf(why, EXPLAIN_BYTES, "nobody looked: %.120s", watch->failed.text);
	else
		(void)snprintf(why, EXPLAIN_BYTES, "the program ended after %llu ms, before the first look%s",
			       (unsigned long long)((child->ended_ns - child->started_ns) / NS_PER_MS), record);
}

/* What is known of an instance now that it is over. */
static int close_one(struct run_watch *watch, size_t i, const struct launch_end *end, struct err *err)
{
	struct observed_instance instance = { .planned = watch->planned[i], .grant = &end->grant };
	struct ended ended = { .machine = watch->start->decision.machine, .instance = &instance };
	char why[EXPLAIN_BYTES];

	if (read_record(watch, i, &watch->scribes[i].agent) < 0)
		return err_nomem(err);
	for (size_t k = 0; watch->observation && k < watch->observation->instance_count; k++) {
		const struct observed_instance *seen = &watch->observation->instances[k];

		if (seen->planned.index != watch->planned[i].index ||
		    !gathered_looks(&watch->gathered, watch->planned[i].index))
			continue;
		instance.cgroup = seen->cgroup;
		ended.main = &watch->observation->processes[seen->main_idx];
	}
	instance.agent = watch->scribes[i].agent;
	if (!ended.main) {
		explain(watch, i, end, why);
		ended.why = why;
	}
	return gathered_close(&watch->gathered, &ended, err);
}

int run_watch_finish(struct run_watch *watch, const struct launch_end *ends, struct err *err)
{
	int r = 0;

	for (size_t i = 0; watch->wanted && r == 0 && i < watch->count; i++)
		r = close_one(watch, i, &ends[i], err);
	return r < 0 ? r : gathered_finish(&watch->gathered, err);
}

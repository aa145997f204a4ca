/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/supervise.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/grant_words.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/run_hook.h"
#include "cli/run_output.h"
#include "cli/run_result.h"
#include "cli/run_watch.h"
#include "cli/run_words.h"
#include "cli/start.h"
#include "plan/plan.h"

#include <limits.h>
#include <string.h>
#include <sys/wait.h>

bool supervise_is_asked(const struct invocation *invocation)
{
	const struct supervision *asked = &invocation->options.supervision;

	return invocation->tap || asked->timeout || asked->log_dir || asked->log_prefix || asked->collect ||
	       options_watch(&invocation->options) || (asked->fail && strncmp(asked->fail, "restart", 7) == 0);
}

static int read_fail(const char *word, struct launch_orders *orders, struct err *err)
{
	static const char restart[] = "restart=";
	unsigned limit;

	orders->restarts = LAUNCH_NO_LIMIT;
	if (!word || strcmp(word, "stop") == 0) {
		orders->fail = LAUNCH_STOP;
	} else if (strcmp(word, "keep") == 0) {
		orders->fail = LAUNCH_KEEP;
	} else if (strcmp(word, "restart") == 0) {
		orders->fail = LAUNCH_RESTART;
	} else if (strncmp(word, restart, sizeof(restart) - 1) == 0 &&
		   parse_unsigned(word + sizeof(restart) - 1, &limit) == 0 && limit && limit <= INT_MAX) {
		orders->fail = LAUNCH_RESTART;
		orders->restarts = (int)limit;
	} else {
		return err_set(err, -EINVAL, "option '--fail': '%s' is none of stop, keep, restart, restart=N", word);
	}
	return 0;
}

int supervise_orders(const struct options *options, struct launch_orders *ret_orders, struct err *err)
{
	const struct supervision *asked = &options->supervision;
	struct launch_orders orders = { .stagger_ms = asked->stagger_ms, .guard_fd = -1 };
	cleanup_(require_clear) struct require require = { .asked = false };
	int r = read_fail(asked->fail, &orders, err);

	if (r == 0)
		r = run_output_check(options, err);
	if (r == 0)
		r = require_parse(asked->require, &require, err);
	if (r < 0)
		return r;
	if (asked->timeout)
		(void)parse_milli(asked->timeout, &orders.timeout_ms); /* the option's kind has checked it */
	*ret_orders = orders;
	return 0;
}

/* What is told about a supervised start, and by what it is kept. */
struct telling {
	const struct options *options;
	const struct start *start;
	struct progress progress;
	struct run_result result;
	struct run_watch watch;
	struct run_hooks hooks;
	unsigned restarts;
};

static void tell_refused(const struct telling *telling, const struct launch_event *event)
{
	const struct start *start = telling->start;
	cleanup_text struct text refused = TEXT_INIT;

	grant_words_add(start->children, event->ends, event->count, &refused);
	run_words_warnings(telling->options, &start->decision, refused.data);
}

static void tell_restarts(struct telling *telling, const struct launch_event *event)
{
	const struct launch_child *child = &telling->start->children[event->index];

	telling->restarts++;
	if (!telling->options->quiet)
		run_words_restarts(child->instance->index, &event->ends[event->index], event->delay_ms);
}

static void tell(const struct launch_event *event, void *context)
{
	struct telling *telling = context;

	if (event->kind != LAUNCH_TICK && event->kind != LAUNCH_STARTS && event->kind != LAUNCH_ENDED)
		progress_clear(&telling->progress);
	switch (event->kind) {
	case LAUNCH_STARTS:
	case LAUNCH_ENDED:
		run_result_note(&telling->result, event);
		run_watch_note(&telling->watch, event);
		break;
	case LAUNCH_STARTED:
		tell_refused(telling, event);
		break;
	case LAUNCH_RESTARTS:
		tell_restarts(telling, event);
		break;
	case LAUNCH_TIMED_OUT:
		output_line("the time is over (--timeout %s): stopping", telling->options->supervision.timeout);
		break;
	case LAUNCH_WRITES:
	case LAUNCH_LOOK:
		break;
	case LAUNCH_OUTPUT_LOST:
		output_line("output of the instances is lost: %s", strerror(-event->error));
		break;
	case LAUNCH_TICK:
		progress_draw(&telling->progress, event->running, event->count, telling->restarts);
		break;
	case LAUNCH_LEFT_BEHIND:
		output_line("cannot stop process %d, which the program left behind: %s", (int)event->pid,
			    strerror(-event->error));
		break;
	}
}

static uint64_t look(const struct launch_event *event, void *context, bool *ret_stop)
{
	struct telling *telling = context;
	const bool said = telling->watch.unmet != NULL;
	const uint64_t next_ns = run_watch_look(&telling->watch, event, ret_stop);

	if (!said && telling->watch.unmet) {
		progress_clear(&telling->progress);
		output_line("not as required: %s; stopping (--require=start)", telling->watch.unmet);
	}
	return next_ns;
}

static int exit_code_of_ends(const struct start *start, const struct launch_end *ends,
			     const struct launch_outcome *outcome)
{
	const int first_failed = outcome->first_failed;
	const struct launch_end *end = first_failed < 0 ? NULL : &ends[first_failed];

	if (outcome->look_stopped && (!end || end->stopped_by_us))
		return EXIT_DIFFERS;
	if (!end)
		return EXIT_OK;
	run_words_failed(start->children[first_failed].instance->index, end);
	return end->signal ? EXIT_SIGNAL + end->signal : end->exit_code;
}

/* With room for the ends. */
static int supervise_into(struct telling *telling, const struct launch_orders *orders, struct launch_end *ends)
{
	const struct start *start = telling->start;
	const struct launch_watch watch = { .tell = tell,
					    .context = telling,
					    .look = telling->watch.wanted ? look : NULL };
	struct launch_outcome outcome = { .first_failed = -1 };
	struct err err = { 0 };
	int exit_code, r;

	run_words_plan(telling->options, &start->decision, start->children, start->count);
	r = launch_supervise(&start->program, start->children, start->count, orders, &watch, ends, &outcome, &err);
	progress_clear(&telling->progress);
	if (r < 0)
		return output_failure(start_exit_code(r), &err);
	exit_code = exit_code_of_ends(start, ends, &outcome);
	telling->result.hooks = &telling->hooks;
	r = run_watch_finish(&telling->watch, ends, &err);
	if (r == 0)
		r = run_hooks_finish(&telling->hooks, telling->options, start, &err);
	if (r == 0)
		r = run_result_tell(&telling->result, telling->options, start, ends, &outcome, &telling->watch,
				    &exit_code, &err);
	if (r == 0)
		return exit_code;
	return output_failure(exit_code == EXIT_OK ? EXIT_OWN : exit_code, &err); /* the program's own comes first */
}

static int supervise_all(const struct options *options, const struct start *start, struct launch_orders *orders,
			 bool terminal_is_ours)
{
	struct launch_end *ends = calloc(start->count, sizeof(*ends));
	struct telling telling = { .options = options,
				   .start = start,
				   .result = { .report = OUTPUT_FILE_INIT },
				   .watch = { .root = SYSROOT_INIT } };
	struct err err = { 0 };
	int exit_code;

	progress_init(&telling.progress, terminal_is_ours && !options->quiet);
	orders->tick_ms = telling.progress.wanted ? PROGRESS_MS : 0;
	if (!ends) {
		(void)err_nomem(&err);
		return output_failure(EXIT_OWN, &err);
	}
	if (run_result_begin(options, start->count, &telling.result, &err) < 0 ||
	    run_watch_begin(options, start, &telling.watch, &err) < 0 ||
	    run_hooks_begin(options, start, &telling.hooks, &err) < 0)
		exit_code = output_failure(EXIT_OWN, &err);
	else
		exit_code = supervise_into(&telling, orders, ends);
	run_result_clear(&telling.result);
	run_watch_clear(&telling.watch);
	run_hooks_clear(&telling.hooks);
	for (size_t i = 0; i < start->count; i++)
		launch_grant_clear(&ends[i].grant);
	free(ends);
	return exit_code;
}

/* With whoever looks at what the instances print. */
static int supervise_tapped(const struct invocation *invocation, const struct start *start,
			    struct launch_orders *orders, bool terminal_is_ours)
{
	const struct run_tap *tap = invocation->tap;
	struct err err = { 0 };
	int exit_code;

	if (tap && tap->begin(start->count, tap->context, &err) < 0)
		return output_failure(EXIT_OWN, &err);
	exit_code = supervise_all(&invocation->options, start, orders, terminal_is_ours);
	return tap ? tap->tell(exit_code, tap->context) : exit_code;
}

/* The guard's word on how the supervisor ended: its own exit code, unless somebody killed it. */
static int exit_code_of_supervisor(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	output_line("the supervising process was ended by signal %d (%s); what it had started was killed",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	return EXIT_OWN;
}

int supervise(const struct invocation *invocation, const struct start *start)
{
	cleanup_(run_output_clear) struct run_output output = { .log_fds = NULL };
	struct launch_orders orders;
	struct err err = { 0 };
	int status = 0, r;

	if (supervise_orders(&invocation->options, &orders, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	if (run_output_open(&invocation->options, start->children, start->count, &output, &err) < 0)
		return output_failure(EXIT_OWN, &err);
	orders.output = &output.output;
	if (invocation->tap) {
		output.output.through[0] = true;
		output.output.tap = &invocation->tap->launch;
	}
	r = launch_guard(&orders.guard_fd, &status, &err);
	if (r < 0)
		return output_failure(EXIT_OWN, &err);
	if (r > 0)
		return exit_code_of_supervisor(status);
	r = supervise_tapped(invocation, start, &orders, output.terminal_is_ours);
	(void)close(orders.guard_fd);
	return r;
}

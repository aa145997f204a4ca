/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/supervise.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/grant_words.h"
#include "cli/output.h"
#include "cli/run_words.h"
#include "cli/start.h"
#include "plan/plan.h"

#include <limits.h>
#include <string.h>
#include <sys/wait.h>

bool supervise_is_asked(const struct options *options)
{
	const struct supervision *asked = &options->supervision;

	return asked->timeout || (asked->fail && strncmp(asked->fail, "restart", 7) == 0);
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
	int r = read_fail(asked->fail, &orders, err);

	if (r < 0)
		return r;
	if (asked->timeout)
		(void)parse_milli(asked->timeout, &orders.timeout_ms); /* the option's kind has checked it */
	*ret_orders = orders;
	return 0;
}

/* What a supervised start is told about. */
struct telling {
	const struct invocation *inv;
	const struct start *start;
};

static void tell_refused(const struct telling *telling, const struct launch_event *event)
{
	const struct start *start = telling->start;
	cleanup_text struct text refused = TEXT_INIT;

	grant_words_add(start->children, event->ends, event->count, &refused);
	run_words_warnings(&telling->inv->options, &start->decision, refused.data);
}

static void tell(const struct launch_event *event, const void *context)
{
	const struct telling *telling = context;
	const struct start *start = telling->start;
	const struct options *options = &telling->inv->options;

	switch (event->kind) {
	case LAUNCH_STARTED:
		tell_refused(telling, event);
		break;
	case LAUNCH_RESTARTS:
		if (!options->quiet)
			run_words_restarts(start->children[event->index].instance->index, &event->ends[event->index],
					   event->delay_ms);
		break;
	case LAUNCH_TIMED_OUT:
		output_line("the time is over (--timeout %s): stopping", options->supervision.timeout);
		break;
	case LAUNCH_LEFT_BEHIND:
		output_line("cannot stop process %d, which the program left behind: %s", (int)event->pid,
			    strerror(-event->error));
		break;
	}
}

static int exit_code_of_ends(const struct start *start, const struct launch_end *ends, int first_failed)
{
	const struct launch_end *end;

	if (first_failed < 0)
		return EXIT_OK;
	end = &ends[first_failed];
	run_words_failed(start->children[first_failed].instance->index, end);
	return end->signal ? EXIT_SIGNAL + end->signal : end->exit_code;
}

static int supervise_all(const struct telling *telling, const struct launch_orders *orders)
{
	const struct start *start = telling->start;
	const struct launch_watch watch = { .tell = tell, .context = telling };
	struct launch_end *ends = calloc(start->count, sizeof(*ends));
	struct launch_outcome outcome = { .first_failed = -1 };
	struct err err = { 0 };
	int exit_code, r;

	if (!ends) {
		(void)err_nomem(&err);
		return output_failure(EXIT_OWN, &err);
	}
	run_words_plan(&telling->inv->options, &start->decision, start->children, start->count);
	r = launch_supervise(&start->program, start->children, start->count, orders, &watch, ends, &outcome, &err);
	if (r < 0)
		exit_code = output_failure(start_exit_code(r), &err);
	else
		exit_code = exit_code_of_ends(start, ends, outcome.first_failed);
	for (size_t i = 0; i < start->count; i++)
		launch_grant_clear(&ends[i].grant);
	free(ends);
	return exit_code;
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
	const struct telling telling = { .inv = invocation, .start = start };
	struct launch_orders orders;
	struct err err = { 0 };
	int status = 0, r;

	if (supervise_orders(&invocation->options, &orders, &err) < 0)
		return output_failure(EXIT_USAGE, &err);
	r = launch_guard(&orders.guard_fd, &status, &err);
	if (r < 0)
		return output_failure(EXIT_OWN, &err);
	if (r > 0)
		return exit_code_of_supervisor(status);
	r = supervise_all(&telling, &orders);
	(void)close(orders.guard_fd);
	return r;
}

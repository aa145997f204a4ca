/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/child.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "launch/order.h"
#include "plan/plan.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>

enum { GRACE_S = 5 }; /* from SIGTERM to SIGKILL */

/* Signals that are handed on. All have numbers below SIGCHLD's, so one that ended a child is taken before that end. */
static const struct forwarded {
	int number;
	bool asks_to_stop;  /* any end after it is an answer to it, not a failure of its own */
	bool from_terminal; /* the kernel sends it to the whole foreground group: the children have it */
} forwarded[] = {
	{ SIGINT, true, true },    { SIGTERM, true, false },  { SIGHUP, false, false },
	{ SIGUSR1, false, false }, { SIGUSR2, false, false },
};

struct member {
	struct bind_orders bind;
	int report_fd; /* -1: read */
	bool alive;
	bool failed_start;
	int told;          /* the last signal handed to it; 0: none */
	bool told_to_stop; /* one of those handed to it asks to stop */
};

struct supervisor {
	const struct launch_program *program;
	const struct launch_child *children;
	struct launch_end *ends;
	struct member *members;
	size_t count;
	size_t alive;
	int first_failed;
	bool stopping; /* SIGTERM was sent because of a failure */
	struct timespec kill_at;
	bool kill_due; /* kill_at counts */
	struct order order;
	sigset_t taken; /* blocked here, taken by sigtimedwait() */
	struct child_common common;
};

static void block_signals(struct supervisor *s)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	struct sigaction now;

	(void)sigemptyset(&s->taken);
	(void)sigaddset(&s->taken, SIGCHLD);
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++) {
		/* One we were started to ignore (nohup, a shell's background job) stays ignored. */
		if (sigaction(forwarded[i].number, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			(void)sigaddset(&s->taken, forwarded[i].number);
	}
	(void)sigprocmask(SIG_BLOCK, &s->taken, &s->common.mask);
	/* With SIGCHLD ignored the kernel would reap the children itself, and their ends were lost. */
	(void)sigaction(SIGCHLD, &by_default, &s->common.sigchld);
}

static void restore_signals(const struct supervisor *s)
{
	(void)sigaction(SIGCHLD, &s->common.sigchld, NULL);
	(void)sigprocmask(SIG_SETMASK, &s->common.mask, NULL);
}

/* A child that was not reaped keeps its pid: no signal can reach a stranger. */
static void send(const struct supervisor *s, size_t i, int number)
{
	if (s->members[i].alive)
		(void)kill(s->ends[i].pid, number);
}

static void stop_all(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	for (size_t i = 0; i < s->count; i++) {
		s->members[i].told_to_stop = true;
		send(s, i, SIGTERM);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &s->kill_at);
	s->kill_at.tv_sec += GRACE_S;
	s->kill_due = true;
}

static void kill_all(struct supervisor *s)
{
	s->kill_due = false;
	for (size_t i = 0; i < s->count; i++)
		send(s, i, SIGKILL);
}

static void hand_on(struct supervisor *s, const siginfo_t *info)
{
	for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++) {
		const struct forwarded *row = &forwarded[i];

		if (row->number != info->si_signo)
			continue;
		for (size_t k = 0; k < s->count; k++) {
			s->members[k].told = row->number;
			s->members[k].told_to_stop |= row->asks_to_stop;
			if (!row->from_terminal || info->si_code != SI_KERNEL)
				send(s, k, row->number);
		}
	}
}

/* Is this end an answer to what we said, not a failure of the child's own? */
static bool obeyed(const struct member *member, const struct launch_end *end)
{
	if (member->told_to_stop)
		return true;
	return member->told && (end->signal == member->told || end->exit_code == 128 + member->told);
}

static void note_end(struct supervisor *s, size_t i, int status)
{
	struct launch_end *end = &s->ends[i];
	struct member *member = &s->members[i];
	bool failed;

	member->alive = false;
	s->alive--;
	order_forget(&s->order, i);
	end->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	end->stopped_by_us = obeyed(member, end);
	failed = end->exit_code != 0;
	if (member->failed_start) {
		end->pid = 0;
		end->stopped_by_us = 0;
		return;
	}
	if (failed && s->first_failed < 0)
		s->first_failed = (int)i;
	if (failed && !end->stopped_by_us)
		stop_all(s);
}

static void reap_one(struct supervisor *s, size_t i)
{
	int status;

	if (s->members[i].alive && waitpid(s->ends[i].pid, &status, WNOHANG) == s->ends[i].pid)
		note_end(s, i, status);
}

/* Several may have ended since the last SIGCHLD: in the order of their ends where the kernel tells it. */
static void reap(struct supervisor *s)
{
	size_t i;

	while (order_next(&s->order, &i)) {
		reap_one(s, i);
		if (s->members[i].alive)
			break; /* a debugger holds its end back; SIGCHLD comes again */
	}
	for (i = 0; i < s->count; i++)
		reap_one(s, i);
}

/* Wait for one signal, or for the moment to kill. */
static void step(struct supervisor *s)
{
	struct timespec now, rest;
	siginfo_t info;
	int number;

	if (s->kill_due) {
		(void)clock_gettime(CLOCK_MONOTONIC, &now);
		rest.tv_sec = s->kill_at.tv_sec - now.tv_sec;
		rest.tv_nsec = s->kill_at.tv_nsec - now.tv_nsec;
		if (rest.tv_nsec < 0) {
			rest.tv_sec--;
			rest.tv_nsec += 1000000000L;
		}
		if (rest.tv_sec < 0) {
			kill_all(s);
			return;
		}
	}
	number = sigtimedwait(&s->taken, &info, s->kill_due ? &rest : NULL);
	if (number == SIGCHLD)
		reap(s);
	else if (number > 0)
		hand_on(s, &info);
}

static int start_one(struct supervisor *s, size_t i, struct err *err)
{
	const struct launch_child *child = &s->children[i];
	struct member *member = &s->members[i];
	const struct child_spec spec = { .bind = &member->bind,
					 .environment = child->environment,
					 .unpinned = child->unpinned ? child->unpinned : child->environment,
					 .keeps_stdin = i == 0 };
	int r = child_start(&s->common, &spec, &s->ends[i].pid, &member->report_fd, err);

	if (r < 0)
		return err_wrap(err, "cannot start instance %u", child->instance->index);
	member->alive = true;
	s->alive++;
	order_watch(&s->order, i, s->ends[i].pid);
	return 0;
}

/* Take the child's report. */
static int hear_one(struct supervisor *s, size_t i, struct err *err)
{
	struct member *member = &s->members[i];
	const struct plan_instance *instance = s->children[i].instance;
	struct child_report report;
	int r;

	if (member->report_fd < 0)
		return 0;
	child_read_report(member->report_fd, &report);
	(void)close(member->report_fd);
	member->report_fd = -1;
	r = bind_grant(instance, &report.bind, &s->ends[i].grant, err);
	if (r < 0)
		return r;
	if (report.stage == CHILD_RUNS)
		return 0;
	member->failed_start = true;
	(void)child_explain(&report, s->program, err);
	return err_wrap(err, "cannot start instance %u", instance->index);
}

/* All are forked before the first is heard, so that they start together. */
static int start_all(struct supervisor *s, struct err *err)
{
	struct err other;
	int r = 0;

	for (size_t i = 0; i < s->count && !r; i++) {
		r = start_one(s, i, err);
		if (r < 0)
			s->first_failed = (int)i;
	}
	for (size_t i = 0; i < s->count; i++) {
		int heard = hear_one(s, i, r ? &other : err);

		if (heard < 0 && !r) {
			s->first_failed = (int)i;
			r = heard;
		}
	}
	return r;
}

static int prepare(struct supervisor *s, struct err *err)
{
	int r = 0;

	s->members = calloc(s->count, sizeof(*s->members));
	if (!s->members || order_init(&s->order, s->count) < 0)
		return err_nomem(err);
	for (size_t i = 0; i < s->count; i++)
		s->members[i].report_fd = -1;
	for (size_t i = 0; i < s->count && !r; i++)
		r = bind_prepare(s->children[i].instance, &s->members[i].bind, err);
	if (r < 0)
		return r;
	if (s->count < 2)
		return 0;
	s->common.null_fd = child_fd_above_stdio(open("/dev/null", O_RDONLY | O_CLOEXEC));
	if (s->common.null_fd < 0) {
		(void)err_errno(err, s->common.null_fd, "cannot open '/dev/null'");
		return err->code = -EIO; /* ENOENT and EACCES would speak of the program */
	}
	return 0;
}

static void supervisor_clear(struct supervisor *s)
{
	for (size_t i = 0; s->members && i < s->count; i++)
		bind_orders_clear(&s->members[i].bind);
	free(s->members);
	order_clear(&s->order, s->count);
	if (s->common.null_fd >= 0)
		(void)close(s->common.null_fd);
}

int launch_supervise(const struct launch_program *program, const struct launch_child *children, size_t count,
		     const struct launch_watch *watch, struct launch_end *ends, int *ret_first_failed, struct err *err)
{
	cleanup_exec struct exec_orders exec = { .program = NULL };
	cleanup_(supervisor_clear) struct supervisor s = {
		.program = program,
		.children = children,
		.ends = ends,
		.count = count,
		.first_failed = -1,
		.order = { .epoll_fd = -1 },
		.common = { .exec = &exec, .null_fd = -1 },
	};
	int r;

	for (size_t i = 0; i < count; i++)
		ends[i] = (struct launch_end){ .pid = 0 };
	r = exec_prepare(program, &exec, err);
	if (r < 0)
		return r;
	r = prepare(&s, err);
	if (r < 0)
		return r;
	block_signals(&s);
	r = start_all(&s, err);
	if (r < 0)
		stop_all(&s);
	else if (watch->started)
		watch->started(ends, count, watch->context);
	while (s.alive)
		step(&s);
	restore_signals(&s);
	*ret_first_failed = s.first_failed;
	return r;
}

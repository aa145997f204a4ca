/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/supervisor.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "plan/plan.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

static void fill(const struct supervisor *s, struct launch_event *event)
{
	event->ends = s->ends;
	event->count = s->count;
	event->running = s->alive;
}

void supervisor_tell(const struct supervisor *s, struct launch_event event)
{
	fill(s, &event);
	if (s->watch->tell)
		s->watch->tell(&event, s->watch->context);
}

size_t supervisor_member(const struct supervisor *s, pid_t pid)
{
	size_t i = 0;

	while (i < s->count && !(s->members[i].alive && s->ends[i].pid == pid))
		i++;
	return i;
}

/* A child that was not reaped keeps its pid: no signal can reach a stranger. */
void supervisor_send(const struct supervisor *s, size_t i, int number)
{
	if (s->members[i].alive)
		(void)kill(s->ends[i].pid, number);
}

static int start_one(struct supervisor *s, size_t i, struct err *err)
{
	const struct launch_child *child = &s->children[i];
	struct member *member = &s->members[i];
	struct child_spec spec = { .bind = &member->bind,
				   .environment = child->environment,
				   .unpinned = child->unpinned ? child->unpinned : child->environment,
				   .keeps_stdin = i == 0 };
	int r;

	orphans_kill_of(s, i); /* what its former life left has had its time */
	supervisor_tell(s, (struct launch_event){ .kind = LAUNCH_STARTS, .index = i });
	r = streams_open(s, i, spec.output_fds, err);
	if (r == 0)
		r = child_start(&s->common, &spec, &s->ends[i].pid, &member->report_fd, err);
	streams_close_ends(s, spec.output_fds);
	if (r < 0)
		return err_wrap(err, "cannot start instance %u", child->instance->index);
	member->alive = true;
	member->told = 0;
	member->grace_over = 0;
	member->latest_start = clock_now_ns();
	if (!member->first_start)
		member->first_start = member->latest_start;
	s->alive++;
	s->childless = false;
	order_watch(&s->order, i, s->ends[i].pid);
	if (s->watch->look)
		s->look_at = 0;
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
	launch_grant_clear(&s->ends[i].grant);
	r = bind_grant(instance, &report.bind, &s->ends[i].grant, err);
	if (r < 0)
		return r;
	if (report.stage == CHILD_RUNS)
		return 0;
	member->failed_start = true;
	(void)child_explain(&report, s->program, err);
	return err_wrap(err, "cannot start instance %u", instance->index);
}

static void note_failed_start(struct supervisor *s, size_t i, int code)
{
	if (s->failure)
		return;
	s->failure = code;
	s->outcome.first_failed = (int)i;
}

/* All that are due are forked before the first is heard, so that they start together. */
static void start_due(struct supervisor *s)
{
	const uint64_t now = clock_now_ns();
	struct err other;

	for (size_t i = 0; s->to_start && i < s->count && !s->failure; i++) {
		int r;

		if (s->members[i].start_due > now)
			continue;
		s->members[i].start_due = CLOCK_NEVER;
		s->to_start--;
		r = start_one(s, i, s->err);
		if (r < 0)
			note_failed_start(s, i, r);
	}
	for (size_t i = 0; i < s->count; i++) {
		int heard = hear_one(s, i, s->failure ? &other : s->err);

		if (heard < 0)
			note_failed_start(s, i, heard);
	}
	if (s->failure) {
		ends_stop_all(s);
	} else if (!s->told_started && !s->to_start && !s->ending) {
		s->told_started = true;
		supervisor_tell(s, (struct launch_event){ .kind = LAUNCH_STARTED });
	}
}

/* When something is to be done that no event tells of. */
static uint64_t next_due(const struct supervisor *s)
{
	uint64_t due = clock_earlier(clock_earlier(s->kill_at, s->timeout_at), orphans_due(s));

	due = clock_earlier(due, clock_earlier(s->tick_at, s->look_at));

	for (size_t i = 0; s->to_start && i < s->count; i++)
		due = clock_earlier(due, s->members[i].start_due);
	return due;
}

static void look(struct supervisor *s)
{
	struct launch_event event = { .kind = LAUNCH_LOOK };
	bool stop = false;

	fill(s, &event);
	s->look_at = s->watch->look(&event, s->watch->context, &stop);
	if (!stop || s->stopping)
		return;
	s->outcome.look_stopped = true;
	ends_stop_all(s);
}

static void do_due(struct supervisor *s)
{
	const uint64_t now = clock_now_ns();

	if (s->timeout_at <= now) {
		s->timeout_at = CLOCK_NEVER;
		if (s->alive || s->to_start) {
			s->outcome.timed_out = true;
			supervisor_tell(s, (struct launch_event){ .kind = LAUNCH_TIMED_OUT });
			ends_stop_all(s);
		}
	}
	if (s->tick_at <= now) {
		s->tick_at = clock_in_ms(s->orders->tick_ms);
		if (!streams_wait_for_terminal(s))
			supervisor_tell(s, (struct launch_event){ .kind = LAUNCH_TICK });
	}
	if (s->kill_at <= now)
		ends_kill_all(s);
	orphans_kill_due(s);
	if (s->to_start)
		start_due(s);
	if (s->look_at <= now)
		look(s);
}

/* As epoll_wait() takes it, rounded up: waking too early would be waking twice. */
static int wait_ms(uint64_t due)
{
	const uint64_t now = clock_now_ns();
	uint64_t ms;

	if (due == CLOCK_NEVER)
		return -1;
	ms = due > now ? (due - now + 999999U) / 1000000U : 0;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

/* Wait for one thing to happen, or for the moment to do something. */
static void step(struct supervisor *s)
{
	struct epoll_event event;

	if (epoll_wait(s->epoll_fd, &event, 1, wait_ms(next_due(s))) == 1) {
		const uint64_t source = event.data.u64;

		if (source >= SOURCE_SINK) {
			streams_sink_ready(s, source - SOURCE_SINK);
		} else if (source >= SOURCE_STREAM) {
			streams_ready(s, source - SOURCE_STREAM);
		} else if (source == SOURCE_SIGNALS) {
			commands_take(s);
		} else {
			s->outcome.guard_lost = true;
			(void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->orders->guard_fd, NULL);
			ends_kill_all(s);
		}
	}
	do_due(s);
}

static void run(struct supervisor *s)
{
	start_due(s);
	for (;;) {
		if (!s->alive && !s->to_start) {
			orphans_look(s);
			if (!orphans_left(s))
				return;
		}
		step(s);
	}
}

static int open_null(struct supervisor *s, struct err *err)
{
	if (s->count < 2)
		return 0;
	s->common.null_fd = child_fd_above_stdio(open("/dev/null", O_RDONLY | O_CLOEXEC));
	if (s->common.null_fd >= 0)
		return 0;
	(void)err_errno(err, s->common.null_fd, "cannot open '/dev/null'");
	return err->code = -EIO; /* ENOENT and EACCES would speak of the program */
}

static int prepare(struct supervisor *s, struct err *err)
{
	const uint64_t now = clock_now_ns();
	int r = 0;

	s->members = calloc(s->count, sizeof(*s->members));
	if (!s->members || order_init(&s->order, s->count) < 0)
		return err_nomem(err);
	for (size_t i = 0; i < s->count; i++) {
		s->members[i].report_fd = -1;
		s->members[i].start_due = now + i * s->orders->stagger_ms * 1000000ULL;
	}
	s->to_start = s->count;
	if (s->orders->timeout_ms)
		s->timeout_at = now + s->orders->timeout_ms * 1000000U;
	if (s->orders->tick_ms)
		s->tick_at = now + s->orders->tick_ms * 1000000ULL;
	for (size_t i = 0; i < s->count && !r; i++)
		r = bind_prepare(s->children[i].instance, &s->members[i].bind, err);
	if (r == 0)
		r = streams_prepare(s, err);
	return r < 0 ? r : open_null(s, err);
}

static int watch_fd(struct supervisor *s, int fd, uint64_t source, struct err *err)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = source };

	return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? err_errno(err, -errno, "cannot wait for events")
								     : 0;
}

/* Descriptors to wait on; signals must be blocked already. */
static int open_events(struct supervisor *s, struct err *err)
{
	int r = 0;

	s->epoll_fd = child_fd_above_stdio(epoll_create1(EPOLL_CLOEXEC));
	s->signal_fd = child_fd_above_stdio(signalfd(-1, &s->signals.taken, SFD_CLOEXEC | SFD_NONBLOCK));
	if (s->epoll_fd < 0 || s->signal_fd < 0)
		return err_errno(err, s->epoll_fd < 0 ? s->epoll_fd : s->signal_fd, "cannot wait for events");
	r = watch_fd(s, s->signal_fd, SOURCE_SIGNALS, err);
	if (r == 0 && s->orders->guard_fd >= 0)
		r = watch_fd(s, s->orders->guard_fd, SOURCE_GUARD, err);
	return r;
}

static void supervisor_clear(struct supervisor *s)
{
	const int fds[] = { s->common.null_fd, s->epoll_fd, s->signal_fd };

	for (size_t i = 0; s->members && i < s->count; i++)
		bind_orders_clear(&s->members[i].bind);
	if (s->members)
		streams_clear(s);
	free(s->members);
	free(s->orphans);
	order_clear(&s->order, s->count);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (fds[i] >= 0)
			(void)close(fds[i]);
	}
}

/* From here on signals are ours, and orphans come to us, until all is over. */
static int run_as_subreaper(struct supervisor *s)
{
	int before = 0, r;

	(void)prctl(PR_GET_CHILD_SUBREAPER, &before);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	signals_block(&s->signals);
	s->common.mask = s->signals.mask;
	s->common.sigchld = s->signals.sigchld;
	r = open_events(s, s->err);
	if (r == 0) {
		run(s);
		streams_drain(s);
	}
	/* One that the guard hands on when all is over would end us before we have told how it went. */
	if (s->orders->guard_fd < 0)
		signals_restore(&s->signals);
	(void)prctl(PR_SET_CHILD_SUBREAPER, before);
	return r < 0 ? r : s->failure;
}

int launch_supervise(const struct launch_program *program, const struct launch_child *children, size_t count,
		     const struct launch_orders *orders, const struct launch_watch *watch, struct launch_end *ends,
		     struct launch_outcome *ret_outcome, struct err *err)
{
	cleanup_exec struct exec_orders exec = { .program = NULL };
	cleanup_(supervisor_clear) struct supervisor s = {
		.program = program,
		.children = children,
		.orders = orders,
		.watch = watch,
		.ends = ends,
		.count = count,
		.outcome = { .first_failed = -1 },
		.kill_at = CLOCK_NEVER,
		.timeout_at = CLOCK_NEVER,
		.tick_at = CLOCK_NEVER,
		.look_at = CLOCK_NEVER,
		.order = { .epoll_fd = -1 },
		.epoll_fd = -1,
		.signal_fd = -1,
		.common = { .exec = &exec, .null_fd = -1 },
		.err = err,
	};
	int r;

	for (size_t i = 0; i < count; i++)
		ends[i] = (struct launch_end){ .exit_code = -1 };
	r = exec_prepare(program, &exec, err);
	if (r == 0)
		r = prepare(&s, err);
	if (r == 0)
		r = run_as_subreaper(&s);
	*ret_outcome = s.outcome;
	return r;
}

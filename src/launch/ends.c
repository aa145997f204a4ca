/* SPDX-License-Identifier: Apache-2.0 */
/* How children ended, and what follows from it for the others. */
#include "launch/supervisor.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>

void ends_cancel_starts(struct supervisor *s)
{
	s->ending = true;
	for (size_t i = 0; i < s->count && s->to_start; i++) {
		if (s->members[i].start_due == CLOCK_NEVER)
			continue;
		s->members[i].start_due = CLOCK_NEVER;
		s->to_start--;
		if (s->members[i].first_start && s->outcome.first_failed < 0)
			s->outcome.first_failed = (int)i;
	}
}

void ends_stop_all(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	ends_cancel_starts(s);
	for (size_t i = 0; i < s->count; i++) {
		s->members[i].told_to_stop = true;
		supervisor_send(s, i, SIGTERM);
		supervisor_send(s, i, SIGCONT); /* one that is stopped would not hear */
	}
	s->kill_at = clock_in_ms(GRACE_MS);
}

void ends_kill_all(struct supervisor *s)
{
	s->killing = true;
	s->kill_at = CLOCK_NEVER;
	ends_cancel_starts(s);
	for (size_t i = 0; i < s->count; i++) {
		s->members[i].told_to_stop = true;
		supervisor_send(s, i, SIGKILL);
	}
	orphans_kill_of(s, SIZE_MAX);
}

/* Is this end an answer to what we said, not a failure of the child's own? */
static bool obeyed(const struct member *member, const struct launch_end *end)
{
	if (member->told_to_stop)
		return true;
	return member->told && (end->signal == member->told || end->exit_code == 128 + member->told);
}

static bool start_again(struct supervisor *s, size_t i)
{
	struct member *member = &s->members[i];
	const uint64_t ran_ms = (clock_now_ns() - member->latest_start) / 1000000U;
	uint64_t pause_ms;

	if (s->orders->fail != LAUNCH_RESTART || s->ending ||
	    !restart_next(&member->restart, s->orders->restarts, ran_ms, &pause_ms))
		return false;
	s->ends[i].restarts = member->restart.count;
	member->start_due = clock_in_ms(pause_ms);
	s->to_start++;
	supervisor_tell(s, (struct launch_event){ .kind = LAUNCH_RESTARTS, .index = i, .delay_ms = pause_ms });
	return true;
}

static void add_usage(struct launch_usage *usage, uint64_t cpu_ns, uint64_t max_rss_bytes)
{
	usage->cpu_ns += cpu_ns;
	if (max_rss_bytes > usage->max_rss_bytes)
		usage->max_rss_bytes = max_rss_bytes;
}

static void note_end(struct supervisor *s, size_t i, int status)
{
	struct launch_end *end = &s->ends[i];
	struct member *member = &s->members[i];

	member->alive = false;
	s->alive--;
	order_forget(&s->order, i);
	end->usage.wall_ns = clock_now_ns() - member->first_start;
	supervisor_tell(s, (struct launch_event){ .kind = LAUNCH_ENDED, .index = i });
	end->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	end->stopped_by_us = obeyed(member, end);
	if (member->failed_start) {
		end->pid = 0;
		end->stopped_by_us = 0;
		return;
	}
	if (end->exit_code == 0 || (!end->stopped_by_us && start_again(s, i)))
		return;
	if (s->outcome.first_failed < 0)
		s->outcome.first_failed = (int)i;
	if (!end->stopped_by_us && s->orders->fail != LAUNCH_KEEP)
		ends_stop_all(s);
}

static uint64_t ns_of(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * 1000000000U + (uint64_t)time->tv_usec * 1000U;
}

/* `i` is s->count for a process that is no child of ours by birth. */
static bool reap_one(struct supervisor *s, size_t i, pid_t pid)
{
	struct rusage usage;
	uint64_t cpu_ns, max_rss_bytes;
	int status;

	if (wait4(pid, &status, WNOHANG, &usage) != pid)
		return false;
	cpu_ns = ns_of(&usage.ru_utime) + ns_of(&usage.ru_stime);
	max_rss_bytes = (uint64_t)usage.ru_maxrss * 1024; /* the kernel counts in KiB */
	if (i == s->count) {
		orphans_forget(s, pid, cpu_ns, max_rss_bytes);
	} else {
		add_usage(&s->ends[i].usage, cpu_ns, max_rss_bytes);
		note_end(s, i, status);
	}
	return true;
}

/* Whose end waits to be taken, without taking it; 0: nobody's. */
static pid_t next_ended(struct supervisor *s)
{
	siginfo_t info = { .si_pid = 0 };

	if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		return info.si_pid;
	s->childless = errno == ECHILD;
	return 0;
}

/* Several may have ended since the last SIGCHLD: in the order of their ends where the kernel tells it. */
void ends_reap(struct supervisor *s)
{
	pid_t pid;
	size_t i;

	while (order_next(&s->order, &i)) {
		if (s->members[i].alive && !reap_one(s, i, s->ends[i].pid))
			break; /* a debugger holds its end back; SIGCHLD comes again */
	}
	s->childless = false;
	while ((pid = next_ended(s)) > 0) {
		if (!reap_one(s, supervisor_member(s, pid), pid))
			break;
	}
	orphans_look(s);
}

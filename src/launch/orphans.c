/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that outlives its child comes to us when its parent has ended. Whose it was tells its environment: the
 * FETTLE_PLAN it was given is its instance's alone. One of a living child (a daemon it started) is left in peace until
 * that child ends; one that hides its environment until all have ended. Only direct children are signalled: what they
 * have started comes to us when they end.
 */
#include "launch/supervisor.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/record.h"
#include "launch/children.h"

#include <errno.h>

static bool is_over(const struct supervisor *s)
{
	return !s->alive && !s->to_start;
}

static struct orphan *find(const struct supervisor *s, pid_t pid)
{
	for (size_t i = 0; i < s->orphan_count; i++) {
		if (s->orphans[i].pid == pid)
			return &s->orphans[i];
	}
	return NULL;
}

/* "FETTLE_PLAN=..." of a child's environment; NULL: it has none. */
static const char *record_of(const struct launch_child *child)
{
	const size_t length = sizeof(RECORD_VARIABLE) - 1;

	for (char *const *entry = child->environment; *entry; entry++) {
		if (strncmp(*entry, RECORD_VARIABLE, length) == 0 && (*entry)[length] == '=')
			return *entry;
	}
	return NULL;
}

/* Whose process it is; s->count: not known. */
static size_t owner_of(const struct supervisor *s, pid_t pid)
{
	if (s->count == 1)
		return 0;
	for (size_t i = 0; i < s->count; i++) {
		const char *record = record_of(&s->children[i]);

		if (record && children_has_entry(pid, record))
			return i;
	}
	return s->count;
}

static void note_untouchable(struct supervisor *s, struct orphan *orphan, int error)
{
	orphan->kill_at = CLOCK_NEVER;
	if (orphan->untouchable)
		return;
	orphan->untouchable = true;
	supervisor_tell(s, (struct launch_event){ .kind = LAUNCH_LEFT_BEHIND, .pid = orphan->pid, .error = error });
}

static void kill_one(struct supervisor *s, struct orphan *orphan)
{
	orphan->kill_at = CLOCK_NEVER;
	if (kill(orphan->pid, SIGKILL) < 0)
		note_untouchable(s, orphan, -errno);
}

/* When an owner's orphans have had their time: they have it together, however many come to light one after the other.
 */
static uint64_t grace_of(struct supervisor *s, size_t owner)
{
	uint64_t *over = is_over(s) ? &s->grace_over : &s->members[owner].grace_over;

	if (!*over)
		*over = clock_in_ms(GRACE_MS);
	return *over;
}

/* Ask it to stop. Without memory to remember it by it is killed at once. */
static void stop_one(struct supervisor *s, pid_t pid, size_t owner)
{
	struct orphan *grown = array_grow(s->orphans, &s->orphan_capacity, s->orphan_count, sizeof(*grown));
	struct orphan *orphan;

	if (!grown) {
		(void)kill(pid, SIGKILL);
		return;
	}
	s->orphans = grown;
	orphan = &grown[s->orphan_count++];
	*orphan = (struct orphan){ .pid = pid, .owner = owner, .kill_at = grace_of(s, owner) };
	if (s->killing || orphan->kill_at <= clock_now_ns())
		kill_one(s, orphan);
	else if (kill(pid, SIGTERM) < 0)
		note_untouchable(s, orphan, -errno);
	else
		(void)kill(pid, SIGCONT); /* one that is stopped would not hear */
}

void orphans_look(struct supervisor *s)
{
	cleanup_children struct children children = { .pids = NULL };

	if (s->childless || children_list(is_over(s), &children) < 0)
		return;
	for (size_t i = 0; i < children.count; i++) {
		const pid_t pid = children.pids[i];
		size_t owner;

		if (supervisor_member(s, pid) < s->count || find(s, pid))
			continue;
		owner = owner_of(s, pid);
		if (is_over(s) || (owner < s->count && !s->members[owner].alive))
			stop_one(s, pid, owner);
	}
}

void orphans_forget(struct supervisor *s, pid_t pid, uint64_t cpu_ns, uint64_t max_rss_bytes)
{
	struct orphan *orphan = find(s, pid);

	if (!orphan)
		return;
	if (orphan->owner < s->count) {
		struct launch_usage *usage = &s->ends[orphan->owner].usage;

		usage->cpu_ns += cpu_ns;
		if (max_rss_bytes > usage->max_rss_bytes)
			usage->max_rss_bytes = max_rss_bytes;
	}
	*orphan = s->orphans[--s->orphan_count];
}

void orphans_kill_due(struct supervisor *s)
{
	const uint64_t now = clock_now_ns();

	for (size_t i = 0; i < s->orphan_count; i++) {
		if (s->orphans[i].kill_at <= now)
			kill_one(s, &s->orphans[i]);
	}
}

void orphans_kill_of(struct supervisor *s, size_t owner)
{
	for (size_t i = 0; i < s->orphan_count; i++) {
		struct orphan *orphan = &s->orphans[i];

		if ((owner == SIZE_MAX || orphan->owner == owner) && orphan->kill_at != CLOCK_NEVER)
			kill_one(s, orphan);
	}
}

uint64_t orphans_due(const struct supervisor *s)
{
	uint64_t due = CLOCK_NEVER;

	for (size_t i = 0; i < s->orphan_count; i++)
		due = clock_earlier(due, s->orphans[i].kill_at);
	return due;
}

bool orphans_left(const struct supervisor *s)
{
	if (s->childless)
		return false;
	for (size_t i = 0; i < s->orphan_count; i++) {
		if (!s->orphans[i].untouchable)
			return true;
	}
	return false;
}

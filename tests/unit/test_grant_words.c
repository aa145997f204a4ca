/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel did not grant, in the words of `fettle run`. */
#include "base/cpulist.h"
#include "base/err.h"
#include "base/text.h"
#include "cli/grant_words.h"
#include "launch/supervise.h"
#include "launch_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

enum { CHILDREN = 3 };

/* One child: what was planned for it, and what came of it. */
struct row {
	enum pin pin;
	const char *cpus, *granted; /* granted NULL: could not be read */
	int cpus_error;
	enum memory_policy memory;
	const char *nodes, *nodes_granted; /* NULL: the policy names none; none was granted */
	int memory_error;
};

static hwloc_bitmap_t set_of(const char *list)
{
	hwloc_bitmap_t set = NULL;
	struct err err = { 0 };

	if (list)
		assert_int_equal(cpulist_parse(list, &set, &err), 0);
	return set;
}

static struct launch_grant grant_of(const struct row *row)
{
	const bool asks = row->pin != PIN_NONE;

	return (struct launch_grant){
		.affinity_error = row->cpus_error,
		.affinity_unmet = asks && (row->cpus_error || (row->granted && strcmp(row->cpus, row->granted) != 0)),
		.affinity_asked = asks ? set_of(row->cpus) : NULL,
		.affinity_granted = asks ? set_of(row->granted) : NULL,
		.memory_error = row->memory_error,
		.memory_asked = row->memory,
		.memory_granted = row->memory_error ? MEMORY_NONE : row->memory,
		.nodes_asked = set_of(row->nodes),
		.nodes_granted = set_of(row->nodes_granted),
	};
}

/* The words for `count` children. The caller frees them. */
static char *words_of(const struct row *rows, size_t count, bool again)
{
	struct plan_instance instances[CHILDREN];
	struct launch_child children[CHILDREN];
	struct launch_end ends[CHILDREN];
	struct text text = TEXT_INIT;

	for (size_t i = 0; i < count; i++) {
		instance_init(&instances[i], rows[i].pin, rows[i].cpus, rows[i].memory,
			      rows[i].nodes ? rows[i].nodes : "");
		instances[i].index = (unsigned)i;
		children[i] = (struct launch_child){ .instance = &instances[i] };
		ends[i] = (struct launch_end){ .grant = grant_of(&rows[i]) };
	}
	if (again)
		grant_words_again(children, ends, &text);
	else
		grant_words_add(children, ends, count, &text);
	for (size_t i = 0; i < count; i++) {
		launch_grant_clear(&ends[i].grant);
		instance_clear(&instances[i]);
	}
	return text_take(&text);
}

static void assert_words(const struct row *rows, size_t count, bool again, const char *expected)
{
	cleanup_free char *words = words_of(rows, count, again);

	assert_string_equal(words, expected);
}

static void what_was_granted_needs_no_words(void **state)
{
	static const struct row rows[] = {
		{ PIN_THREADS, "0-3", "0-3", 0, MEMORY_BIND, "0", "0", 0 },
		{ PIN_INSTANCE, "4-7", NULL, 0, MEMORY_LOCAL, NULL, NULL, 0 },
		{ PIN_NONE, "", NULL, 0, MEMORY_NONE, NULL, NULL, 0 },
	};

	(void)state;
	assert_words(rows, 3, false, "");
}

static void one_child_is_told_what_was_asked_granted_and_follows(void **state)
{
	static const struct {
		struct row row;
		const char *words;
	} rows[] = {
		{ { PIN_INSTANCE, "0-3", "0-7", -EPERM, MEMORY_NONE, NULL, NULL, 0 },
		  "cannot bind to CPUs 0-3: sched_setaffinity: Operation not permitted, left on CPUs 0-7" },
		{ { PIN_THREADS, "0-3", NULL, -ENOSYS, MEMORY_NONE, NULL, NULL, 0 },
		  "cannot bind to CPUs 0-3: sched_setaffinity: Function not implemented, left on CPUs ?, threads not "
		  "pinned" },
		{ { PIN_INSTANCE, "0-3", "6-7", -EINVAL, MEMORY_NONE, NULL, NULL, 0 },
		  "cannot bind to CPUs 0-3: none of them may be used now (sched_setaffinity: Invalid argument), left "
		  "on "
		  "CPUs 6-7" },
		{ { PIN_INSTANCE, "0-3", "0-7", -EINVAL, MEMORY_NONE, NULL, NULL, 0 },
		  "cannot bind to CPUs 0-3: sched_setaffinity: Invalid argument, left on CPUs 0-7" },
		{ { PIN_THREADS, "0-3", "2-3", 0, MEMORY_NONE, NULL, NULL, 0 },
		  "asked for CPUs 0-3, granted 2-3, threads not pinned" },
		{ { PIN_NONE, "", NULL, 0, MEMORY_LOCAL, NULL, NULL, -EPERM },
		  "memory policy local refused: set_mempolicy: Operation not permitted, pages go where they are first "
		  "touched" },
		{ { PIN_INSTANCE, "0", "0", 0, MEMORY_BIND, "0-1", NULL, -ENOSYS },
		  "memory policy bind on nodes 0-1 refused: set_mempolicy: Function not implemented, pages go where "
		  "they are first touched" },
		{ { PIN_INSTANCE, "0", "0", 0, MEMORY_PREFERRED, "0-1", "1", 0 },
		  "memory policy preferred on nodes 0-1: this kernel prefers one node only, granted 1" },
		{ { PIN_INSTANCE, "0", "1", -EPERM, MEMORY_INTERLEAVE, "0", NULL, -EPERM },
		  "cannot bind to CPUs 0: sched_setaffinity: Operation not permitted, left on CPUs 1; memory policy "
		  "interleave on node 0 refused: set_mempolicy: Operation not permitted, pages go where they are first "
		  "touched" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_words(&rows[i].row, 1, false, rows[i].words);
}

static void several_children_are_told_together(void **state)
{
	static const struct {
		struct row rows[CHILDREN];
		const char *words;
	} cases[] = {
		{ { { PIN_THREADS, "0", "0-7", -EPERM, MEMORY_NONE, NULL, NULL, 0 },
		    { PIN_THREADS, "1", "0-7", -EPERM, MEMORY_NONE, NULL, NULL, 0 },
		    { PIN_THREADS, "2", "0-7", -EPERM, MEMORY_NONE, NULL, NULL, 0 } },
		  "cannot bind to CPUs 0-2: sched_setaffinity: Operation not permitted, left on CPUs 0-7, threads not "
		  "pinned" },
		{ { { PIN_INSTANCE, "0-1", "0-1", 0, MEMORY_NONE, NULL, NULL, 0 },
		    { PIN_INSTANCE, "2-3", "3", 0, MEMORY_NONE, NULL, NULL, 0 },
		    { PIN_INSTANCE, "4-5", "0-1,3", -EINVAL, MEMORY_NONE, NULL, NULL, 0 } },
		  "instances 1-2: asked for CPUs 2-5, granted 0-1,3" },
		{ { { PIN_INSTANCE, "0", "0", 0, MEMORY_PREFERRED, "0", NULL, -EPERM },
		    { PIN_INSTANCE, "1", "1", 0, MEMORY_LOCAL, NULL, NULL, -EPERM },
		    { PIN_INSTANCE, "2", "2", 0, MEMORY_NONE, NULL, NULL, 0 } },
		  "instances 0-1: memory policy on node 0 refused: set_mempolicy: Operation not permitted, pages go "
		  "where they are first touched" },
		{ { { PIN_INSTANCE, "0", "0", 0, MEMORY_BIND, "0", "0", 0 },
		    { PIN_THREADS, "1", "2", -EINVAL, MEMORY_BIND, "0", "0", 0 },
		    { PIN_INSTANCE, "2", "2", 0, MEMORY_BIND, "1", NULL, -EINVAL } },
		  "instance 1: cannot bind to CPUs 1: none of them may be used now (sched_setaffinity: Invalid "
		  "argument), left on CPUs 2, threads not pinned; instance 2: memory policy bind on node 1 refused: "
		  "set_mempolicy: Invalid argument, pages go where they are first touched" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_words(cases[i].rows, CHILDREN, false, cases[i].words);
}

static void a_second_plan_says_why(void **state)
{
	static const struct row cpus = { PIN_THREADS, "0-3", "2-3", 0, MEMORY_BIND, "0", NULL, -EINVAL };
	static const struct row nodes = { PIN_THREADS, "0-3", "0-3", 0, MEMORY_BIND, "0", NULL, -EINVAL };

	(void)state;
	assert_words(&cpus, 1, true, "asked for CPUs 0-3, granted 2-3, planned again for what is there now");
	assert_words(&nodes, 1, true,
		     "memory policy bind on node 0 refused: set_mempolicy: Invalid argument, planned again for what is "
		     "there now");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_granted_needs_no_words),
		cmocka_unit_test(one_child_is_told_what_was_asked_granted_and_follows),
		cmocka_unit_test(several_children_are_told_together),
		cmocka_unit_test(a_second_plan_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

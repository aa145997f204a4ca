/* SPDX-License-Identifier: Apache-2.0 */
/* What follows when children end: who is stopped, who is started again, what they leave behind. */
#include "launch/restart.h"
#include "launch_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>

static void kept_going_the_others_end_as_they_like(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, "case $I in 1) exit 7;; 2) sleep 0.3; exit 9;; esac; sleep 0.3", 3);
	bench.orders.fail = LAUNCH_KEEP;
	bench_start(&bench);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->first_failed, 1);
	assert_end(&bench, 0, 0, 0, 0);
	assert_end(&bench, 1, 7, 0, 0);
	assert_end(&bench, 2, 9, 0, 0);
	bench_clear(&bench);
}

static void restarts_are_counted_and_limited(void **state)
{
	struct bench bench;
	char text[16];

	(void)state;
	bench_init(&bench, "case $I in 1) echo x >>lives; exit 7;; esac; exec sleep 60", 2);
	bench.orders.fail = LAUNCH_RESTART;
	bench.orders.restarts = 2;
	bench_start(&bench);
	bench_finish(&bench);
	bench_read(&bench, "lives", text, sizeof(text));
	assert_string_equal(text, "x\nx\nx\n");
	assert_int_equal(bench.outcome->restarts, 2);
	assert_int_equal(bench.outcome->ends[1].restarts, 2);
	assert_int_equal(bench.outcome->ends[0].restarts, 0);
	assert_int_equal(bench.outcome->first_failed, 1);
	assert_end(&bench, 1, 7, 0, 0);
	assert_end(&bench, 0, -1, SIGTERM, 1);
	bench_clear(&bench);
}

static void one_that_recovers_has_not_failed(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, "case $I in 1) test -e again || { : >again; kill -SEGV $$; };; esac; exit 0", 2);
	bench.orders.fail = LAUNCH_RESTART;
	bench.orders.restarts = LAUNCH_NO_LIMIT;
	bench_start(&bench);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->first_failed, -1);
	assert_int_equal(bench.outcome->ends[1].restarts, 1);
	assert_end(&bench, 1, 0, 0, 0);
	bench_clear(&bench);
}

static void who_looks_is_called_when_it_wants_to_be(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, "sleep 0.4", 2);
	bench.look_ms = 50;
	bench_start(&bench);
	bench_finish(&bench);
	assert_in_range(bench.outcome->looks, 3, 20); /* and after each start; a busy machine skips some */
	assert_false(bench.outcome->went.look_stopped);
	assert_int_equal(bench.outcome->first_failed, -1);
	bench_clear(&bench);
}

static void who_looks_may_stop_all(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, "case $I in 0) trap 'exit 0' TERM; sleep 60 & wait;; esac; exec sleep 60", 2);
	bench.look_ms = 20;
	bench.stop_look = 10;
	bench_start(&bench);
	bench_finish(&bench);
	assert_true(bench.outcome->went.look_stopped);
	assert_end(&bench, 0, 0, 0, 1);
	assert_end(&bench, 1, -1, SIGTERM, 1);
	bench_clear(&bench);
}

static void told_to_stop_nothing_is_started_again(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, "echo $$ >pid$I; case $I in 1) exit 7;; esac; exec sleep 60", 2);
	bench.orders.fail = LAUNCH_RESTART;
	bench.orders.restarts = LAUNCH_NO_LIMIT;
	bench_start(&bench);
	bench_await_told(&bench);
	while (bench.outcome->restarts < 2) /* it waits for its third life, for 0.4 s */
		(void)usleep(5000);
	assert_int_equal(kill(bench.supervisor, SIGTERM), 0);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->first_failed, 1);
	assert_int_equal(bench.outcome->restarts, 2);
	assert_end(&bench, 1, 7, 0, 0);
	assert_end(&bench, 0, -1, SIGTERM, 1);
	bench_clear(&bench);
}

static void pauses_double_up_to_a_limit_and_calm_forgets(void **state)
{
	static const uint64_t due[] = { 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
	struct restart restart = { 0 };
	uint64_t pause_ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(due); i++) {
		assert_true(restart_next(&restart, LAUNCH_NO_LIMIT, RESTART_CALM_MS - 1, &pause_ms));
		assert_int_equal(pause_ms, due[i]);
		assert_int_equal(restart.count, i + 1);
	}
	assert_false(restart_next(&restart, ARRAY_SIZE(due), 0, &pause_ms));
	assert_true(restart_next(&restart, ARRAY_SIZE(due) + 1, RESTART_CALM_MS, &pause_ms));
	assert_int_equal(pause_ms, due[0]);
	assert_false(restart_next(&(struct restart){ 0 }, 0, 0, &pause_ms));
}

static void when_the_time_is_over_all_are_stopped(void **state)
{
	struct bench bench;
	const long begin = now_ms();

	(void)state;
	bench_init(&bench, "exec sleep 60", 2);
	bench.orders.timeout_ms = 300;
	bench_start(&bench);
	bench_finish(&bench);
	assert_in_range(now_ms() - begin, 300, 5000);
	assert_true(bench.outcome->went.timed_out);
	assert_int_equal(bench.outcome->ends[bench.outcome->first_failed].signal, SIGTERM);
	assert_end(&bench, 0, -1, SIGTERM, 1);
	assert_end(&bench, 1, -1, SIGTERM, 1);
	bench_clear(&bench);
}

static void staggered_starts_have_their_distance(void **state)
{
	struct bench bench;
	const long begin = now_ms();

	(void)state;
	bench_init(&bench, "echo $$ >pid$I", 3);
	bench.orders.stagger_ms = 200;
	bench_start(&bench);
	(void)bench_read_pid(&bench, "pid0");
	assert_int_equal(bench.outcome->told_started, 0);
	bench_finish(&bench);
	assert_in_range(now_ms() - begin, 400, 5000);
	assert_true(bench.outcome->told_started > 0);
	bench_clear(&bench);
}

/* A daemon of the script's: a session of its own, its parent gone. */
#define DAEMON "setsid sh -c 'echo $$ >daemon$I; exec sleep 60' & while ! [ -s daemon$I ]; do sleep 0.01; done; "

static void what_a_child_leaves_behind_is_stopped_while_others_go_on(void **state)
{
	struct bench bench;
	pid_t daemons[2];

	(void)state;
	bench_init(&bench, DAEMON "case $I in 0) exit 0;; esac; while ! [ -e go ]; do sleep 0.01; done", 2);
	bench.extra[0] = "FETTLE_PLAN=1;i=0/2";
	bench.extra[1] = "FETTLE_PLAN=1;i=1/2";
	bench_start(&bench);
	daemons[0] = bench_read_pid(&bench, "daemon0");
	daemons[1] = bench_read_pid(&bench, "daemon1");
	while (kill(daemons[0], 0) == 0) /* until the alarm */
		(void)usleep(5000);
	assert_int_equal(kill(daemons[1], 0), 0);
	bench_make(&bench, "go");
	bench_finish(&bench);
	assert_int_equal(kill(daemons[1], 0), -1);
	assert_int_equal(bench.outcome->first_failed, -1);
	bench_clear(&bench);
}

static void a_killed_child_leaves_nothing(void **state)
{
	struct bench bench;
	pid_t pid, daemon;

	(void)state;
	bench_init(&bench, "echo $$ >pid$I; " DAEMON "exec sleep 60", 1);
	bench_start(&bench);
	pid = bench_read_pid(&bench, "pid0");
	daemon = bench_read_pid(&bench, "daemon0");
	assert_int_equal(kill(pid, SIGKILL), 0);
	bench_finish(&bench);
	assert_int_equal(kill(daemon, 0), -1);
	assert_end(&bench, 0, -1, SIGKILL, 0);
	bench_clear(&bench);
}

static void the_second_ctrl_c_kills(void **state)
{
	struct bench bench;
	const long begin = now_ms();

	(void)state;
	bench_init(&bench, "trap 'echo x >got$I' INT; echo $$ >pid$I; while :; do sleep 0.05; done", 2);
	bench_start(&bench);
	(void)bench_read_pid(&bench, "pid0");
	(void)bench_read_pid(&bench, "pid1");
	for (unsigned i = 0; i < 2; i++) { /* at once: one and the same request */
		assert_int_equal(kill(bench.supervisor, SIGINT), 0);
		(void)usleep(20000);
	}
	(void)usleep(400000);
	assert_state(bench_read_pid(&bench, "pid0"), 'S');
	assert_int_equal(kill(bench.supervisor, SIGINT), 0);
	bench_finish(&bench);
	assert_in_range(now_ms() - begin, 400, 4000);
	assert_end(&bench, 0, -1, SIGKILL, 1);
	assert_end(&bench, 1, -1, SIGKILL, 1);
	bench_clear(&bench);
}

static void usage_is_the_childs_own(void **state)
{
	const struct launch_end *ends;
	struct bench bench;

	(void)state;
	bench_init(&bench, "case $I in 1) sleep 0.5; exit 0;; esac; n=0; while [ $n -lt 100000 ]; do n=$((n+1)); done",
		   2);
	bench_start(&bench);
	bench_finish(&bench);
	ends = bench.outcome->ends;
	assert_true(ends[0].usage.cpu_ns > 5 * ends[1].usage.cpu_ns);
	assert_true(ends[0].usage.cpu_ns <= 2 * ends[0].usage.wall_ns);
	assert_true(ends[1].usage.wall_ns > 500000000U);
	assert_in_range(ends[0].usage.max_rss_bytes, 200000, 100000000);
	bench_clear(&bench);
}

static int be_subreaper(void **state)
{
	(void)state;
	(void)alarm(120); /* a hang is a failure, not a wait */
	return prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_going_the_others_end_as_they_like),
		cmocka_unit_test(restarts_are_counted_and_limited),
		cmocka_unit_test(one_that_recovers_has_not_failed),
		cmocka_unit_test(who_looks_is_called_when_it_wants_to_be),
		cmocka_unit_test(who_looks_may_stop_all),
		cmocka_unit_test(told_to_stop_nothing_is_started_again),
		cmocka_unit_test(pauses_double_up_to_a_limit_and_calm_forgets),
		cmocka_unit_test(when_the_time_is_over_all_are_stopped),
		cmocka_unit_test(staggered_starts_have_their_distance),
		cmocka_unit_test(what_a_child_leaves_behind_is_stopped_while_others_go_on),
		cmocka_unit_test(a_killed_child_leaves_nothing),
		cmocka_unit_test(the_second_ctrl_c_kills),
		cmocka_unit_test(usage_is_the_childs_own),
	};

	return cmocka_run_group_tests(tests, be_subreaper, NULL);
}

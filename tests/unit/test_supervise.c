/* SPDX-License-Identifier: Apache-2.0 */
/* Supervision with real children. */
#include "launch_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void all_that_succeed_are_waited_for(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, "case $I in 2) sleep 0.2;; esac; echo $$ >$I", 4);
	bench_start(&bench);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->result, 0);
	assert_int_equal(bench.outcome->first_failed, -1);
	assert_int_equal(bench.outcome->told_started, 4);
	for (unsigned i = 0; i < 4; i++) {
		char name[2] = { (char)('0' + i), '\0' };

		assert_end(&bench, i, 0, 0, 0);
		assert_int_equal(bench.outcome->ends[i].pid, bench_read_pid(&bench, name));
	}
	bench_clear(&bench);
}

static void the_first_failure_stops_the_others(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, "case $I in 1) sleep 0.1; exit 7;; 2) exit 0;; esac; exec sleep 60", 3);
	bench_start(&bench);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->result, 0);
	assert_int_equal(bench.outcome->first_failed, 1);
	assert_end(&bench, 0, -1, SIGTERM, 1);
	assert_end(&bench, 1, 7, 0, 0);
	assert_end(&bench, 2, 0, 0, 0);
	bench_clear(&bench);
}

static void death_by_a_signal_is_a_failure(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, "case $I in 1) kill -SEGV $$;; esac; exec sleep 60", 2);
	bench_start(&bench);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->first_failed, 1);
	assert_end(&bench, 1, -1, SIGSEGV, 0);
	assert_end(&bench, 0, -1, SIGTERM, 1);
	bench_clear(&bench);
}

static void the_first_in_time_is_named_though_both_are_reaped_at_once(void **state)
{
	struct bench bench;
	pid_t pids[2];

	(void)state;
	if (syscall(SYS_pidfd_open, getpid(), 0) < 0) {
		print_message("skipped: no pidfds here, the order of ends is not known\n");
		skip();
	}
	bench_init(&bench, "echo $$ >pid$I; while ! [ -e go$I ]; do sleep 0.01; done; exit 1$I", 2);
	bench_start(&bench);
	pids[0] = bench_read_pid(&bench, "pid0");
	pids[1] = bench_read_pid(&bench, "pid1");
	bench_await_told(&bench); /* the second child may speak before the supervisor watches it */
	assert_int_equal(kill(bench.supervisor, SIGSTOP), 0);
	assert_state(bench.supervisor, 'T');
	bench_make(&bench, "go1");
	assert_state(pids[1], 'Z');
	bench_make(&bench, "go0");
	assert_state(pids[0], 'Z');
	assert_int_equal(kill(bench.supervisor, SIGCONT), 0);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->first_failed, 1);
	assert_end(&bench, 1, 11, 0, 0);
	bench_clear(&bench);
}

static void one_that_will_not_stop_is_killed_after_five_seconds(void **state)
{
	struct bench bench;
	long begin;

	(void)state;
	bench_init(&bench,
		   "case $I in 0) while ! [ -e ready ]; do sleep 0.01; done; exit 3;; esac;"
		   "trap '' TERM; : >ready; while :; do sleep 0.05; done",
		   2);
	begin = now_ms();
	bench_start(&bench);
	bench_finish(&bench);
	assert_in_range(now_ms() - begin, 4900, 15000);
	assert_int_equal(bench.outcome->first_failed, 0);
	assert_end(&bench, 0, 3, 0, 0);
	assert_end(&bench, 1, -1, SIGKILL, 1);
	while (waitpid(-1, NULL, 0) > 0) /* the last sleep of its loop */
		continue;
	bench_clear(&bench);
}

static void signals_are_handed_on(void **state)
{
	static const struct {
		int number;
		const char *script;
		int stopped;
	} rows[] = {
		{ SIGINT, "trap 'exit 40' INT; echo $$ >pid$I; while :; do sleep 0.05; done", 1 },
		{ SIGTERM, "trap 'exit 40' TERM; echo $$ >pid$I; while :; do sleep 0.05; done", 1 },
		{ SIGHUP, "trap 'exit 0' HUP; echo $$ >pid$I; while :; do sleep 0.05; done", 0 },
		{ SIGUSR1, "trap 'exit 0' USR1; echo $$ >pid$I; while :; do sleep 0.05; done", 0 },
		{ SIGUSR2, "trap 'exit 0' USR2; echo $$ >pid$I; while :; do sleep 0.05; done", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench bench;

		bench_init(&bench, rows[i].script, 2);
		bench_start(&bench);
		(void)bench_read_pid(&bench, "pid0");
		(void)bench_read_pid(&bench, "pid1");
		assert_int_equal(kill(bench.supervisor, rows[i].number), 0);
		bench_finish(&bench);
		for (size_t k = 0; k < 2; k++)
			assert_end(&bench, k, rows[i].stopped ? 40 : 0, 0, rows[i].stopped);
		assert_int_equal(bench.outcome->first_failed >= 0, rows[i].stopped);
		bench_clear(&bench);
	}
}

static void a_slow_answer_to_sigterm_is_not_cut_short(void **state)
{
	struct bench bench;

	/* Instance 0 dies of the signal at once; that is no failure that would have 1 killed. */
	(void)state;
	bench_init(&bench,
		   "case $I in 0) echo $$ >pid0; exec sleep 60;; esac;"
		   "n=0; trap 'n=$((n+1))' TERM; echo $$ >pid1;"
		   "while [ $n = 0 ]; do sleep 0.05; done;"
		   "for i in 1 2 3 4 5 6; do sleep 0.1; done; exit $((20+n))",
		   2);
	bench_start(&bench);
	(void)bench_read_pid(&bench, "pid0");
	(void)bench_read_pid(&bench, "pid1");
	assert_int_equal(kill(bench.supervisor, SIGTERM), 0);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->first_failed, 0);
	assert_end(&bench, 0, -1, SIGTERM, 1);
	assert_end(&bench, 1, 21, 0, 1);
	bench_clear(&bench);
}

static int ignore_two_signals(void)
{
	return signal(SIGHUP, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_IGN) == SIG_ERR ||
	       !freopen("out", "w", stdout);
}

static void what_we_were_told_to_ignore_stays_ignored(void **state)
{
	char *const argv[] = { (char *)"grep", (char *)"SigIgn", (char *)"/proc/self/status", NULL };
	static const char ignored[] = "SigIgn:\t0000000000010001"; /* SIGHUP and SIGCHLD */
	struct bench bench;
	char text[64];

	/* As under nohup; with SIGCHLD ignored too, the ends must be known all the same. */
	(void)state;
	bench_init(&bench, NULL, 1);
	bench.path = "/bin/grep"; /* a shell would set SIGCHLD */
	bench.argv = argv;
	bench.before = ignore_two_signals;
	bench_start(&bench);
	bench_finish(&bench);
	assert_end(&bench, 0, 0, 0, 0);
	bench_read(&bench, "out", text, sizeof(text));
	assert_memory_equal(text, ignored, strlen(ignored));
	bench_clear(&bench);
}

static void ctrl_c_reaches_a_child_once(void **state)
{
	struct bench bench;
	char text[8];
	int master;

	/* The supervisor sleeps until the children have had the terminal's: a second one would not merge with it. */
	(void)state;
	bench_init(&bench,
		   "n=0; trap 'n=$((n+1)); echo x >got$I' INT; echo $$ >pid$I;"
		   "while ! [ -e go ]; do sleep 0.05; done;"
		   "for i in 1 2 3 4; do sleep 0.1; done; exit $((20+n))",
		   2);
	(void)fflush(NULL);
	bench.supervisor = forkpty(&master, NULL, NULL, NULL);
	assert_true(bench.supervisor >= 0);
	if (!bench.supervisor)
		bench_supervisor(&bench);
	(void)bench_read_pid(&bench, "pid0");
	(void)bench_read_pid(&bench, "pid1");
	assert_int_equal(kill(bench.supervisor, SIGSTOP), 0);
	assert_state(bench.supervisor, 'T');
	assert_int_equal(write(master, "\003", 1), 1);
	bench_read(&bench, "got0", text, sizeof(text));
	bench_read(&bench, "got1", text, sizeof(text));
	assert_int_equal(kill(bench.supervisor, SIGCONT), 0);
	bench_make(&bench, "go");
	bench_finish(&bench);
	(void)close(master);
	assert_end(&bench, 0, 21, 0, 1);
	assert_end(&bench, 1, 21, 0, 1);
	bench_clear(&bench);
}

static void no_child_outlives_a_killed_supervisor(void **state)
{
	struct bench bench;
	pid_t pids[3];
	int status;

	(void)state;
	bench_init(&bench, "trap '' HUP INT TERM; echo $$ >pid$I; exec sleep 60", 3);
	bench_start(&bench);
	for (unsigned i = 0; i < 3; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "pid%u", i);
		pids[i] = bench_read_pid(&bench, name);
	}
	assert_int_equal(kill(bench.supervisor, SIGKILL), 0);
	assert_int_equal(waitpid(bench.supervisor, &status, 0), bench.supervisor);
	for (unsigned i = 0; i < 3; i++) { /* we are their subreaper; a survivor would hang here until the alarm */
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
	}
	bench_clear(&bench);
}

static void a_missing_program_starts_nothing(void **state)
{
	char *const argv[] = { (char *)"program", NULL };
	struct bench bench;

	(void)state;
	bench_init(&bench, NULL, 2);
	bench.path = "/no/such/program";
	bench.argv = argv;
	bench_start(&bench);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->result, -ENOENT);
	assert_int_equal(bench.outcome->first_failed, 0);
	assert_string_equal(bench.outcome->text,
			    "cannot start instance 0: cannot execute '/no/such/program': No such file or directory");
	assert_int_equal(bench.outcome->ends[0].pid, 0);
	assert_int_equal(bench.outcome->ends[1].pid, 0);
	bench_clear(&bench);
}

static void one_that_cannot_start_stops_the_others(void **state)
{
	const size_t size = 4U << 20; /* one string may be 32 pages long */
	cleanup_free char *huge = malloc(size);
	struct bench bench;

	(void)state;
	assert_non_null(huge);
	memset(huge, 'x', size - 1);
	huge[1] = '=';
	huge[size - 1] = '\0';
	bench_init(&bench, "exec sleep 60", 3);
	bench.extra[1] = huge;
	bench_start(&bench);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->result, -E2BIG);
	assert_int_equal(bench.outcome->told_started, 0);
	assert_int_equal(bench.outcome->first_failed, 1);
	assert_non_null(strstr(bench.outcome->text, "instance 1"));
	assert_int_equal(bench.outcome->ends[1].pid, 0);
	assert_end(&bench, 0, -1, SIGTERM, 1);
	assert_end(&bench, 2, -1, SIGTERM, 1);
	bench_clear(&bench);
}

static void each_child_has_its_own_cpu_and_is_told_granted(void **state)
{
	struct bench bench;
	char cpus[2][16], expected[64], seen[64];

	(void)state;
	if (nth_cpu(1) < 0) {
		print_message("skipped: this process may use one CPU only\n");
		skip();
	}
	bench_init(&bench, "exec >$I; exec grep Cpus_allowed_list /proc/self/status", 2);
	for (unsigned i = 0; i < 2; i++) {
		(void)snprintf(cpus[i], sizeof(cpus[i]), "%d", nth_cpu(i));
		instance_clear(&bench.instances[i]);
		instance_init(&bench.instances[i], PIN_INSTANCE, cpus[i], MEMORY_NONE, "");
	}
	bench_start(&bench);
	bench_finish(&bench);
	for (unsigned i = 0; i < 2; i++) {
		char name[2] = { (char)('0' + i), '\0' };

		bench_read(&bench, name, seen, sizeof(seen));
		(void)snprintf(expected, sizeof(expected), "Cpus_allowed_list:\t%s\n", cpus[i]);
		assert_string_equal(seen, expected);
		assert_string_equal(bench.outcome->granted[i], cpus[i]);
		assert_int_equal(bench.outcome->ends[i].grant.affinity_error, 0);
	}
	bench_clear(&bench);
}

static void a_child_without_its_cpus_gets_the_environment_for_that(void **state)
{
	static const char *const seen[] = { "PLACES=own", "PLACES=none", "PLACES=none" };
	struct bench bench;
	char cpus[3][32], text[32];

	/* All granted; one of two that is not there; none. Without a second environment it is the first. */
	(void)state;
	(void)snprintf(cpus[0], sizeof(cpus[0]), "%d", nth_cpu(0));
	(void)snprintf(cpus[1], sizeof(cpus[1]), "%d,8000", nth_cpu(0));
	(void)snprintf(cpus[2], sizeof(cpus[2]), "8000");
	for (unsigned with = 0; with < 2; with++) {
		bench_init(&bench, "echo PLACES=$PLACES >$I", 3);
		bench.unpinned = with ? "PLACES=none" : NULL;
		for (unsigned i = 0; i < 3; i++) {
			bench.extra[i] = "PLACES=own";
			instance_clear(&bench.instances[i]);
			instance_init(&bench.instances[i], PIN_THREADS, cpus[i], MEMORY_NONE, "");
		}
		bench_start(&bench);
		bench_finish(&bench);
		for (unsigned i = 0; i < 3; i++) {
			const char name[2] = { (char)('0' + i), '\0' };

			bench_read(&bench, name, text, sizeof(text));
			text[strcspn(text, "\n")] = '\0';
			assert_string_equal(text, with ? seen[i] : "PLACES=own");
			assert_int_equal(bench.outcome->ends[i].grant.affinity_unmet, i > 0);
			assert_end(&bench, i, 0, 0, 0);
		}
		bench_clear(&bench);
	}
}

static void each_child_has_its_own_memory_policy(void **state)
{
	static const enum memory_policy policies[] = { MEMORY_BIND, MEMORY_PREFERRED, MEMORY_NONE };
	static const char *const words[] = { " bind:0 ", " prefer:0 ", " default " };
	struct bench bench;
	char seen[4096];

	(void)state;
	if (access("/proc/self/numa_maps", R_OK) < 0) {
		print_message("skipped: this kernel has no NUMA\n");
		skip();
	}
	bench_init(&bench, "exec >$I; exec cat /proc/self/numa_maps", 3);
	for (unsigned i = 0; i < 3; i++) {
		instance_clear(&bench.instances[i]);
		instance_init(&bench.instances[i], PIN_NONE, "", policies[i], "0");
	}
	bench_start(&bench);
	bench_finish(&bench);
	for (unsigned i = 0; i < 3; i++) {
		char name[2] = { (char)('0' + i), '\0' };

		bench_read(&bench, name, seen, sizeof(seen));
		assert_non_null(strstr(seen, words[i]));
		assert_int_equal(bench.outcome->ends[i].grant.memory_error, 0);
		assert_int_equal(bench.outcome->ends[i].grant.memory_granted, policies[i]);
	}
	bench_clear(&bench);
}

static int refuse_policy(void)
{
	return refuse(SYS_set_mempolicy, EPERM);
}

static void a_child_refused_its_policy_runs_all_the_same(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, "exit 0", 1);
	bench.before = refuse_policy;
	bench.instances[0].memory_policy = MEMORY_LOCAL;
	bench_start(&bench);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->result, 0);
	assert_end(&bench, 0, 0, 0, 0);
	assert_int_equal(bench.outcome->ends[0].grant.memory_error, -EPERM);
	assert_int_equal(bench.outcome->ends[0].grant.memory_asked, MEMORY_LOCAL);
	assert_int_equal(bench.outcome->ends[0].grant.memory_granted, MEMORY_NONE);
	bench_clear(&bench);
}

static int refuse_pidfds(void)
{
	return refuse(SYS_pidfd_open, ENOSYS);
}

static void without_pidfds_every_end_is_still_seen(void **state)
{
	struct bench bench;

	(void)state;
	bench_init(&bench, "case $I in 1) exit 7;; esac; exec sleep 60", 3);
	bench.before = refuse_pidfds;
	bench_start(&bench);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->first_failed, 1);
	assert_end(&bench, 1, 7, 0, 0);
	assert_end(&bench, 2, -1, SIGTERM, 1);
	bench_clear(&bench);
}

static int input_from_file(void)
{
	int fd = open("input", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 || write(fd, "hello\n", 6) != 6 || lseek(fd, 0, SEEK_SET) != 0 || dup2(fd, STDIN_FILENO) < 0;
}

static int input_closed(void)
{
	return close(STDIN_FILENO);
}

static void only_instance_0_keeps_stdin(void **state)
{
	struct bench bench;
	char text[64];

	(void)state;
	bench_init(&bench, "read line; echo \"[$line]\" >$I", 2);
	bench.before = input_from_file;
	bench_start(&bench);
	bench_finish(&bench);
	bench_read(&bench, "0", text, sizeof(text));
	assert_string_equal(text, "[hello]\n");
	bench_read(&bench, "1", text, sizeof(text));
	assert_string_equal(text, "[]\n");
	bench_clear(&bench);
}

static void a_closed_stdin_is_not_filled_with_a_file_of_ours(void **state)
{
	struct bench bench;
	char text[64];

	(void)state;
	bench_init(&bench, "exec 9>$I; (exec 3<&0) 2>/dev/null && echo open >&9 || echo closed >&9", 2);
	bench.before = input_closed;
	bench_start(&bench);
	bench_finish(&bench);
	assert_int_equal(bench.outcome->result, 0);
	bench_read(&bench, "0", text, sizeof(text));
	assert_string_equal(text, "closed\n");
	bench_read(&bench, "1", text, sizeof(text));
	assert_string_equal(text, "open\n"); /* /dev/null */
	bench_clear(&bench);
}

static void no_descriptor_leaks_into_a_child(void **state)
{
	struct bench bench;
	char text[512];

	(void)state;
	bench_init(&bench,
		   "case $I in 1) ls -l /proc/$$/fd | grep -E 'pipe|eventpoll|pidfd|null' >files;"
		   "echo end >>files;; esac; exit 0",
		   2);
	bench_start(&bench);
	bench_finish(&bench);
	bench_read(&bench, "files", text, sizeof(text));
	assert_null(strstr(text, "eventpoll"));
	assert_null(strstr(text, "pidfd"));
	assert_non_null(strstr(text, " 0 -> /dev/null\n"));
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
		cmocka_unit_test(all_that_succeed_are_waited_for),
		cmocka_unit_test(the_first_failure_stops_the_others),
		cmocka_unit_test(death_by_a_signal_is_a_failure),
		cmocka_unit_test(the_first_in_time_is_named_though_both_are_reaped_at_once),
		cmocka_unit_test(one_that_will_not_stop_is_killed_after_five_seconds),
		cmocka_unit_test(signals_are_handed_on),
		cmocka_unit_test(a_slow_answer_to_sigterm_is_not_cut_short),
		cmocka_unit_test(what_we_were_told_to_ignore_stays_ignored),
		cmocka_unit_test(ctrl_c_reaches_a_child_once),
		cmocka_unit_test(no_child_outlives_a_killed_supervisor),
		cmocka_unit_test(a_missing_program_starts_nothing),
		cmocka_unit_test(one_that_cannot_start_stops_the_others),
		cmocka_unit_test(each_child_has_its_own_cpu_and_is_told_granted),
		cmocka_unit_test(each_child_has_its_own_memory_policy),
		cmocka_unit_test(a_child_without_its_cpus_gets_the_environment_for_that),
		cmocka_unit_test(a_child_refused_its_policy_runs_all_the_same),
		cmocka_unit_test(without_pidfds_every_end_is_still_seen),
		cmocka_unit_test(only_instance_0_keeps_stdin),
		cmocka_unit_test(a_closed_stdin_is_not_filled_with_a_file_of_ours),
		cmocka_unit_test(no_descriptor_leaks_into_a_child),
	};

	return cmocka_run_group_tests(tests, be_subreaper, NULL);
}

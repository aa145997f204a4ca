/* SPDX-License-Identifier: Apache-2.0 */
/* What we may do, in processes that may do less than this one. */
#include "base/err.h"
#include "base/json.h"
#include "launch_help.h"
#include "machine/machine.h"
#include "machine/may.h"
#include "machine/may_probe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct machine *machine_with_may(const char *spec)
{
	cleanup_machine struct machine *machine = NULL;
	struct err err = { 0 };

	if (machine_read(spec, &machine, &err) < 0 || machine_read_may(machine, &err) < 0)
		return NULL;
	return TAKE(machine);
}

/* The right is refused, with these words. */
static bool refused(const struct machine *machine, enum may_right right, const char *words)
{
	const struct fact *fact = &machine->may->rights[right];

	return fact->state == FACT_KNOWN && !fact->value && fact->raw && strcmp(fact->raw, words) == 0;
}

static bool granted(const struct machine *machine, enum may_right right)
{
	const struct fact *fact = &machine->may->rights[right];

	return fact->state == FACT_KNOWN && fact->value && !fact->raw;
}

static int look_without_mempolicy(void)
{
	cleanup_machine struct machine *machine = NULL;

	CHECK(refuse(SYS_set_mempolicy, EPERM) == 0);
	machine = machine_with_may(NULL);
	CHECK(machine);
	for (enum may_right i = MAY_BIND_MEMORY; i <= MAY_LOCAL_MEMORY; i++)
		CHECK(refused(machine, i, "Operation not permitted"));
	CHECK(granted(machine, MAY_BIND_CPU));
	CHECK(!refused(machine, MAY_BIND_RANGE, "Operation not permitted"));
	return 0;
}

static void a_refused_policy_is_told_with_the_kernels_word(void **state)
{
	(void)state;
	assert_int_equal(in_process(look_without_mempolicy), 0);
}

/* What kernels 3.8 to 5.13 answer, those of RHEL 8 and Ubuntu 20.04 among them. */
static void an_older_kernels_local_policy_is_kept(void **state)
{
	(void)state;
	assert_true(may_policy_kept(MPOL_LOCAL, MPOL_LOCAL));
	assert_true(may_policy_kept(MPOL_LOCAL, MPOL_PREFERRED));
	assert_false(may_policy_kept(MPOL_LOCAL, MPOL_DEFAULT));
	assert_false(may_policy_kept(MPOL_BIND, MPOL_PREFERRED));
}

static int look_without_calls(void)
{
	static const struct {
		int number;
		enum may_right right;
	} calls[] = {
		{ SYS_sched_setaffinity, MAY_BIND_CPU }, { SYS_mbind, MAY_BIND_RANGE },
		{ SYS_move_pages, MAY_MOVE_PAGES },      { SYS_migrate_pages, MAY_MIGRATE_PAGES },
		{ SYS_perf_event_open, MAY_COUNTERS },   { SYS_perf_event_open, MAY_SOFTWARE_COUNTERS },
		{ SYS_ptrace, MAY_TRACE_CHILDREN },      { SYS_ptrace, MAY_TRACE_OTHERS },
	};
	cleanup_machine struct machine *machine = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		CHECK(refuse(calls[i].number, ENOSYS) == 0);
	machine = machine_with_may(NULL);
	CHECK(machine);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		CHECK(refused(machine, calls[i].right, "Function not implemented"));
	return 0;
}

static void calls_the_kernel_does_not_have_are_refused_too(void **state)
{
	(void)state;
	assert_int_equal(in_process(look_without_calls), 0);
}

static int look_under_a_deadly_filter(void)
{
	cleanup_machine struct machine *machine = NULL;

	CHECK(refuse_by_death(SYS_move_pages) == 0);
	machine = machine_with_may(NULL);
	CHECK(machine);
	CHECK(refused(machine, MAY_MOVE_PAGES, "a filter ends whoever tries"));
	CHECK(granted(machine, MAY_BIND_CPU));
	return 0;
}

static void a_filter_that_kills_does_not_kill_us(void **state)
{
	(void)state;
	assert_int_equal(in_process(look_under_a_deadly_filter), 0);
}

static int look_with_nothing_left_behind(void)
{
	cleanup_machine struct machine *machine = NULL;
	unsigned long before[128] = { 0 }, after[128] = { 0 };
	int policy = -1, next = dup(STDERR_FILENO);
	struct rlimit core_before = { 0, 0 }, core_after = { 0, 0 };
	sigset_t mask_before = { { 0 } }, mask_after = { { 0 } };

	CHECK(next >= 0 && close(next) == 0);
	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(before), before) > 0);
	CHECK(getrlimit(RLIMIT_CORE, &core_before) == 0 && sigprocmask(SIG_SETMASK, NULL, &mask_before) == 0);
	machine = machine_with_may(NULL);
	CHECK(machine);
	CHECK(syscall(SYS_sched_getaffinity, 0, sizeof(after), after) > 0);
	CHECK(memcmp(before, after, sizeof(before)) == 0);
	CHECK(syscall(SYS_get_mempolicy, &policy, NULL, 0, NULL, 0) < 0 || policy == 0);
	CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
	CHECK(dup(STDERR_FILENO) == next);
	CHECK(getrlimit(RLIMIT_CORE, &core_after) == 0 && core_before.rlim_cur == core_after.rlim_cur);
	CHECK(sigprocmask(SIG_SETMASK, NULL, &mask_after) == 0);
	CHECK(memcmp(&mask_before, &mask_after, sizeof(mask_before)) == 0);
	return 0;
}

static void trying_leaves_no_trace(void **state)
{
	(void)state;
	assert_int_equal(in_process(look_with_nothing_left_behind), 0);
}

static int look_with_children_ignored(void)
{
	cleanup_machine struct machine *machine = NULL;

	CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR && refuse(SYS_ptrace, EPERM) == 0);
	machine = machine_with_may(NULL);
	CHECK(machine && granted(machine, MAY_BIND_CPU));
	CHECK(refused(machine, MAY_TRACE_CHILDREN, "Operation not permitted"));
	CHECK(refused(machine, MAY_TRACE_OTHERS, "Operation not permitted"));
	return 0;
}

static void who_ignores_children_still_hears_them(void **state)
{
	(void)state;
	assert_int_equal(in_process(look_with_children_ignored), 0);
}

static int look_unprivileged(void)
{
	cleanup_machine struct machine *machine = NULL;
	const struct fact *counters;

	if (geteuid() == 0)
		CHECK(setgid(65534) == 0 && setuid(65534) == 0);
	machine = machine_with_may(NULL);
	CHECK(machine);
	counters = &machine->may->rights[MAY_SOFTWARE_COUNTERS];
	/* Whatever perf_event_paranoid says here: a counter that stays at 0 is not taken for one that counts. */
	CHECK(counters->state == FACT_KNOWN);
	CHECK(counters->value || strcmp(counters->raw, "opens, and counts nothing") == 0 ||
	      strcmp(counters->raw, "Permission denied") == 0 || strcmp(counters->raw, "Operation not permitted") == 0);
	return 0;
}

static void counters_that_count_nothing_are_not_granted(void **state)
{
	(void)state;
	assert_int_equal(in_process(look_unprivileged), 0);
}

static int look_with_few_files(void)
{
	const struct rlimit few = { 64, 128 };
	cleanup_machine struct machine *machine = NULL;
	json_t *unknown = json_array(), *object, *limit;

	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	machine = machine_with_may(NULL);
	CHECK(machine);
	CHECK(machine->may->limits[LIMIT_OPEN_FILES].soft == 64 && machine->may->limits[LIMIT_OPEN_FILES].hard == 128);
	object = may_to_json(machine->may, unknown);
	limit = json_object_get(json_object_get(object, "limits"), "open_files");
	CHECK(json_integer_value(json_object_get(limit, "soft")) == 64);
	CHECK(json_is_true(json_object_get(object, "bind_cpu")));
	json_decref(object);
	json_decref(unknown);
	return 0;
}

static void limits_are_those_of_this_process(void **state)
{
	(void)state;
	assert_int_equal(in_process(look_with_few_files), 0);
}

static void on_another_machine_nothing_is_tried(void **state)
{
	cleanup_machine struct machine *machine = machine_with_may("synthetic:core:2 pu:2");
	json_t *document;

	(void)state;
	assert_non_null(machine);
	assert_null(machine->may);
	document = machine_to_json(machine);
	assert_null(json_object_get(document, "may"));
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_policy_is_told_with_the_kernels_word),
		cmocka_unit_test(an_older_kernels_local_policy_is_kept),
		cmocka_unit_test(calls_the_kernel_does_not_have_are_refused_too),
		cmocka_unit_test(a_filter_that_kills_does_not_kill_us),
		cmocka_unit_test(trying_leaves_no_trace),
		cmocka_unit_test(who_ignores_children_still_hears_them),
		cmocka_unit_test(counters_that_count_nothing_are_not_granted),
		cmocka_unit_test(limits_are_those_of_this_process),
		cmocka_unit_test(on_another_machine_nothing_is_tried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

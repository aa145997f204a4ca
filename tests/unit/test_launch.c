/* SPDX-License-Identifier: Apache-2.0 */
/* Binding and exec, seen from the bound process and from the program. */
#include "base/cpulist.h"
#include "base/err.h"
#include "launch/launch.h"
#include "launch_help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

static const struct launch_program *program_now; /* what become() executes: forked functions take no argument */
static char *const *environment_now;

static int become(void)
{
	struct err err = { 0 };
	int r = launch_exec(program_now, environment_now ? environment_now : environ, &err);

	(void)fprintf(stderr, "%s\n", err.text);
	return -r;
}

static int become_plainly(void)
{
	(void)execve(program_now->path, program_now->argv, environ);
	return errno;
}

/* How launch_exec() fails for `path`: as an errno. */
static int failure_of(const char *path, struct err *err)
{
	char *const argv[] = { (char *)path, NULL };
	const struct launch_program program = { path, argv };

	return launch_exec(&program, environ, err);
}

static int first_cpu_only(void)
{
	cleanup_instance struct plan_instance instance;
	cleanup_grant struct launch_grant grant = { 0 };
	struct err err = { 0 };
	char cpus[32];

	/* Beside a CPU we may use, two that do not exist, one of them far beyond a cpu_set_t. */
	(void)snprintf(cpus, sizeof(cpus), "%d,900,8000", nth_cpu(0));
	instance_init(&instance, PIN_INSTANCE, cpus, MEMORY_NONE, "0");
	CHECK(launch_bind(&instance, &grant, &err) == 0);
	CHECK(grant.affinity_error == 0);
	CHECK(grant.affinity_unmet);
	CHECK(hwloc_bitmap_isequal(grant.affinity_asked, instance.mask_os));
	CHECK(hwloc_bitmap_weight(grant.affinity_granted) == 1);
	CHECK(hwloc_bitmap_isset(grant.affinity_granted, (unsigned)nth_cpu(0)));
	CHECK(nth_cpu(1) == -1);
	return 0;
}

static void the_grant_is_what_the_kernel_made_of_the_mask(void **state)
{
	(void)state;
	assert_int_equal(in_process(first_cpu_only), 0);
}

static int a_mask_that_is_ours(void)
{
	cleanup_instance struct plan_instance instance;
	cleanup_grant struct launch_grant grant = { 0 };
	struct err err = { 0 };
	char cpus[16];

	(void)snprintf(cpus, sizeof(cpus), "%d", nth_cpu(0));
	instance_init(&instance, PIN_INSTANCE, cpus, MEMORY_NONE, "0");
	CHECK(launch_bind(&instance, &grant, &err) == 0);
	CHECK(!grant.affinity_unmet);
	CHECK(hwloc_bitmap_isequal(grant.affinity_granted, instance.mask_os));
	return 0;
}

static int a_mask_whose_grant_cannot_be_read(void)
{
	cleanup_instance struct plan_instance instance;
	cleanup_grant struct launch_grant grant = { 0 };
	struct err err = { 0 };
	char cpus[16];

	/* Nothing is known to be wrong: no alarm. */
	(void)snprintf(cpus, sizeof(cpus), "%d", nth_cpu(0));
	instance_init(&instance, PIN_INSTANCE, cpus, MEMORY_NONE, "0");
	CHECK(refuse(SYS_sched_getaffinity, ENOSYS) == 0);
	CHECK(launch_bind(&instance, &grant, &err) == 0);
	CHECK(!grant.affinity_unmet && !grant.affinity_granted);
	return 0;
}

static void a_mask_is_unmet_only_where_the_kernel_says_so(void **state)
{
	(void)state;
	assert_int_equal(in_process(a_mask_that_is_ours), 0);
	assert_int_equal(in_process(a_mask_whose_grant_cannot_be_read), 0);
}

static int impossible_mask(void)
{
	static const char *const masks[] = { "8000", "" };
	const int before = nth_cpu(0);

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		cleanup_instance struct plan_instance instance;
		cleanup_grant struct launch_grant grant = { 0 };
		struct err err = { 0 };

		instance_init(&instance, PIN_THREADS, masks[i], MEMORY_NONE, "");
		CHECK(launch_bind(&instance, &grant, &err) == 0);
		CHECK(grant.affinity_error == -EINVAL && grant.affinity_unmet);
		CHECK(hwloc_bitmap_first(grant.affinity_granted) == before);
	}
	return 0;
}

static void a_mask_without_a_cpu_leaves_the_old_one(void **state)
{
	(void)state;
	assert_int_equal(in_process(impossible_mask), 0);
}

static int refused_affinity(void)
{
	static const enum pin pins[] = { PIN_NONE, PIN_INSTANCE };

	CHECK(refuse(SYS_sched_setaffinity, EPERM) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(pins); i++) {
		cleanup_instance struct plan_instance instance;
		cleanup_grant struct launch_grant grant = { 0 };
		struct err err = { 0 };
		const bool asks = pins[i] != PIN_NONE;

		instance_init(&instance, pins[i], "0-7000", MEMORY_NONE, "");
		CHECK(launch_bind(&instance, &grant, &err) == 0);
		CHECK(grant.affinity_error == (asks ? -EPERM : 0));
		CHECK(grant.affinity_unmet == asks);
		CHECK(!!grant.affinity_asked == asks);
		CHECK(!!grant.affinity_granted == asks);
	}
	return 0;
}

static void a_refused_affinity_is_told_and_pin_none_asks_for_nothing(void **state)
{
	(void)state;
	assert_int_equal(in_process(refused_affinity), 0);
}

/* This thread's mode and nodes 0-63, or -errno. */
static int policy_now(unsigned long *ret_nodes)
{
	unsigned long nodes[16] = { 0 }; /* 1024 nodes: Linux has no more */
	int mode = -1;

	if (syscall(SYS_get_mempolicy, &mode, nodes, sizeof(nodes) * 8, NULL, 0) < 0)
		return -errno;
	*ret_nodes = nodes[0];
	return mode;
}

static bool names_nodes(enum memory_policy policy)
{
	return policy != MEMORY_NONE && policy != MEMORY_LOCAL;
}

static int every_policy(void)
{
	/* The order matters: each is set over the one before, and NONE leaves the last in place. */
	static const struct {
		enum memory_policy policy;
		const char *nodes;
		int mode;
		unsigned long mask;
	} rows[] = {
		{ MEMORY_NONE, "0", MPOL_DEFAULT, 0 },
		{ MEMORY_BIND, "0", MPOL_BIND, 1 },
		{ MEMORY_LOCAL, "0", MPOL_LOCAL, 0 },
		{ MEMORY_INTERLEAVE, "0", MPOL_INTERLEAVE, 1 },
		{ MEMORY_PREFERRED, "0", MPOL_PREFERRED, 1 },
		{ MEMORY_NONE, "0", MPOL_PREFERRED, 1 },
		{ MEMORY_PREFERRED, "0-63", MPOL_PREFERRED_MANY, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_instance struct plan_instance instance;
		cleanup_grant struct launch_grant grant = { 0 };
		unsigned long nodes = 0;
		struct err err = { 0 };

		instance_init(&instance, PIN_NONE, "", rows[i].policy, rows[i].nodes);
		CHECK(launch_bind(&instance, &grant, &err) == 0);
		CHECK(grant.memory_error == 0);
		CHECK(grant.memory_asked == rows[i].policy && grant.memory_granted == rows[i].policy);
		CHECK(names_nodes(rows[i].policy) ? hwloc_bitmap_isequal(grant.nodes_granted, instance.nodes_os) &&
							    hwloc_bitmap_isequal(grant.nodes_asked, instance.nodes_os)
						  : !grant.nodes_asked && !grant.nodes_granted);
		CHECK(policy_now(&nodes) == rows[i].mode);
		CHECK((nodes & 1) == rows[i].mask);
	}
	return 0;
}

static void each_policy_reaches_the_kernel(void **state)
{
	unsigned long nodes;

	(void)state;
	if (policy_now(&nodes) != MPOL_DEFAULT) {
		print_message("skipped: get_mempolicy is refused here, or a policy was set for us\n");
		skip();
	}
	assert_int_equal(in_process(every_policy), 0);
}

static int several_preferred_nodes(void)
{
	cleanup_instance struct plan_instance instance;
	cleanup_grant struct launch_grant grant = { 0 };
	unsigned long nodes = 0;
	struct err err = { 0 };

	/* As before Linux 5.15. */
	CHECK(refuse_argument(SYS_set_mempolicy, MPOL_PREFERRED_MANY, EINVAL) == 0);
	instance_init(&instance, PIN_NONE, "", MEMORY_PREFERRED, "0-63");
	CHECK(launch_bind(&instance, &grant, &err) == 0);
	CHECK(grant.memory_error == 0 && grant.memory_granted == MEMORY_PREFERRED);
	CHECK(hwloc_bitmap_isequal(grant.nodes_asked, instance.nodes_os));
	CHECK(hwloc_bitmap_weight(grant.nodes_granted) == 1 && hwloc_bitmap_isset(grant.nodes_granted, 0));
	CHECK(policy_now(&nodes) == MPOL_PREFERRED);
	CHECK(nodes == 1);
	return 0;
}

static int several_nodes_that_are_not(void)
{
	cleanup_instance struct plan_instance instance;
	cleanup_grant struct launch_grant grant = { 0 };
	struct err err = { 0 };

	CHECK(refuse_argument(SYS_set_mempolicy, MPOL_PREFERRED_MANY, EINVAL) == 0);
	instance_init(&instance, PIN_NONE, "", MEMORY_PREFERRED, "62,1000-2000");
	CHECK(launch_bind(&instance, &grant, &err) == 0);
	CHECK(grant.memory_error == -EINVAL && grant.memory_granted == MEMORY_NONE);
	CHECK(grant.nodes_asked && !grant.nodes_granted);
	return 0;
}

static void an_old_kernel_prefers_one_node_and_we_know_which(void **state)
{
	unsigned long nodes;

	(void)state;
	if (policy_now(&nodes) != MPOL_DEFAULT) {
		print_message("skipped: get_mempolicy is refused here, or a policy was set for us\n");
		skip();
	}
	assert_int_equal(in_process(several_preferred_nodes), 0);
	assert_int_equal(in_process(several_nodes_that_are_not), 0);
}

static int bind_and_unbind(void)
{
	cleanup_instance struct plan_instance instance;
	cleanup_grant struct launch_grant grant = { 0 };
	cleanup_bitmap hwloc_bitmap_t before = hwloc_bitmap_alloc();
	unsigned long nodes = 0;
	struct err err = { 0 };
	char cpus[16];

	for (unsigned i = 0; nth_cpu(i) >= 0; i++)
		CHECK(hwloc_bitmap_set(before, (unsigned)nth_cpu(i)) == 0);
	(void)snprintf(cpus, sizeof(cpus), "%d", nth_cpu(0));
	instance_init(&instance, PIN_INSTANCE, cpus, MEMORY_LOCAL, "");
	CHECK(launch_bind(&instance, &grant, &err) == 0);
	CHECK(nth_cpu(1) == -1 && policy_now(&nodes) == MPOL_LOCAL);
	CHECK(launch_unbind(&grant, before, &err) == 0);
	CHECK(policy_now(&nodes) == MPOL_DEFAULT);
	for (int os = hwloc_bitmap_first(before), i = 0; os >= 0; os = hwloc_bitmap_next(before, os), i++)
		CHECK(nth_cpu((unsigned)i) == os);
	return 0;
}

static void unbinding_gives_back_what_was_there(void **state)
{
	unsigned long nodes;

	(void)state;
	if (policy_now(&nodes) != MPOL_DEFAULT) {
		print_message("skipped: get_mempolicy is refused here, or a policy was set for us\n");
		skip();
	}
	assert_int_equal(in_process(bind_and_unbind), 0);
}

static int refusal_now; /* errno of the filter in refused_policies() */

static int refused_policies(void)
{
	static const enum memory_policy policies[] = { MEMORY_LOCAL, MEMORY_BIND, MEMORY_PREFERRED, MEMORY_INTERLEAVE };
	char cpus[16];

	CHECK(refuse(SYS_set_mempolicy, refusal_now) == 0);
	(void)snprintf(cpus, sizeof(cpus), "%d", nth_cpu(0));
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		cleanup_instance struct plan_instance instance;
		cleanup_grant struct launch_grant grant = { 0 };
		struct err err = { 0 };

		instance_init(&instance, PIN_INSTANCE, cpus, policies[i], "0-1");
		CHECK(launch_bind(&instance, &grant, &err) == 0);
		CHECK(grant.memory_error == -refusal_now);
		CHECK(grant.memory_asked == policies[i]);
		CHECK(grant.memory_granted == MEMORY_NONE && !grant.nodes_granted);
		CHECK(!!grant.nodes_asked == names_nodes(policies[i]));
		CHECK(grant.affinity_error == 0);
		CHECK(hwloc_bitmap_isequal(grant.affinity_granted, instance.mask_os));
	}
	return 0;
}

static void a_refused_policy_still_binds_the_cpus(void **state)
{
	static const int refusals[] = { EPERM, ENOSYS };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		refusal_now = refusals[i];
		assert_int_equal(in_process(refused_policies), 0);
	}
}

static int nodes_that_are_not(void)
{
	static const enum memory_policy policies[] = { MEMORY_BIND, MEMORY_PREFERRED, MEMORY_INTERLEAVE };
	static const char *const nodes[] = { "", "1000" };

	for (size_t i = 0; i < ARRAY_SIZE(policies) * ARRAY_SIZE(nodes); i++) {
		cleanup_instance struct plan_instance instance;
		cleanup_grant struct launch_grant grant = { 0 };
		struct err err = { 0 };

		instance_init(&instance, PIN_NONE, "", policies[i % 3], nodes[i / 3]);
		CHECK(launch_bind(&instance, &grant, &err) == 0);
		CHECK(grant.memory_error == -EINVAL || grant.memory_error == -EPERM || grant.memory_error == -ENOSYS);
		CHECK(grant.memory_granted == MEMORY_NONE);
	}
	return 0;
}

static void a_policy_over_no_node_is_not_granted(void **state)
{
	(void)state;
	assert_int_equal(in_process(nodes_that_are_not), 0);
}

static void arguments_and_environment_arrive_byte_for_byte(void **state)
{
	static const char script[] = "cat /proc/$$/cmdline /proc/$$/environ; exit 0";
	char every[256], variable[262] = "EVERY=", spaces[] = " two  words ", empty[] = "";
	char *const argv[] = { (char *)"odd name", (char *)"-c", (char *)script, empty, every, spaces, empty, NULL };
	char *const variables[] = { (char *)"A=1", (char *)"no equals sign", (char *)"A=2", variable, NULL };
	const struct launch_program program = { "/bin/sh", argv };
	char expected[2048], seen[2048];
	size_t length = 0, seen_length = 0;

	(void)state;
	for (int i = 0; i < 255; i++)
		every[i] = (char)(i + 1);
	every[255] = '\0';
	memcpy(variable + 6, every, sizeof(every));
	for (char *const *s = argv; *s; s++) {
		memcpy(expected + length, *s, strlen(*s) + 1);
		length += strlen(*s) + 1;
	}
	for (char *const *s = variables; *s; s++) {
		memcpy(expected + length, *s, strlen(*s) + 1);
		length += strlen(*s) + 1;
	}
	program_now = &program;
	environment_now = variables;
	assert_int_equal(output_of(become, seen, sizeof(seen), &seen_length), 0);
	environment_now = NULL;
	assert_int_equal(seen_length, length);
	assert_memory_equal(seen, expected, length);
}

static unsigned count_lines(const char *text)
{
	unsigned lines = 0;

	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines;
}

static void nothing_leaks_into_the_program(void **state)
{
	/* Signals and open files, as the program itself sees them: the same as after a plain execve(). No
	 * shell in between: dash clears the mask it inherits. */
	char *const signals[] = { (char *)"grep", (char *)"-E", (char *)"Sig(Blk|Ign|Cgt)", (char *)"/proc/self/status",
				  NULL };
	char *const files[] = { (char *)"ls", (char *)"-l", (char *)"--time-style=+", (char *)"/proc/self/fd/", NULL };
	const struct launch_program programs[] = { { "/bin/grep", signals }, { "/bin/ls", files } };
	static const char *const seen[] = { "SigBlk:\t0000000000000800", " 1 -> " };
	struct sigaction old_action;
	char plain[1024], ours[1024];
	sigset_t blocked, old_mask;

	(void)state;
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGUSR2);
	(void)sigprocmask(SIG_BLOCK, &blocked, &old_mask);
	(void)sigaction(SIGHUP, &(struct sigaction){ .sa_handler = SIG_IGN }, &old_action);
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		program_now = &programs[i];
		assert_int_equal(output_of(become_plainly, plain, sizeof(plain), NULL), 0);
		assert_int_equal(output_of(become, ours, sizeof(ours), NULL), 0);
		assert_non_null(strstr(plain, seen[i]));
		if (i == 0)
			assert_string_equal(ours, plain);
		else
			assert_int_equal(count_lines(ours), count_lines(plain));
	}
	(void)sigaction(SIGHUP, &old_action, NULL);
	(void)sigprocmask(SIG_SETMASK, &old_mask, NULL);
}

static void a_script_without_a_first_line_goes_to_the_shell(void **state)
{
	static const char text[] = "echo \"ran [$1] [$2]\"\nexit 3\n";
	char *path = make_file(text, strlen(text), 0755);
	char *const argv[] = { (char *)"name", (char *)"a b", (char *)"", NULL };
	const struct launch_program program = { path, argv };
	char seen[64];

	(void)state;
	program_now = &program;
	assert_int_equal(output_of(become, seen, sizeof(seen), NULL), 3);
	assert_string_equal(seen, "ran [a b] []\n");
	remove_file(path);
}

static void what_cannot_be_executed_is_told_apart(void **state)
{
	static const struct {
		const char *text;
		unsigned mode;
		int code;
		const char *words;
	} rows[] = {
		{ "\177ELF no machine of ours", 0755, -ENOEXEC, "Exec format error" },
		{ "#!/no/such/interpreter\n", 0755, -ENOEXEC, "interpreter does not exist" },
		{ "#!/bin/sh\n", 0644, -EACCES, "Permission denied" },
	};
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *path = make_file(rows[i].text, strlen(rows[i].text), rows[i].mode);

		assert_int_equal(failure_of(path, &err), rows[i].code);
		assert_int_equal(err.code, rows[i].code);
		assert_non_null(strstr(err.text, path));
		assert_non_null(strstr(err.text, rows[i].words));
		remove_file(path);
	}
	assert_int_equal(failure_of("/no/such/program", &err), -ENOENT);
	assert_string_equal(err.text, "cannot execute '/no/such/program': No such file or directory");
	assert_int_equal(failure_of("/tmp", &err), -EACCES);
}

static void too_much_to_pass_on_is_said(void **state)
{
	/* One string may be 32 pages long. */
	const size_t size = 4U << 20;
	cleanup_free char *huge = malloc(size);
	char *const argv[] = { (char *)"true", huge, NULL };
	const struct launch_program program = { "/bin/true", argv };
	struct err err = { 0 };

	(void)state;
	assert_non_null(huge);
	memset(huge, 'x', size - 1);
	huge[size - 1] = '\0';
	assert_int_equal(launch_exec(&program, environ, &err), -E2BIG);
	assert_string_not_equal(err.hint, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_grant_is_what_the_kernel_made_of_the_mask),
		cmocka_unit_test(a_mask_is_unmet_only_where_the_kernel_says_so),
		cmocka_unit_test(a_mask_without_a_cpu_leaves_the_old_one),
		cmocka_unit_test(a_refused_affinity_is_told_and_pin_none_asks_for_nothing),
		cmocka_unit_test(each_policy_reaches_the_kernel),
		cmocka_unit_test(an_old_kernel_prefers_one_node_and_we_know_which),
		cmocka_unit_test(unbinding_gives_back_what_was_there),
		cmocka_unit_test(a_refused_policy_still_binds_the_cpus),
		cmocka_unit_test(a_policy_over_no_node_is_not_granted),
		cmocka_unit_test(arguments_and_environment_arrive_byte_for_byte),
		cmocka_unit_test(nothing_leaks_into_the_program),
		cmocka_unit_test(a_script_without_a_first_line_goes_to_the_shell),
		cmocka_unit_test(what_cannot_be_executed_is_told_apart),
		cmocka_unit_test(too_much_to_pass_on_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Who is started with other rights: our answer against the kernel's, which glibc's loader prints (LD_SHOW_AUXV). */
#include "base/cleanup.h"
#include "elf_make.h"
#include "target/secure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

enum { NOBODY = 65534, PLAIN = 0, SECURE = 1, CANNOT = 2 };

/* struct vfs_cap_data of revision 2 with CAP_NET_RAW. */
#define CAPABILITY(flag, permitted, inheritable)                                \
	{                                                                       \
		flag, 0, 0, 2, 0, (permitted) << 5, 0, 0, 0, (inheritable) << 5 \
	}

static const struct program {
	const char *what;
	uid_t user;
	gid_t group;
	mode_t mode;
	unsigned char capability[20]; /* all zero: none */
} programs[] = {
	{ .what = "plain", .mode = 0755 },
	{ .what = "root's, set-user-id", .mode = 04755 },
	{ .what = "nobody's, set-user-id", .user = NOBODY, .mode = 04755 },
	{ .what = "root's group, set-group-id", .mode = 02755 },
	{ .what = "nobody's group, set-group-id", .group = NOBODY, .mode = 02755 },
	{ .what = "marked for locking", .group = NOBODY, .mode = 02745 },
	{ .what = "capable", .mode = 0755, .capability = CAPABILITY(1, 1, 0) },
	{ .what = "capable, not at once", .mode = 0755, .capability = CAPABILITY(0, 1, 0) },
	{ .what = "capable by inheritance", .mode = 0755, .capability = CAPABILITY(0, 0, 1) },
};

static const struct starter {
	const char *who;
	bool nobody, no_new_privileges;
	bool split;     /* the effective group is not the real one */
	bool no_set_id; /* the mount lets nobody get other rights */
} starters[] = {
	{ .who = "we" },
	{ .who = "nobody", .nobody = true },
	{ .who = "we without new privileges", .no_new_privileges = true },
	{ .who = "nobody without new privileges", .nobody = true, .no_new_privileges = true },
	{ .who = "we with another group", .split = true },
	{ .who = "nobody on a nosuid mount", .nobody = true, .no_set_id = true },
};

/* Make the program at `path`; false: this user may not. */
static bool make_program(const struct program *program, const char *path)
{
	static const unsigned char none[sizeof(program->capability)];
	cleanup_close int from = open("/bin/true", O_RDONLY | O_CLOEXEC);
	cleanup_close int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	char bytes[65536];
	ssize_t length;

	if (from < 0 || to < 0)
		return false;
	while ((length = read(from, bytes, sizeof(bytes))) > 0) {
		if (write(to, bytes, (size_t)length) != length)
			return false;
	}
	if (geteuid() == 0 && fchown(to, program->user, program->group) < 0)
		return false;
	if (geteuid() != 0 && (program->user || program->group))
		return false;
	return fchmod(to, program->mode) == 0 &&
	       (memcmp(program->capability, none, sizeof(none)) == 0 ||
		fsetxattr(to, "security.capability", program->capability, sizeof(none), 0) == 0);
}

/* What the kernel says: the loader shows the vector unless it says AT_SECURE. */
static int ask_kernel(const char *path)
{
	char *const argv[] = { (char *)(uintptr_t)path, NULL };
	static char show[] = "LD_SHOW_AUXV=1";
	char *const environment[] = { show, NULL };
	char said[8192];
	size_t length = 0;
	ssize_t got;
	int ends[2], status;
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return CANNOT;
	child = fork();
	if (child == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)execve(path, argv, environment);
		_exit(1);
	}
	(void)close(ends[1]);
	while (child > 0 && length < sizeof(said) - 1 &&
	       (got = read(ends[0], said + length, sizeof(said) - 1 - length)) > 0)
		length += (size_t)got;
	said[length] = '\0';
	(void)close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		return CANNOT;
	return strstr(said, "AT_SECURE:") ? PLAIN : SECURE;
}

static bool become(const struct starter *starter)
{
	const gid_t group = starter->split ? NOBODY : 0;

	if (starter->nobody &&
	    (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 || setresuid(NOBODY, NOBODY, NOBODY) < 0))
		return false;
	if (starter->split && setresgid((gid_t)-1, group, (gid_t)-1) < 0)
		return false;
	return !starter->no_new_privileges || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* In a child: make the program and become its starter. Exits with 4 times our answer and the kernel's, or with CANNOT.
 */
static void compare(const struct program *program, const struct starter *starter, const char *tree)
{
	char path[256];
	int fd, kernel;

	if (starter->no_set_id && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
				   mount("none", tree, "tmpfs", MS_NOSUID, "mode=755") < 0))
		_exit(CANNOT);
	(void)snprintf(path, sizeof(path), "%s/prog", tree);
	if (!make_program(program, path) || !become(starter))
		_exit(CANNOT);
	fd = open(path, O_PATH | O_CLOEXEC);
	kernel = ask_kernel(path);
	_exit(fd < 0 || kernel == CANNOT ? CANNOT : 4 * secure_start(fd) + kernel);
}

static void our_answer_is_the_kernels(void **state)
{
	unsigned compared = 0, secure = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(programs) * ARRAY_SIZE(starters); i++) {
		const struct program *program = &programs[i % ARRAY_SIZE(programs)];
		const struct starter *starter = &starters[i / ARRAY_SIZE(programs)];
		cleanup_tree char *tree = NULL;
		int status = 0;
		pid_t child;

		/* Whether a mark that leads back to the real group is one is answered differently by kernels. */
		if (starter->split && (program->mode & (S_ISUID | S_ISGID)))
			continue;
		tree = tree_make();
		assert_int_equal(chmod(tree, 0755), 0);
		child = fork();
		if (child == 0)
			compare(program, starter, tree);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == CANNOT)
			continue;
		if (WEXITSTATUS(status) != 5 * SECURE && WEXITSTATUS(status) != 5 * PLAIN)
			fail_msg("%s, started as %s: we say %d, the kernel %d", program->what, starter->who,
				 WEXITSTATUS(status) / 4, WEXITSTATUS(status) % 4);
		compared++;
		secure += WEXITSTATUS(status) != 0;
	}
	print_message("# %u compared, %u of them with other rights\n", compared, secure);
	if (!compared)
		skip();
	if (geteuid() == 0)
		assert_true(secure > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_answer_is_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

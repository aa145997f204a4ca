/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/exec.h"

#include "base/cleanup.h"
#include "base/err.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

static const char SHELL[] = "/bin/sh";

int exec_prepare(const struct launch_program *program, struct exec_orders *ret_orders, struct err *err)
{
	size_t count = 0;
	char **argv;

	while (program->argv[count])
		count++;
	argv = calloc(count + 3, sizeof(*argv)); /* the shell, the path, the arguments after argv[0], NULL */
	if (!argv) {
		(void)err_nomem(err);
		return -ENOMEM;
	}
	argv[0] = (char *)SHELL;
	argv[1] = (char *)program->path;
	for (size_t i = 1; i < count; i++)
		argv[i + 1] = program->argv[i];
	ret_orders->program = program;
	ret_orders->shell_argv = argv;
	return 0;
}

void exec_orders_clear(struct exec_orders *orders)
{
	free(orders->shell_argv);
	*orders = (struct exec_orders){ .program = NULL };
}

/* Another machine's ELF file would only make the shell print its bytes as errors. */
static bool is_elf(const char *path)
{
	char magic[SELFMAG];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, magic, sizeof(magic));
	(void)close(fd);
	return n == (ssize_t)sizeof(magic) && memcmp(magic, ELFMAG, sizeof(magic)) == 0;
}

int exec_carry_out(const struct exec_orders *orders, char *const *environment)
{
	const struct launch_program *program = orders->program;
	int code;

	(void)execve(program->path, program->argv, environment);
	code = -errno;
	if (code != -ENOEXEC || is_elf(program->path))
		return code;
	(void)execve(SHELL, orders->shell_argv, environment); /* as execvp() does, and every shell */
	return -errno;
}

int exec_explain(const struct launch_program *program, int code, struct err *err)
{
	/* The file is there: what is not is what its first line, or its ELF header, names. */
	if (code == -ENOENT && access(program->path, F_OK) == 0) {
		(void)err_set(err, -ENOEXEC, "cannot execute '%s': its interpreter does not exist", program->path);
		return err_hint(err, "see the program's first line ('head -1'), or 'file' for an ELF program");
	}
	(void)err_errno(err, code, "cannot execute '%s'", program->path);
	if (code == -E2BIG)
		return err_hint(err, "arguments and environment together are more than the kernel takes");
	return code;
}

int launch_exec(const struct launch_program *program, char *const *environment, struct err *err)
{
	cleanup_exec struct exec_orders orders = { .program = NULL };
	int r = exec_prepare(program, &orders, err);

	if (r < 0)
		return r;
	/* Nothing to undo: fettle changes no signal's disposition or mask, and opens files close-on-exec. */
	return exec_explain(program, exec_carry_out(&orders, environment), err);
}

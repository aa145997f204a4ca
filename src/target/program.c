/* SPDX-License-Identifier: Apache-2.0 */
#include "target/program.h"

#include "base/cleanup.h"
#include "base/environ.h"
#include "base/err.h"
#include "target/elf.h"
#include "target/pyenv.h"
#include "target/script.h"
#include "target/search.h"
#include "target/secure.h"
#include "target/starter.h"
#include "target/tree.h"

#include <string.h>

enum {
	STEPS_MAX = 12,
	HEAD_MAX = 2048, /* a shim has 400 bytes, a script of pip's its path of at most 1,024 in front */
};

#define SHELL "/bin/sh"

/* Where the walk is, and what it knows. */
struct walk {
	const struct sysroot *root;
	const char *const *environment;
	const char *folder;
	struct program *program;
};

/* The first candidate in PATH that is a file; `without`: a folder that is left out, or NULL. */
static int find_in_path(const struct walk *walk, const char *name, const char *path, const char *without,
			char **ret_path, struct err *err)
{
	cleanup_search struct search search = { .name = NULL };
	int r = search_begin(&search, name, path);

	if (r < 0)
		return err_nomem(err);
	for (;;) {
		cleanup_free char *candidate = NULL, *whole = NULL, *parent = NULL;

		r = search_next(&search, &candidate);
		if (!r)
			return err_set(err, -ENOENT, "'%s' is not found in PATH", name);
		whole = r < 0 ? NULL : tree_whole(walk->folder, candidate);
		parent = whole ? tree_parent(whole) : NULL;
		if (!parent)
			return err_nomem(err);
		if ((without && strcmp(parent, without) == 0) || !tree_is_file(walk->root, whole))
			continue;
		*ret_path = TAKE(whole);
		return 0;
	}
}

/* pip and conda: "#!/bin/sh", then "'''exec' /very/long/path/bin/python "$0" "$@"". The path, or nothing. */
static const char *long_interpreter(const char *text, size_t *ret_length)
{
	static const char begin[] = "'''exec' ";
	const char *line = strchr(text, '\n');
	char end = ' ';

	if (!line || strncmp(line + 1, begin, strlen(begin)) != 0)
		return NULL;
	line += 1 + strlen(begin);
	if (*line == '"')
		end = *line++;
	*ret_length = strcspn(line, end == ' ' ? " \n" : "\"\n");
	return line[*ret_length] == end ? line : NULL;
}

static int follow_shim(struct walk *walk, const char *path, char **ret_next, struct err *err)
{
	cleanup_pyenv_choice struct pyenv_choice choice = { .path = NULL };
	cleanup_free char *shims = NULL;
	int r = pyenv_choose(walk->root, path, walk->environment, walk->folder, &choice);

	if (r == -ENOENT)
		return err_set(err, r, "pyenv has not got the version that is chosen for '%s'", path);
	if (r < 0)
		return err_nomem(err);
	free(walk->program->chosen_by);
	walk->program->chosen_by = TAKE(choice.from);
	if (choice.path) {
		*ret_next = TAKE(choice.path);
		return 0;
	}
	shims = tree_parent(path);
	if (!shims)
		return err_nomem(err);
	return find_in_path(walk, tree_name(path), environ_value(walk->environment, "PATH"), shims, ret_next, err);
}

static int follow_line(struct walk *walk, const char *head, size_t length, char **ret_next, struct err *err)
{
	struct script_line line;
	struct script_env env = { .name = NULL };

	/* As execvp() does with a text that the kernel does not know. */
	if (!script_parse(head, length < SCRIPT_LINE_MAX ? length : SCRIPT_LINE_MAX, &line)) {
		*ret_next = strdup(SHELL);
		return *ret_next ? 0 : err_nomem(err);
	}
	if (strcmp(tree_name(line.interpreter), "env") == 0 && script_env_parse(line.argument, &env))
		return find_in_path(walk, env.name, env.new_path ? env.path : environ_value(walk->environment, "PATH"),
				    NULL, ret_next, err);
	free(walk->program->argument);
	walk->program->argument = *line.argument ? strdup(line.argument) : NULL;
	*ret_next = tree_whole(walk->folder, line.interpreter);
	if (!*ret_next || (*line.argument && !walk->program->argument))
		return err_nomem(err);
	return 0;
}

/* `path` is ELF: read what a loader needs to know of it. */
static int arrive(struct walk *walk, const char *path, struct err *err)
{
	cleanup_close int fd = tree_open(walk->root, path, NULL);
	cleanup_free char *loader = NULL;
	struct program *program = walk->program;
	struct elf_facts facts = { 0 };
	int r = fd < 0 ? fd : elf_read(fd, &facts);

	loader = facts.loader;
	if (r < 0)
		return err_errno(err, r, "cannot read '%s'", path);
	program->machine = facts.machine;
	program->class = facts.class;
	program->big = facts.big;
	program->secure = secure_start(fd);
	program->libc = loader ? target_libc_of(loader) : TARGET_LIBC_NONE;
	program->shell = starter_is_shell(tree_name(path));
	program->path = strdup(path);
	return program->path ? 0 : err_nomem(err);
}

/* One file: ELF ends the walk (`*ret_next` stays NULL), anything else names the next. */
static int step(struct walk *walk, const char *path, char **ret_next, struct err *err)
{
	char head[HEAD_MAX + 1];
	const ssize_t length = tree_read_head(walk->root, path, head, HEAD_MAX);
	size_t interpreter_length = 0;
	const char *interpreter;

	if (length < 0)
		return err_errno(err, (int)length, "cannot read '%s'", path);
	if (elf_begins(head, (size_t)length))
		return arrive(walk, path, err);
	head[length] = '\0';
	if (pyenv_is_shim(path, head))
		return follow_shim(walk, path, ret_next, err);
	interpreter = long_interpreter(head, &interpreter_length);
	if (!interpreter)
		return follow_line(walk, head, (size_t)length, ret_next, err);
	*ret_next = strndup(interpreter, interpreter_length);
	return *ret_next ? 0 : err_nomem(err);
}

int program_follow(const struct sysroot *root, const char *path, const char *const *environment, const char *folder,
		   struct program *ret_program, struct err *err)
{
	cleanup_program struct program program = { .path = NULL };
	cleanup_free char *here = tree_whole(folder, path);
	struct walk walk = { root, environment, folder, &program };

	if (!here)
		return err_nomem(err);
	for (unsigned i = 0; i < STEPS_MAX; i++) {
		cleanup_free char *next = NULL;
		int r = step(&walk, here, &next, err);

		if (r < 0)
			return r;
		if (!next) {
			program.followed = i > 0;
			*ret_program = program;
			program = (struct program){ .path = NULL };
			return 0;
		}
		free(here);
		here = TAKE(next);
	}
	return err_errno(err, -ELOOP, "cannot follow '%s'", path);
}

/* The command that a program starts. */
struct command {
	const char *name;
	const char *path; /* PATH where it is looked for; NULL: unset */
	size_t word;      /* which of the program's words it is; 0: none can be told */
};

static struct command find_command(const struct program *program, char *const *argv, const char *const *environment)
{
	struct command command = { .path = environ_value(environment, "PATH") };
	const char *name = tree_name(program->path);
	struct script_env env = { .name = NULL };

	if (!argv || program->followed || program->shell)
		return command;
	if (strcmp(name, "env") != 0) {
		command.word = starter_python(argv);
		command.name = argv[command.word];
	} else if (script_env_words(argv, &env, &command.word)) {
		command.name = env.name;
		command.path = env.new_path ? env.path : command.path;
	}
	return command;
}

int program_follow_words(const struct sysroot *root, const char *path, char *const *argv,
			 const char *const *environment, const char *folder, struct program *ret_program,
			 char *const **ret_argv, struct err *err)
{
	cleanup_program struct program program = { .path = NULL };
	const struct walk walk = { root, environment, folder, NULL };
	cleanup_free char *command_path = NULL;
	struct err why = { .code = 0 };
	struct command command;
	int r = program_follow(root, path, environment, folder, &program, err);

	if (r < 0)
		return r;
	*ret_argv = argv;
	command = find_command(&program, argv, environment);
	if (command.word)
		r = find_in_path(&walk, command.name, command.path, NULL, &command_path, &why);
	if (r == -ENOMEM)
		return err_nomem(err);
	/* What is not found, the program will say. Each round has fewer words. */
	if (command_path) {
		return program_follow_words(root, command_path, argv + command.word, environment, folder, ret_program,
					    ret_argv, err);
	}
	*ret_program = program;
	program = (struct program){ .path = NULL };
	return 0;
}

void program_clear(struct program *program)
{
	free(program->path);
	free(program->argument);
	free(program->chosen_by);
	*program = (struct program){ .path = NULL };
}

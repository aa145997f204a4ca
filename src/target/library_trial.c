/* SPDX-License-Identifier: Apache-2.0 */
#include "target/library_trial.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/text.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { ANSWER_MAX_BYTES = 1 << 20, PATIENCE_MS = 5000, ENVIRONMENT_SIZE = 6 };

/* The child's variables: fixed ones, LD_PRELOAD, LD_LIBRARY_PATH. */
struct variables {
	char *items[ENVIRONMENT_SIZE];
	char *preload, *library_path; /* owned */
};

static void variables_clear(struct variables *variables)
{
	free(variables->preload);
	free(variables->library_path);
}
#define cleanup_variables cleanup_(variables_clear)

static int variables_init(const char *library, const char *library_path, struct variables *variables)
{
	/* What ldd -r sets: list what is loaded, warn of names that nobody has, resolve functions too. */
	static char list[] = "LD_TRACE_LOADED_OBJECTS=1", warn[] = "LD_WARN=yes", now[] = "LD_BIND_NOW=yes";
	size_t count = 0;

	if (asprintf(&variables->preload, "LD_PRELOAD=%s", library) < 0) {
		variables->preload = NULL;
		return -ENOMEM;
	}
	if (library_path && asprintf(&variables->library_path, "LD_LIBRARY_PATH=%s", library_path) < 0) {
		variables->library_path = NULL;
		return -ENOMEM;
	}
	variables->items[count++] = list;
	variables->items[count++] = warn;
	variables->items[count++] = now;
	variables->items[count++] = variables->preload;
	variables->items[count++] = variables->library_path;
	return 0;
}

/* The child's life. Async-signal-safe calls only. */
static _Noreturn void become(const char *program, char *const *environment, int answer)
{
	char *const argv[] = { (char *)program, NULL };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(answer, STDOUT_FILENO) >= 0 && dup2(answer, STDERR_FILENO) >= 0)
		(void)execve(program, argv, environment);
	_exit(127);
}

/* All that is said until the end, or the time. False: it took too long or said too much. */
static bool hear(int fd, struct text *said)
{
	struct pollfd stream = { .fd = fd, .events = POLLIN };
	char chunk[4096];

	while (said->length < ANSWER_MAX_BYTES) {
		const int n = poll(&stream, 1, PATIENCE_MS);
		ssize_t got;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno != EINTR)
			return false;
		if (got == 0)
			return true;
		if (got > 0)
			text_add_bytes(said, chunk, (size_t)got);
	}
	return false;
}

static int ask(const char *program, const struct variables *variables, struct text *said, bool *ret_whole,
	       struct err *err)
{
	cleanup_close int answer = -1;
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, -errno, "cannot start a child process: pipe");
	answer = ends[0];
	pid = fork();
	if (pid == 0)
		become(program, variables->items, ends[1]);
	(void)close(ends[1]);
	if (pid < 0)
		return err_errno(err, -errno, "cannot start a child process: fork");
	*ret_whole = hear(answer, said);
	if (!*ret_whole)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
	}
	return 0;
}

/* A line of the loader without its end, and without what might speak to a terminal. */
static void add_line(const char *line, size_t length, struct text *why)
{
	while (length && (*line == ' ' || *line == '\t'))
		line++, length--;
	for (size_t i = 0; i < length; i++)
		text_add(why, "%c", (unsigned char)line[i] < ' ' || line[i] == 0x7f ? ' ' : line[i]);
}

/* "<path> (0x...)": it is mapped. "undefined symbol: f (<path>)", "ERROR: ld.so: object '<path>' ...": it is not whole.
 */
static bool is_loaded(const char *said, const char *library, struct text *why)
{
	bool mapped = false;

	for (const char *line = said; line && *line; line += strcspn(line, "\n"), line += *line == '\n') {
		const size_t length = strcspn(line, "\n");
		const char *name = memmem(line, length, library, strlen(library));

		if (!name)
			continue;
		if (memmem(line, length, "undefined symbol", 16) || memmem(line, length, "ERROR", 5) ||
		    memmem(line, length, "error", 5) || memmem(line, length, "not found", 9)) {
			add_line(line, length, why);
			return false;
		}
		mapped |= strncmp(name + strlen(library), " (0x", 4) == 0;
	}
	if (!mapped)
		text_add(why, "the program's loader does not load it");
	return mapped;
}

int library_try(const char *program, const char *library, const char *library_path, char **ret_why_not, struct err *err)
{
	cleanup_variables struct variables variables = { .preload = NULL };
	cleanup_text struct text said = TEXT_INIT, why = TEXT_INIT;
	bool whole = false;
	int r;

	if (variables_init(library, library_path, &variables) < 0)
		return err_nomem(err);
	r = ask(program, &variables, &said, &whole, err);
	if (r < 0)
		return r;
	*ret_why_not = NULL;
	if (said.failed)
		return err_nomem(err);
	if (!whole)
		text_add(&why, "the program's loader did not answer within %d s", PATIENCE_MS / 1000);
	else if (is_loaded(said.data, library, &why))
		return 0;
	*ret_why_not = text_take(&why);
	return *ret_why_not ? 0 : err_nomem(err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a program with the agent and a record, as fettle's supervisor does, and prints what the record says:
 *     agent_reader AGENT PROGRAM [ARGUMENT...]
 * FETTLE_PLAN and all else are as in our own environment, LD_PRELOAD becomes the agent (and what stands in
 * MORE_PRELOAD). The program's standard output is our standard error. Exits as the program does, 128 + signal.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "observe/agent.h"
#include "report/agent_json.h"
#include "settings/settings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static char **make_environment(const char *agent)
{
	const char *more = getenv("MORE_PRELOAD");
	size_t count = 0;
	char **copy;

	while (environ[count])
		count++;
	copy = calloc(count + 2, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++)
		copy[i] = strdup(environ[i]);
	if (copy && asprintf(&copy[count], "LD_PRELOAD=%s%s%s", agent, more ? ":" : "", more ? more : "") < 0)
		return NULL;
	return copy;
}

static int fail(const char *what)
{
	(void)fprintf(stderr, "agent_reader: %s\n", what);
	return 125;
}

static int tell(const struct agent_file *file)
{
	struct observed_agent *agent = NULL;
	json_t *document;

	if (agent_read(file, &agent) < 0)
		return fail("cannot read the record");
	document = agent_to_json(agent);
	observed_agent_free(agent);
	if (!document)
		return fail("no memory");
	(void)json_dumpf(document, stdout, JSON_INDENT(1));
	json_decref(document);
	return 0;
}

/* Run it to its end. Its exit code, or 128 and the signal; -1: it could not be started. */
static int run(char *const *words, char **environment)
{
	const pid_t pid = fork();
	int status = 0;

	if (!pid) {
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)execvpe(words[0], words, environment);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char *argv[])
{
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT;
	struct err err = { 0 };
	char **environment;
	int code;

	if (argc < 3)
		return fail("usage: agent_reader AGENT PROGRAM [ARGUMENT...]");
	environment = make_environment(argv[1]);
	if (!environment)
		return fail("no memory");
	if (agent_file_make((const char *const *)environment, &file, &err) < 0 ||
	    agent_file_tell(&file, environment) < 0)
		code = fail(err.text);
	else
		code = run(&argv[2], environment);
	if (file.record && tell(&file) != 0)
		code = 125;
	environment_free(environment);
	return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * agent-run TIMES AGENT|- PROGRAM [ARGUMENT...]: start a program TIMES times, one after the other, with the agent
 * preloaded and a record of its own for it each time, or ("-") with neither. Prints the mean time of one run in
 * nanoseconds when TIMES is more than 1; else standard output is the program's. Exits as the last one did.
 */
#include "base/cleanup.h"
#include "base/err.h"
#include "base/parse.h"
#include "observe/agent_file.h"
#include "settings/settings.h"

#include <inttypes.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define WATCHED "OMP_NUM_THREADS,OMP_WAIT_POLICY,GLIBC_TUNABLES"

/* Variables as a plan sets them: each is compared at the program's end. */
static const char *const planned[] = {
	("FETTLE_PLAN=1;i=0/1;cpus=0-1;mask=0-1;pin=instance;mem=none;set=" WATCHED),
	"OMP_NUM_THREADS=2",
	"OMP_WAIT_POLICY=passive",
	/* As fettle's tuned glibc: plain glibc gives memory back and takes it again at each step, which scatters. */
	"GLIBC_TUNABLES=glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296:"
	"glibc.malloc.top_pad=67108864",
};

static int fail(const char *what)
{
	(void)fprintf(stderr, "agent-run: %s\n", what);
	return 1;
}

static char **make_environment(const char *agent)
{
	size_t count = 0;
	char **copy;

	while (environ[count])
		count++;
	copy = calloc(count + ARRAY_SIZE(planned) + 2, sizeof(*copy));
	for (size_t i = 0; copy && i < count; i++)
		copy[i] = strdup(environ[i]);
	for (size_t i = 0; copy && i < ARRAY_SIZE(planned); i++)
		copy[count++] = strdup(planned[i]);
	if (copy && agent && asprintf(&copy[count], "LD_PRELOAD=%s", agent) < 0)
		copy[count] = NULL;
	return copy;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Returns the wait status; -1: it could not be started. `*ret_ns` gets what making the record and the run took. */
static int run_once(char *const *words, const char *agent, uint64_t *ret_ns)
{
	cleanup_agent_file struct agent_file file = AGENT_FILE_INIT;
	char **environment = make_environment(agent);
	const uint64_t began = now_ns();
	struct err err = { 0 };
	int status = -1;
	pid_t pid;

	if (!environment)
		return -1;
	if (agent && (agent_file_make((const char *const *)environment, &file, &err) < 0 ||
		      agent_file_tell(&file, environment) < 0))
		(void)fail(err.text);
	else if (posix_spawnp(&pid, words[0], NULL, NULL, words, environment) != 0 || waitpid(pid, &status, 0) < 0)
		status = -1;
	*ret_ns = now_ns() - began;
	if (agent && status != -1 && !file.record->process_states[0])
		status = fail("the agent left no record") - 2;
	environment_free(environment);
	return status;
}

int main(int argc, char *argv[])
{
	uint64_t sum_ns = 0;
	unsigned times;
	int status = 0;

	if (argc < 4 || parse_unsigned(argv[1], &times) < 0 || !times)
		return fail("usage: agent-run TIMES AGENT|- PROGRAM [ARGUMENT...]");
	for (unsigned i = 0; i < times && status == 0; i++) {
		uint64_t took_ns = 0;

		status = run_once(&argv[3], strcmp(argv[2], "-") == 0 ? NULL : argv[2], &took_ns);
		sum_ns += took_ns;
	}
	if (status == -1)
		return fail("the program could not be measured");
	if (times > 1)
		(void)printf("%" PRIu64 "\n", sum_ns / times);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

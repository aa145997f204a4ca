/* SPDX-License-Identifier: Apache-2.0 */
#include "launch_bench.h"

#include "base/cpulist.h"
#include "launch/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

enum { PATIENCE_MS = 20000 };

static void pause_ms(long ms)
{
	const struct timespec wait = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	(void)nanosleep(&wait, NULL);
}

long now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void bench_init(struct bench *bench, const char *script, size_t count)
{
	*bench = (struct bench){
		.dir = "/tmp/fettle-super-XXXXXX", .script = script, .count = count, .orders = { .guard_fd = -1 }
	};
	assert_non_null(mkdtemp(bench->dir));
	bench->outcome = mmap(NULL, sizeof(*bench->outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(bench->outcome, MAP_FAILED);
	for (unsigned i = 0; i < count; i++) {
		instance_init(&bench->instances[i], PIN_NONE, "", MEMORY_NONE, "");
		bench->instances[i].index = i;
	}
}

void bench_clear(struct bench *bench)
{
	char command[64];

	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	(void)snprintf(command, sizeof(command), "rm -r %s", bench->dir);
	assert_int_equal(system(command), 0);
	for (size_t i = 0; i < bench->count; i++)
		instance_clear(&bench->instances[i]);
	assert_int_equal(munmap(bench->outcome, sizeof(*bench->outcome)), 0);
}

static void keep(struct outcome *outcome, const struct launch_end *ends, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_free char *text = NULL;

		outcome->ends[i] = ends[i];
		if (ends[i].grant.affinity_granted)
			text = cpulist_text(ends[i].grant.affinity_granted);
		(void)snprintf(outcome->granted[i], sizeof(outcome->granted[i]), "%s", text ? text : "none");
	}
}

static bool same_mask(const sigset_t *a, const sigset_t *b)
{
	for (int number = 1; number < SIGRTMAX; number++) {
		if (sigismember(a, number) != sigismember(b, number))
			return false;
	}
	return true;
}

static struct outcome *outcome_now; /* a callback's context is const */
static const struct bench *bench_now;

static void tell(const struct launch_event *event, void *context)
{
	assert_ptr_equal(context, outcome_now);
	for (size_t i = 0; event->kind == LAUNCH_STARTED && i < event->count; i++)
		outcome_now->told_started += event->ends[i].pid > 0;
	outcome_now->restarts += event->kind == LAUNCH_RESTARTS;
}

static uint64_t look(const struct launch_event *event, void *context, bool *ret_stop)
{
	assert_int_equal(event->kind, LAUNCH_LOOK);
	assert_ptr_equal(context, outcome_now);
	*ret_stop = ++outcome_now->looks == bench_now->stop_look;
	return clock_in_ms(bench_now->look_ms);
}

/* The supervisor's process. */
static int supervise(const struct bench *bench)
{
	char *const shell_argv[] = { (char *)"sh", (char *)"-c", (char *)bench->script, NULL };
	const struct launch_program program = { bench->path ? bench->path : "/bin/sh",
						bench->path ? bench->argv : shell_argv };
	struct outcome *outcome = bench->outcome;
	const struct launch_watch watch = { .tell = tell, .context = outcome, .look = bench->look_ms ? look : NULL };
	struct launch_child children[INSTANCES];
	struct launch_end ends[INSTANCES];
	char index[INSTANCES][8], dir[48];
	char *environment[INSTANCES][5], *unpinned[INSTANCES][5];
	struct err err = { 0 };
	sigset_t before, after;

	outcome_now = outcome;
	bench_now = bench;
	(void)snprintf(dir, sizeof(dir), "DIR=%s", bench->dir);
	for (unsigned i = 0; i < bench->count; i++) {
		(void)snprintf(index[i], sizeof(index[i]), "I=%u", i);
		environment[i][0] = index[i];
		environment[i][1] = dir;
		environment[i][2] = (char *)"PATH=/usr/bin:/bin";
		environment[i][3] = (char *)bench->extra[i];
		environment[i][4] = NULL;
		memcpy(unpinned[i], environment[i], sizeof(unpinned[i]));
		unpinned[i][3] = (char *)bench->unpinned;
		children[i] = (struct launch_child){ .instance = &bench->instances[i],
						     .environment = environment[i],
						     .unpinned = bench->unpinned ? unpinned[i] : NULL };
	}
	(void)sigprocmask(SIG_BLOCK, NULL, &before);
	outcome->result =
		launch_supervise(&program, children, bench->count, &bench->orders, &watch, ends, &outcome->went, &err);
	outcome->first_failed = outcome->went.first_failed;
	(void)sigprocmask(SIG_BLOCK, NULL, &after);
	outcome->mask_restored = same_mask(&before, &after);
	keep(outcome, ends, bench->count);
	memcpy(outcome->text, err.text, sizeof(err.text));
	for (size_t i = 0; i < bench->count; i++)
		launch_grant_clear(&ends[i].grant);
	return waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD ? 0 : 1;
}

_Noreturn void bench_supervisor(const struct bench *bench)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (chdir(bench->dir) < 0 || (bench->before && bench->before() != 0))
		_exit(98);
	_exit(supervise(bench));
}

void bench_start(struct bench *bench)
{
	(void)fflush(NULL);
	bench->supervisor = fork();
	assert_true(bench->supervisor >= 0);
	if (!bench->supervisor)
		bench_supervisor(bench);
}

void bench_await_told(const struct bench *bench)
{
	const volatile unsigned *told = &bench->outcome->told_started;
	const long until = now_ms() + PATIENCE_MS;

	while (*told < bench->count && now_ms() < until)
		pause_ms(5);
	assert_int_equal(*told, bench->count);
}

void bench_finish(const struct bench *bench)
{
	int status = 0;

	assert_int_equal(waitpid(bench->supervisor, &status, 0), bench->supervisor);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(bench->outcome->mask_restored);
}

void bench_read(const struct bench *bench, const char *name, char *ret_text, size_t size)
{
	const long until = now_ms() + PATIENCE_MS;
	char path[64];
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", bench->dir, name);
	while (!n && now_ms() < until) {
		cleanup_file FILE *file = fopen(path, "re");

		n = file ? fread(ret_text, 1, size - 1, file) : 0;
		if (!n)
			pause_ms(10);
	}
	ret_text[n] = '\0';
	assert_true(n > 0);
}

pid_t bench_read_pid(const struct bench *bench, const char *name)
{
	char text[32];

	bench_read(bench, name, text, sizeof(text));
	return (pid_t)strtol(text, NULL, 10);
}

void bench_make(const struct bench *bench, const char *name)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", bench->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
}

void assert_state(pid_t pid, char wanted)
{
	const long until = now_ms() + PATIENCE_MS;
	char path[32], state = '?';

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (state != wanted && now_ms() < until) {
		cleanup_file FILE *file = fopen(path, "re");

		if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			state = '?';
		if (state != wanted)
			pause_ms(5);
	}
	assert_int_equal(state, wanted);
}

void assert_end(const struct bench *bench, size_t i, int exit_code, int signal, int stopped)
{
	const struct launch_end *end = &bench->outcome->ends[i];

	assert_int_equal(end->exit_code, exit_code);
	assert_int_equal(end->signal, signal);
	assert_int_equal(end->stopped_by_us, stopped);
}

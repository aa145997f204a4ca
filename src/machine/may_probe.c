/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: counting, tracing, groups, tiles. */
#include "machine/may_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int open_counter(unsigned type, unsigned long long event, bool exclude_kernel)
{
	struct perf_event_attr attr = {
		.type = type,
		.size = sizeof(attr),
		.config = event,
		.exclude_kernel = exclude_kernel,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* To open is not to count: without privilege some events open and stay at 0. */
static void judge_counter(int fd, struct may_answer *answer)
{
	unsigned long long count = 0;

	if (read(fd, &count, sizeof(count)) != (ssize_t)sizeof(count))
		may_no_because(answer, "opens, and cannot be read");
	else if (!count)
		may_no_because(answer, "opens, and counts nothing");
	else
		may_yes(answer);
}

static void no_counter(struct may_answer *answer, int error)
{
	/* The kernel's word for "no such event" would read "No such file or directory". */
	if (error == ENOENT || error == EOPNOTSUPP || error == ENODEV)
		may_no_because(answer, "the CPU shows no such counter here");
	else
		may_no(answer, error);
}

void may_try_counters(const struct may_scene *scene, struct may_answer *answer)
{
	const int fd = open_counter(PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS, true);
	volatile unsigned work = 0;

	(void)scene;
	if (fd < 0) {
		no_counter(answer, errno);
		return;
	}
	while (work < 100000)
		work = work + 1;
	judge_counter(fd, answer);
}

void may_try_software_counters(const struct may_scene *scene, struct may_answer *answer)
{
	const struct timespec moment = { 0, 100000 };
	int fd = open_counter(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, false);

	(void)scene;
	if (fd < 0)
		fd = open_counter(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES, true);
	if (fd < 0) {
		no_counter(answer, errno);
		return;
	}
	(void)nanosleep(&moment, NULL); /* a switch for certain */
	judge_counter(fd, answer);
}

/* A child that waits to be killed, and does not outlive us. */
static pid_t start_waiting(void)
{
	const pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)alarm(5);
		for (;;)
			(void)pause();
	}
	return pid;
}

static void end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void may_try_trace_children(const struct may_scene *scene, struct may_answer *answer)
{
	const pid_t pid = start_waiting();

	(void)scene;
	if (pid < 0) {
		may_none(answer, FACT_UNKNOWN, "no process to try it with");
		return;
	}
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		may_no(answer, errno);
	else
		may_yes(answer);
	end(pid);
}

/* One child of ours traces the other: neither started the other. */
void may_try_trace_others(const struct may_scene *scene, struct may_answer *answer)
{
	const pid_t traced = start_waiting();
	pid_t tracer = traced < 0 ? -1 : fork();
	int status = 0;

	(void)scene;
	if (tracer == 0)
		_exit(ptrace(PTRACE_SEIZE, traced, NULL, NULL) < 0 ? errno : 0);
	while (tracer > 0 && waitpid(tracer, &status, 0) < 0 && errno == EINTR)
		;
	if (tracer < 0)
		may_none(answer, FACT_UNKNOWN, "no process to try it with");
	else if (WIFSIGNALED(status))
		may_no_because(answer, "ends the process");
	else if (WEXITSTATUS(status))
		may_no(answer, WEXITSTATUS(status));
	else
		may_yes(answer);
	if (traced > 0)
		end(traced);
}

void may_try_write_cgroups(const struct may_scene *scene, struct may_answer *answer)
{
	if (!scene->cgroup)
		may_none(answer, FACT_UNKNOWN, "our group's folder was not found");
	else if (faccessat(AT_FDCWD, scene->cgroup, W_OK | X_OK, AT_EACCESS) < 0)
		may_no(answer, errno);
	else
		may_yes(answer);
}

void may_try_use_amx(const struct may_scene *scene, struct may_answer *answer)
{
	(void)scene;
#ifdef __x86_64__
	/* arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA): Documentation/arch/x86/xstate.rst */
	if (syscall(SYS_arch_prctl, 0x1023, 18) == 0)
		may_yes(answer);
	else if (errno == EOPNOTSUPP || errno == EINVAL)
		may_none(answer, FACT_ABSENT, "no AMX");
	else
		may_no(answer, errno);
#else
	may_none(answer, FACT_ABSENT, "no AMX");
#endif
}

void may_yes(struct may_answer *answer)
{
	*answer = (struct may_answer){ .state = FACT_KNOWN, .may = 1 };
}

void may_no(struct may_answer *answer, int error)
{
	*answer = (struct may_answer){ .state = FACT_KNOWN, .error = error };
}

void may_none(struct may_answer *answer, enum fact_state state, const char *words)
{
	*answer = (struct may_answer){ .state = state };
	for (size_t i = 0; words[i] && i + 1 < sizeof(answer->words); i++)
		answer->words[i] = words[i];
}

void may_no_because(struct may_answer *answer, const char *words)
{
	may_none(answer, FACT_KNOWN, words);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "observe/floats.h"

#include "base/cleanup.h"
#include "base/parse.h"
#include "observe/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * Calls that end with EINTR when the thread is stopped and goes on, though no handler ran (signal(7), "Interruption of
 * system calls and library functions by stop signals"). Those of sockets do only when the socket has a timeout, which
 * nobody else can see; reading and writing are calls of sockets when their descriptor is one.
 */
static const struct {
	long number;
	bool any_file;
} ended[] = {
#ifdef SYS_epoll_wait
	{ SYS_epoll_wait, true },
#endif
	{ SYS_epoll_pwait, true },
#ifdef SYS_epoll_pwait2
	{ SYS_epoll_pwait2, true },
#endif
	{ SYS_semop, true },        { SYS_semtimedop, true },    { SYS_rt_sigtimedwait, true },
	{ SYS_io_getevents, true }, { SYS_io_pgetevents, true }, { SYS_io_uring_enter, true },
	{ SYS_accept, true },       { SYS_accept4, true },       { SYS_connect, true },
	{ SYS_recvfrom, true },     { SYS_recvmsg, true },       { SYS_recvmmsg, true },
	{ SYS_sendto, true },       { SYS_sendmsg, true },       { SYS_sendmmsg, true },
	{ SYS_read, false },        { SYS_readv, false },        { SYS_write, false },
	{ SYS_writev, false },
};

static bool is_socket(const struct observe_request *request, pid_t pid, uint64_t descriptor)
{
	cleanup_free char *target = NULL;
	char path[PROC_PATH], name[32];

	(void)snprintf(name, sizeof(name), "fd/%llu", (unsigned long long)descriptor);
	proc_path(path, pid, name);
	return proc_link(request->root, path, &target) == 0 && strncmp(target, "socket:", strlen("socket:")) == 0;
}

/* "NUMBER FIRST-ARGUMENT ...", "-1 ..." of one that waits elsewhere, "running" (proc_pid_syscall(5)). */
bool stop_would_end_call(const struct observe_request *request, pid_t pid, pid_t tid)
{
	char path[PROC_PATH], name[64], text[256];
	uint64_t number, first;
	const char *at = text;

	(void)snprintf(name, sizeof(name), "task/%d/syscall", (int)tid);
	proc_path(path, pid, name);
	if (proc_read_short(request->root, path, text, sizeof(text)) < 0 || !proc_take(&at, 10, &number))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(ended); i++) {
		if ((uint64_t)ended[i].number != number)
			continue;
		at += strspn(at, " ");
		at += strncmp(at, "0x", 2) == 0 ? 2 : 0;
		return ended[i].any_file || (proc_take(&at, 16, &first) && is_socket(request, pid, first));
	}
	return false;
}

#if defined(__x86_64__)
/* MXCSR (Intel SDM volume 1, 10.2.3): DE and UE stay set until they are cleared, FTZ and DAZ flush. */
enum { MET_OPERAND = 1 << 1, MET_RESULT = 1 << 4, FLUSHES_RESULTS = 1 << 15, FLUSHES_OPERANDS = 1 << 6 };
#else
/* FPSR and FPCR (Arm ARM C5.2): UFC stays set, an operand leaves no sign; FZ flushes both. */
enum { MET_OPERAND = 0, MET_RESULT = 1 << 3, FLUSHES_RESULTS = 1 << 24, FLUSHES_OPERANDS = 1 << 24 };
#endif

void float_judge(struct observed_float *answer)
{
	enum { BOTH = FLUSHES_RESULTS | FLUSHES_OPERANDS };

	answer->flushes = (answer->control & BOTH) == BOTH;
	/* What is flushed sets UE, too, but was no denormal then. */
	answer->met = (!(answer->control & FLUSHES_OPERANDS) && (answer->status & MET_OPERAND)) ||
		      (!(answer->control & FLUSHES_RESULTS) && (answer->status & MET_RESULT));
}

/* The questions, in shared memory: NULL with `*ret_count` 0 when there are none. */
static struct float_question *prepare(const struct observation *observation, size_t *ret_count)
{
	struct float_question *questions;
	size_t count = 0;

	for (size_t i = 0; i < observation->process_count; i++) {
		if (!observation->processes[i].gone && observation->processes[i].instance_idx >= 0)
			count += observation->processes[i].thread_count;
	}
	*ret_count = 0;
	if (!count)
		return NULL;
	questions = mmap(NULL, count * sizeof(*questions), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (questions == MAP_FAILED) {
		*ret_count = count;
		return NULL;
	}
	for (size_t i = 0; i < observation->process_count; i++) {
		const struct observed_process *process = &observation->processes[i];

		if (process->gone || process->instance_idx < 0)
			continue;
		for (size_t k = 0; k < process->thread_count; k++) {
			if (!process->threads[k].gone)
				questions[(*ret_count)++] = (struct float_question){
					.pid = process->pid,
					.tid = process->threads[k].tid,
					.answer.code = -ETIMEDOUT,
				};
		}
	}
	return questions;
}

/* Longer than all stops may take: it hangs in the kernel, which lets go of the threads when it is killed. */
enum { WAIT_MS = 4000 };

static int make_in_child(const struct observe_request *request, struct float_question *questions, size_t count)
{
	cleanup_close int at_end = -1, held = -1;
	struct pollfd end;
	int pipe_fds[2];
	pid_t child;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	at_end = pipe_fds[0];
	held = pipe_fds[1];
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		/* With us it ends, between two threads: it blocks the signal while it holds one. */
		if (prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == request->observer)
			stops_make(request, questions, count);
		_exit(0);
	}
	(void)close(held);
	held = -1;
	end = (struct pollfd){ .fd = at_end, .events = POLLIN };
	if (poll(&end, 1, WAIT_MS) == 0)
		(void)kill(child, SIGKILL);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return 0;
}

/* Why a process may not be asked, in words: the kernel has one number for all of it. */
static void explain(const struct observe_request *request, const struct observed_process *process, int code,
		    struct observed_stops *stops)
{
	cleanup_free char *status = NULL, *tracing = NULL, *scope = NULL;
	char path[PROC_PATH];
	uint64_t tracer = 0;

	proc_path(path, process->pid, "status");
	if (code == -EPERM && sysroot_read(request->root, path, &status) == 0)
		(void)proc_number(status, "TracerPid", &tracer);
	/* That is a thread; its process is what people know. */
	proc_path(path, (pid_t)tracer, "status");
	if (tracer && sysroot_read(request->root, path, &tracing) == 0)
		(void)proc_number(tracing, "Tgid", &tracer);
	(void)snprintf(stops->why, sizeof(stops->why), "ptrace: %s", strerror(-code));
	if (tracer)
		(void)snprintf(stops->why, sizeof(stops->why), "process %d traces it already", (int)tracer);
	else if (code == -EPERM && geteuid() != 0 && process->uid != geteuid())
		(void)snprintf(stops->why, sizeof(stops->why), "it belongs to user %u", process->uid);
	else if (code == -EPERM && sysroot_read(request->root, "/proc/sys/kernel/yama/ptrace_scope", &scope) == 0 &&
		 scope[0] != '0')
		(void)snprintf(stops->why, sizeof(stops->why),
			       "kernel.yama.ptrace_scope is %.*s, which lets only root trace it",
			       (int)strcspn(scope, "\n"), scope);
	stops->refused_pid = process->pid;
}

static int count_one(const struct observe_request *request, struct observation *observation,
		     const struct observed_process *process, const struct observed_thread *thread)
{
	const struct observed_float *answer = &thread->floats;
	struct observed_stops *stops = &observation->stops;
	char path[PROC_PATH];

	if (answer->code == -ESRCH)
		return 0; /* it ended */
	stops->asked++;
	if (answer->known) {
		stops->read++;
		stops->longest_ns = answer->stopped_ns > stops->longest_ns ? answer->stopped_ns : stops->longest_ns;
		return 0;
	}
	if (answer->code == -EINTR) {
		stops->spared++;
		proc_path(path, process->pid, "syscall");
		return proc_gap(observation, path,
				"flags of threads in system calls that a stop would end: they were not stopped",
				-EINTR);
	}
	if (!stops->refused_pid)
		explain(request, process, answer->code, stops);
	proc_path(path, process->pid, "task");
	return proc_gap(observation, path, "whether threads met denormal numbers", answer->code);
}

static int take_answers(const struct observe_request *request, struct observation *observation,
			const struct float_question *questions, size_t count)
{
	size_t next = 0;
	int r = 0;

	for (size_t i = 0; i < observation->process_count; i++) {
		struct observed_process *process = &observation->processes[i];

		for (size_t k = 0; k < process->thread_count && next < count && r == 0; k++) {
			struct observed_thread *thread = &process->threads[k];

			if (questions[next].pid != process->pid || questions[next].tid != thread->tid || thread->gone)
				continue;
			thread->floats = questions[next++].answer;
			float_judge(&thread->floats);
			r = count_one(request, observation, process, thread);
		}
	}
	return r;
}

int floats_read(const struct observe_request *request, struct observation *observation)
{
	struct float_question *questions;
	size_t count = 0;
	int r;

	if (!request->denormals || !request->root->live)
		return 0;
	questions = prepare(observation, &count);
	if (!questions)
		return count ? -ENOMEM : 0;
	r = make_in_child(request, questions, count);
	if (r == 0)
		r = take_answers(request, observation, questions, count);
	else
		r = proc_gap(observation, "/proc", "whether threads met denormal numbers", r);
	(void)munmap(questions, count * sizeof(*questions));
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that a program makes by itself: ways to end that no destructor sees, a mask (LLVM's and Intel's OpenMP
 * runtimes set theirs so), and the moment from which no system call of ours may follow: a filter that the program
 * installs may kill for one that it does not know.
 */
#include "agent.h"

#include "kernel.h"
#include "recorder.h"

#include <linux/seccomp.h>
#include <stdarg.h>
#include <sys/prctl.h>

/* Under a filter nobody may be asked whose end it is: ours, or that of a vfork()ed child in our memory. */
static void note_end(void)
{
	if (!recorder_is_quiet())
		recorder_end();
}

HOOK _Noreturn void _exit(int status)
{
	const struct behind *libc = agent_behind();

	note_end();
	if (libc->exit_now)
		libc->exit_now(status);
	for (;;)
		(void)kernel_call1(SYS_exit_group, status);
}

HOOK _Noreturn void _Exit(int status)
{
	_exit(status);
}

/* Arguments that were not given are whatever the registers hold, as they are in libc's own. */
#define TAKE_ARGUMENTS(last, words, count)                 \
	do {                                               \
		va_list args_;                             \
		va_start(args_, last);                     \
		for (size_t i_ = 0; i_ < (count); i_++)    \
			(words)[i_] = va_arg(args_, long); \
		va_end(args_);                             \
	} while (0)

HOOK int prctl(int option, ...)
{
	const struct behind *libc = agent_behind();
	const bool filters = option == PR_SET_SECCOMP;
	long words[4];
	int r;

	TAKE_ARGUMENTS(option, words, 4);
	if (!libc->prctl) {
		errno = ENOSYS;
		return -1;
	}
	if (filters)
		recorder_filter_comes();
	r = libc->prctl(option, words[0], words[1], words[2], words[3]);
	if (filters)
		recorder_filter_came(r == 0);
	return r;
}

HOOK long syscall(long number, ...)
{
	const struct behind *libc = agent_behind();
	const bool binds = number == SYS_sched_setaffinity;
	struct agent_set set;
	long words[6], r;
	bool filters;

	TAKE_ARGUMENTS(number, words, 6);
	filters = number == SYS_seccomp && words[0] != SECCOMP_GET_ACTION_AVAIL;
	if (!libc->syscall) {
		errno = ENOSYS;
		return -1;
	}
	if (filters)
		recorder_filter_comes();
	else if (number == SYS_exit_group)
		note_end();
	else if (binds)
		agent_set_begins((pid_t)words[0], &set);
	r = libc->syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
	if (filters)
		recorder_filter_came(r >= 0);
	else if (binds && r >= 0)
		agent_set_done(&set, __builtin_return_address(0), (size_t)words[1], (const void *)words[2]);
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ways out of a process. exec, in a child of vfork() or in the process itself: no atfork handler has
 * run. posix_spawn, system and popen: the child is made inside libc, out of reach, and inherits from the
 * caller. A new thread inherits too.
 */
#include "agent.h"

#include "recorder.h"
#include "search.h"
#include "threads.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

/* Evaluate `call` with the calling thread widened, then put things back; `failed` without a function behind. */
#define WIDENED(function, failed, call)                   \
	({                                                \
		const int kept_ = errno;                  \
		struct mask before_;                      \
		bool widened_;                            \
		__typeof__(call) result_ = (failed);      \
		if (function) {                           \
			widened_ = agent_widen(&before_); \
			errno = kept_;                    \
			result_ = (call);                 \
			if (widened_) {                   \
				const int told_ = errno;  \
				agent_narrow(&before_);   \
				errno = told_;            \
			}                                 \
		} else {                                  \
			errno = ENOSYS;                   \
		}                                         \
		result_;                                  \
	})

/* The same where the process itself becomes another program, if it succeeds. */
#define BECOMES(function, call)                          \
	({                                               \
		const int kept_here_ = errno;            \
		int became_;                             \
		recorder_becomes();                      \
		errno = kept_here_;                      \
		became_ = WIDENED(function, -1, (call)); \
		recorder_stays();                        \
		became_;                                 \
	})

/* `envp` as a child shall have it, on the caller's stack: after vfork() there is no other memory. */
#define CHILD_ENVIRONMENT(envp, inside_libc)                                 \
	({                                                                   \
		char *const *old_ = (envp);                                  \
		char *const *new_ = old_;                                    \
		if (old_ && agent_filters(inside_libc)) {                    \
			char **room_;                                        \
			size_t n_ = 0;                                       \
			while (old_[n_])                                     \
				n_++;                                        \
			room_ = __builtin_alloca((n_ + 1) * sizeof(char *)); \
			agent_filter(old_, room_);                           \
			new_ = room_;                                        \
		}                                                            \
		new_;                                                        \
	})

HOOK int execve(const char *path, char *const argv[], char *const envp[])
{
	const struct behind *libc = agent_behind();
	char *const *environment = CHILD_ENVIRONMENT(envp, false);

	return BECOMES(libc->execve, libc->execve(path, argv, environment));
}

HOOK int execv(const char *path, char *const argv[])
{
	return execve(path, argv, environ);
}

HOOK int execvpe(const char *file, char *const argv[], char *const envp[])
{
	const struct behind *libc = agent_behind();
	char *const *environment = CHILD_ENVIRONMENT(envp, false);

	return BECOMES(libc->execvpe, libc->execvpe(file, argv, environment));
}

HOOK int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, environ);
}

HOOK int fexecve(int fd, char *const argv[], char *const envp[])
{
	const struct behind *libc = agent_behind();
	char *const *environment = CHILD_ENVIRONMENT(envp, false);

	return BECOMES(libc->fexecve, libc->fexecve(fd, argv, environment));
}

/* glibc has this since 2.34; declared here for older headers. */
int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags);

HOOK int execveat(int fd, const char *path, char *const argv[], char *const envp[], int flags)
{
	const struct behind *libc = agent_behind();
	char *const *environment = CHILD_ENVIRONMENT(envp, false);

	return BECOMES(libc->execveat, libc->execveat(fd, path, argv, environment, flags));
}

/* `argv` on the caller's stack out of `first` and what follows it in `args`, which ends up past the NULL. */
#define GATHER(argv, first, args)                                     \
	do {                                                          \
		va_list count_;                                       \
		size_t n_ = 0;                                        \
		va_copy(count_, (args));                              \
		for (const char *a_ = (first); a_; n_++)              \
			a_ = va_arg(count_, const char *);            \
		va_end(count_);                                       \
		(argv) = __builtin_alloca((n_ + 1) * sizeof(char *)); \
		(argv)[0] = (char *)(size_t)(first);                  \
		for (size_t i_ = 1; i_ <= n_; i_++)                   \
			(argv)[i_] = va_arg((args), char *);          \
	} while (0)

HOOK int execl(const char *path, const char *first, ...)
{
	char **argv;
	va_list args;

	va_start(args, first);
	GATHER(argv, first, args);
	va_end(args);
	return execv(path, argv);
}

HOOK int execlp(const char *file, const char *first, ...)
{
	char **argv;
	va_list args;

	va_start(args, first);
	GATHER(argv, first, args);
	va_end(args);
	return execvp(file, argv);
}

HOOK int execle(const char *path, const char *first, ...)
{
	char **argv, *const *envp;
	va_list args;

	va_start(args, first);
	GATHER(argv, first, args);
	envp = va_arg(args, char *const *);
	va_end(args);
	return execve(path, argv, envp);
}

HOOK int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *restrict actions,
		     const posix_spawnattr_t *restrict attributes, char *const argv[restrict],
		     char *const envp[restrict])
{
	const struct behind *libc = agent_behind();
	char *const *environment = CHILD_ENVIRONMENT(envp, true);

	return WIDENED(libc->posix_spawn, ENOSYS, libc->posix_spawn(pid, path, actions, attributes, argv, environment));
}

HOOK int posix_spawnp(pid_t *restrict pid, const char *restrict file,
		      const posix_spawn_file_actions_t *restrict actions, const posix_spawnattr_t *restrict attributes,
		      char *const argv[restrict], char *const envp[restrict])
{
	const struct behind *libc = agent_behind();
	char *const *environment = CHILD_ENVIRONMENT(envp, true);

	return WIDENED(libc->posix_spawnp, ENOSYS,
		       libc->posix_spawnp(pid, file, actions, attributes, argv, environment));
}

HOOK int system(const char *command)
{
	const struct behind *libc = agent_behind();

	return WIDENED(libc->system, -1, libc->system(command));
}

HOOK FILE *popen(const char *command, const char *mode)
{
	const struct behind *libc = agent_behind();

	return WIDENED(libc->popen, NULL, libc->popen(command, mode));
}

/* Does the program give the new thread CPUs of its own? An attribute without any reads as all of them. */
static bool attribute_chooses(const pthread_attr_t *attribute)
{
	const struct behind *libc = agent_behind();
	struct mask mask;

	if (!attribute || !libc->pthread_attr_getaffinity_np ||
	    libc->pthread_attr_getaffinity_np(attribute, sizeof(mask.words), (cpu_set_t *)mask.words) != 0)
		return false;
	for (size_t i = 0; i < sizeof(mask.words) / sizeof(mask.words[0]); i++) {
		if (~mask.words[i])
			return true;
	}
	return false;
}

/* With a start routine of ours before the program's own, where we write down what threads do. */
static int create(pthread_t *restrict thread, const pthread_attr_t *restrict attribute, void *(*start)(void *),
		  void *restrict argument, uint32_t flags)
{
	const struct behind *libc = agent_behind();
	struct threads_start *prepared = threads_prepare(start, argument, flags);
	int r;

	if (!prepared) {
		r = libc->pthread_create(thread, attribute, start, argument);
		if (!r)
			threads_unaccompanied();
		return r;
	}
	r = libc->pthread_create(thread, attribute, threads_run, prepared);
	if (r)
		threads_abandon(prepared);
	return r;
}

HOOK int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attribute, void *(*start)(void *),
			void *restrict argument)
{
	const struct behind *libc = agent_behind();
	const void *caller = __builtin_return_address(0);
	const int kept = errno;
	uint32_t flags = 0;
	struct mask before;
	bool widened;
	int r;

	if (!libc->pthread_create)
		libc = agent_find_again();
	if (!libc->pthread_create)
		return EAGAIN;
	if (!agent_active() && !recorder_on())
		return libc->pthread_create(thread, attribute, start, argument);
	if (agent_is_runtime(caller)) {
		recorder_runtime(search_library(caller), true);
		r = create(thread, attribute, start, argument, AGENT_OF_RUNTIME);
		errno = kept;
		return r;
	}
	if (attribute_chooses(attribute)) {
		agent_note_choice();
		flags = AGENT_CHOSEN;
	}
	/*
	 * The creator is widened, not the new thread: that one may have ended, or have chosen for itself,
	 * before we could touch it.
	 */
	widened = agent_widen(&before);
	r = create(thread, attribute, start, argument, flags);
	if (widened)
		agent_narrow(&before);
	errno = kept;
	return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands between a program and the kernel, as a container's seccomp filter does; needs no privilege.
 *
 *   gate [--refuse ERRNO:CALL,CALL...]... [--before CALL COMMAND]... [--] PROGRAM [ARGS]
 *
 * --refuse answers the calls with that errno. --before holds the program, or whichever of its children comes
 * first, at its first such call, runs the shell command outside the filter (GATE_PID is who is held), and lets the
 * call go on to the kernel; a second --before of that call waits for the second one, and calls without one pass.
 * The exit code is the program's (128 + signal); 125: the gate itself or a command failed, or a command was never
 * due; 77: the kernel has no such filters.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_GATE = 125, EXIT_SKIP = 77 };
enum { RULES_MAX = 16, BEFORES_MAX = 4, FILTER_MAX = 2 * RULES_MAX + 2 };

struct name {
	const char *word; /* NULL ends the list */
	int number;
};

static const struct name calls[] = {
	{ "sched_setaffinity", SYS_sched_setaffinity },
	{ "sched_getaffinity", SYS_sched_getaffinity },
	{ "set_mempolicy", SYS_set_mempolicy },
	{ "get_mempolicy", SYS_get_mempolicy },
	{ "mbind", SYS_mbind },
	{ "migrate_pages", SYS_migrate_pages },
	{ "move_pages", SYS_move_pages },
	{ NULL, 0 },
};

static const struct name errors[] = {
	{ "EPERM", EPERM },
	{ "ENOSYS", ENOSYS },
	{ "EINVAL", EINVAL },
	{ NULL, 0 },
};

/* Of several for one call the first counts. */
static struct rule {
	int call;
	unsigned answer; /* SECCOMP_RET_... */
} rules[RULES_MAX];
static size_t rule_count;

static struct before {
	int call;
	const char *command;
	bool done;
} befores[BEFORES_MAX];
static size_t before_count;

static _Noreturn void die(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
static _Noreturn void die(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)fputs("gate: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
	_exit(code);
}

static int number_of(const struct name *names, const char *word)
{
	for (; names->word; names++) {
		if (strcmp(names->word, word) == 0)
			return names->number;
	}
	die(EXIT_GATE, "'%s' is not known", word);
}

static void add_rule(int call, unsigned answer)
{
	if (rule_count == RULES_MAX)
		die(EXIT_GATE, "more than %d calls", RULES_MAX);
	rules[rule_count++] = (struct rule){ call, answer };
}

static void add_refusals(char *list)
{
	const unsigned error = (unsigned)number_of(errors, strsep(&list, ":"));

	if (!list)
		die(EXIT_GATE, "--refuse takes ERRNO:CALL,CALL");
	for (char *word; (word = strsep(&list, ","));)
		add_rule(number_of(calls, word), SECCOMP_RET_ERRNO | error);
}

static void add_before(const char *word, const char *command)
{
	const int call = number_of(calls, word);

	if (before_count == BEFORES_MAX)
		die(EXIT_GATE, "more than %d commands", BEFORES_MAX);
	add_rule(call, SECCOMP_RET_USER_NOTIF);
	befores[before_count++] = (struct before){ .call = call, .command = command };
}

/* Returns the program's words. */
static char **read_options(char **words)
{
	for (;;) {
		if (*words && strcmp(*words, "--refuse") == 0 && words[1]) {
			add_refusals(words[1]);
			words += 2;
		} else if (*words && strcmp(*words, "--before") == 0 && words[1] && words[2]) {
			add_before(words[1], words[2]);
			words += 3;
		} else {
			break;
		}
	}
	if (*words && strcmp(*words, "--") == 0)
		words++;
	if (!*words || **words == '-')
		die(EXIT_GATE, "usage: gate [--refuse ERRNO:CALL,...] [--before CALL COMMAND] [--] PROGRAM [ARGS]");
	return words;
}

/*
 * Calls are known by number alone: those of a 32-bit program are others. Returns the listener's descriptor; -1: nothing
 * is held.
 */
static int install_filter(void)
{
	const struct sock_filter load_call = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_filter filter[FILTER_MAX];
	struct sock_fprog program = { .filter = filter };
	unsigned short n = 0;
	long r;

	filter[n++] = load_call;
	for (size_t i = 0; i < rule_count; i++) {
		filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)rules[i].call, 0, 1);
		filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, rules[i].answer);
	}
	filter[n++] = allow;
	program.len = n;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die(EXIT_SKIP, "no_new_privs: %s", strerror(errno));
	r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, before_count ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0UL,
		    &program);
	if (r < 0)
		die(EXIT_SKIP, "seccomp: %s", strerror(errno));
	return before_count ? (int)r : -1;
}

static _Noreturn void become(char **words)
{
	(void)execvp(words[0], words);
	die(EXIT_GATE, "cannot execute '%s': %s", words[0], strerror(errno));
}

/* A message of one byte that carries a descriptor. */
struct parcel {
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec iov;
	struct msghdr header;
};

static void parcel_init(struct parcel *parcel)
{
	*parcel = (struct parcel){ .iov = { .iov_base = &parcel->byte, .iov_len = 1 } };
	parcel->header = (struct msghdr){ .msg_iov = &parcel->iov,
					  .msg_iovlen = 1,
					  .msg_control = parcel->room,
					  .msg_controllen = sizeof(parcel->room) };
}

/* The listener goes to the parent, which has no filter over it: what it runs cannot be held by itself. */
static void hand_over(int channel, int fd)
{
	struct parcel parcel;
	struct cmsghdr *control;

	parcel_init(&parcel);
	control = CMSG_FIRSTHDR(&parcel.header);
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(control), &fd, sizeof(fd));
	if (sendmsg(channel, &parcel.header, 0) != 1)
		die(EXIT_GATE, "cannot hand the listener over: %s", strerror(errno));
}

/* Returns -1 when the child ended without sending one: its exit code says why. */
static int take_over(int channel)
{
	struct parcel parcel;
	struct cmsghdr *control;
	int fd = -1;

	parcel_init(&parcel);
	if (recvmsg(channel, &parcel.header, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	control = CMSG_FIRSTHDR(&parcel.header);
	if (control)
		memcpy(&fd, CMSG_DATA(control), sizeof(fd));
	return fd;
}

/* What is due before this call. `held` is the thread that makes it. */
static void run_command(int call, unsigned held)
{
	char text[16];

	for (size_t i = 0; i < before_count; i++) {
		if (befores[i].call != call || befores[i].done)
			continue;
		befores[i].done = true;
		(void)snprintf(text, sizeof(text), "%u", held);
		(void)setenv("GATE_PID", text, 1);
		if (system(befores[i].command) != 0)
			die(EXIT_GATE, "the command failed: %s", befores[i].command);
		return;
	}
}

/* Take one call and let it go on. The structures are as large as the kernel's: it may be newer than our headers. */
static void answer(int listener, const struct seccomp_notif_sizes *sizes)
{
	struct seccomp_notif *call = calloc(1, sizes->seccomp_notif + sizeof(*call));
	struct seccomp_notif_resp *reply = calloc(1, sizes->seccomp_notif_resp + sizeof(*reply));

	if (!call || !reply)
		die(EXIT_GATE, "out of memory");
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, call) == 0) {
		run_command(call->data.nr, call->pid);
		reply->id = call->id;
		reply->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		/* ENOENT: a signal took it out of the call, or ended it. */
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, reply) < 0 && errno != ENOENT)
			die(EXIT_GATE, "cannot let the call go on: %s", strerror(errno));
	} else if (errno != ENOENT && errno != EINTR) {
		die(EXIT_GATE, "cannot take a call: %s", strerror(errno));
	}
	free(call);
	free(reply);
}

/* Until the program ends. What it leaves behind is not waited for: its calls fail with ENOSYS from then on. */
static void attend(int listener, pid_t child)
{
	struct pollfd fds[] = {
		{ .fd = (int)syscall(SYS_pidfd_open, child, 0), .events = POLLIN },
		{ .fd = listener, .events = POLLIN },
	};
	struct seccomp_notif_sizes sizes;

	if (fds[0].fd < 0 || syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		die(EXIT_SKIP, "no pidfds, or no seccomp notifications: %s", strerror(errno));
	while (!fds[0].revents) {
		if (poll(fds, 2, -1) < 0) {
			if (errno != EINTR)
				die(EXIT_GATE, "poll: %s", strerror(errno));
			continue;
		}
		if (fds[1].revents & POLLIN)
			answer(listener, &sizes);
		else if (fds[1].revents)
			fds[1].fd = -1; /* nobody is left under the filter */
	}
}

static int watch(char **words)
{
	int channel[2], listener, status;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		die(EXIT_GATE, "socketpair: %s", strerror(errno));
	child = fork();
	if (child < 0)
		die(EXIT_GATE, "fork: %s", strerror(errno));
	if (!child) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		hand_over(channel[1], install_filter()); /* close-on-exec: the program does not get it */
		become(words);
	}
	(void)close(channel[1]);
	listener = take_over(channel[0]);
	if (listener >= 0)
		attend(listener, child);
	if (waitpid(child, &status, 0) != child)
		die(EXIT_GATE, "waitpid: %s", strerror(errno));
	for (size_t i = 0; i < before_count && listener >= 0; i++) {
		if (!befores[i].done)
			die(EXIT_GATE, "no call came for: %s", befores[i].command);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	char **words = read_options(argv + (argc > 0));

	if (before_count)
		return watch(words);
	(void)install_filter();
	become(words);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who ended first. SIGCHLD does not queue and waitpid() goes by age, so on a busy machine the
 * failure and what it dragged along look like one event; epoll lists pidfds in the order they fired.
 * Without pidfds (Linux before 5.3, some sandboxes) nothing is listed and nothing else is lost.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct order {
	int epoll_fd; /* -1: there is none */
	int *pidfds;  /* by index; -1: not watched */
};

/* Room for `count` children. Returns 0 or -ENOMEM. */
int order_init(struct order *order, size_t count);
void order_clear(struct order *order, size_t count);

/* Watch a child that was not reaped yet. */
void order_watch(struct order *order, size_t index, pid_t pid);

/* The next child that ended, in time. False: none, or none known. Forget it before asking again. */
bool order_next(const struct order *order, size_t *ret_index);
void order_forget(struct order *order, size_t index);

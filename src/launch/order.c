/* SPDX-License-Identifier: Apache-2.0 */
#include "launch/order.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

int order_init(struct order *order, size_t count)
{
	int *pidfds = calloc(count + 1, sizeof(*pidfds));

	if (!pidfds)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		pidfds[i] = -1;
	order->pidfds = pidfds;
	order->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return 0;
}

void order_clear(struct order *order, size_t count)
{
	for (size_t i = 0; order->pidfds && i < count; i++)
		order_forget(order, i);
	free(order->pidfds);
	order->pidfds = NULL;
	if (order->epoll_fd >= 0)
		(void)close(order->epoll_fd);
	order->epoll_fd = -1;
}

void order_watch(struct order *order, size_t index, pid_t pid)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = index };
	int fd;

	if (order->epoll_fd < 0)
		return;
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return;
	if (epoll_ctl(order->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		(void)close(fd);
	else
		order->pidfds[index] = fd;
}

bool order_next(const struct order *order, size_t *ret_index)
{
	struct epoll_event event;

	if (order->epoll_fd < 0 || epoll_wait(order->epoll_fd, &event, 1, 0) != 1)
		return false;
	*ret_index = (size_t)event.data.u64;
	return true;
}

void order_forget(struct order *order, size_t index)
{
	if (order->pidfds[index] < 0)
		return;
	/* Taken out by name: a child just forked may still hold a copy, which keeps the entry alive after close(). */
	(void)epoll_ctl(order->epoll_fd, EPOLL_CTL_DEL, order->pidfds[index], NULL);
	(void)close(order->pidfds[index]);
	order->pidfds[index] = -1;
}

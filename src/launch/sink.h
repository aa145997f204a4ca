/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A place to write to that may be slow: what it does not take at once waits in a queue. Never blocks.
 */
#pragma once

#include "base/text.h"

enum { SINK_FULL = 256 * 1024 }; /* with as much in its queue, nobody should add more */

struct sink {
	int fd;        /* borrowed; -1: none */
	int own_fd;    /* the same file opened anew, not blocking; -1: it cannot be */
	int error;     /* -errno of the write that failed: whatever comes is dropped; 0: none */
	bool terminal; /* it is one */
	bool watched;  /* epoll tells when it takes more */
	struct text queue;
	size_t written; /* of the queue's bytes */
};

/* Open a sink on a descriptor, which is not changed: whoever shares it would notice. */
void sink_init(struct sink *sink, int fd);
void sink_clear(struct sink *sink);

/* What is to be watched for room. */
int sink_fd(const struct sink *sink);

void sink_add(struct sink *sink, const char *bytes, size_t length);

/* Write what goes without waiting. */
void sink_flush(struct sink *sink);

/* Bytes that wait. */
size_t sink_waiting(const struct sink *sink);

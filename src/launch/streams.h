/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The children's output on its way through us: pipes in, sinks out.
 */
#pragma once

#include "launch/lines.h"
#include "launch/sink.h"

struct err;
struct supervisor;

/* One pipe of a child. */
struct stream {
	struct supervisor *supervisor;
	size_t child;
	int which;   /* 0: stdout, 1: stderr */
	int fd;      /* -1: closed */
	bool paused; /* its sink is full: not read */
	struct lines lines;
	struct sink *sink;
};

struct streams {
	struct stream *items; /* two a child; NULL: nothing goes through us */
	struct sink std[2];   /* our stdout and stderr */
	struct sink *logs;    /* one a child, where logs go through us; NULL: none do */
	char **prefixes;      /* one a child and stream; NULL there: none */
	char *chunk;          /* what was just read */
	bool lost_told[2];    /* it was said that something could not be written there */
};

/* Returns 0 or -ENOMEM. */
int streams_prepare(struct supervisor *s, struct err *err);
void streams_clear(struct supervisor *s);

/*
 * What child `i` is to have as stdout and stderr; -1: ours. The caller closes those that are pipes when the child has
 * them: streams_close_ends(). Returns 0 or -errno.
 */
int streams_open(struct supervisor *s, size_t i, int ret_fds[2], struct err *err);
void streams_close_ends(const struct supervisor *s, int fds[2]);

/* There is something to read in pipe `index`; sink `index` takes more. */
void streams_ready(struct supervisor *s, size_t index);
void streams_sink_ready(struct supervisor *s, size_t index);

/* All is over: read what the pipes still hold, and wait until it is written or we are told to stop. */
void streams_drain(struct supervisor *s);

/* Does something wait to be written to a terminal? */
bool streams_wait_for_terminal(const struct supervisor *s);

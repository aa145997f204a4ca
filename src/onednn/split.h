/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes oneDNN's lines out of what a program prints. Every other byte comes out as it went in, in order and at once:
 * only what may yet become a line of oneDNN's is held back, until its end or until onednn_split_release(). A line
 * that begins like one of oneDNN's and is none is the program's. Pure.
 */
#pragma once

#include "onednn/stream.h"

typedef void onednn_take(const char *bytes, size_t length, void *context);

struct onednn_split {
	onednn_take *theirs; /* the program's bytes */
	onednn_take *ours;   /* whole lines of oneDNN's, with their line ends */
	void *context;
	struct onednn_template template;
	size_t held;
	char buffer[ONEDNN_LINE_MAX];
};

/* Begin. */
void onednn_split_init(struct onednn_split *split, onednn_take *theirs, onednn_take *ours, void *context);

/* The next bytes. Returns whether something is held back now. */
bool onednn_split_feed(struct onednn_split *split, const char *bytes, size_t length);

/* Nothing came for a while, or the program has ended: what is held back is the program's, unless it is a whole line but
 * for its line end. */
void onednn_split_release(struct onednn_split *split);

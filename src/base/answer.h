/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer that was found by looking at files, remembered between two starts of fettle. What was looked at cannot be
 * known before the search, so it is kept with the answer: every path that was opened, or was not there, with the state
 * it was in. Another state of one of them, and the search is made again. What the search was asked is the key.
 */
#pragma once

#include "base/keep.h"
#include "base/sysroot.h"
#include "base/words.h"

#include <stdbool.h>

struct text;

/* ---- What is looked at while a search is made ---- */

struct answer_watch {
	struct sysroot_watch base;   /* first: its function is handed this */
	struct sysroot root;         /* search below this one; borrows from `outer` */
	const struct sysroot *outer; /* whose own watch is told as well */
	struct words seen;           /* "path", "state" in turn, in the order of their opening */
	bool failed;                 /* memory ran out: the answer cannot be remembered */
};

/* Begin to watch. `watch` must stay where it is until answer_watch_clear(). */
void answer_watch_begin(struct answer_watch *watch, const struct sysroot *root);

/* A path that the answer depends on and that the search does not open by itself. */
void answer_watch_path(struct answer_watch *watch, const char *path);

void answer_watch_clear(struct answer_watch *watch);
#define cleanup_answer_watch cleanup_(answer_watch_clear)

/* ---- The key ---- */

/* Append a word (NULL: none), such that no two lists of words make the same text. */
void answer_key_word(struct text *key, const char *word);

/* Append which fettle this is, and for whom it looks: another build may see the same files differently. */
void answer_key_self(struct text *key);

/* ---- The answer: texts, in an order of the caller's ---- */

/* Append a text (NULL: an absent one) to an answer that is being made. */
void answer_put(struct text *bytes, const char *text);

struct answer {
	struct kept kept;
	const char *at, *end;
	bool broken; /* it ended too early, or memory ran out */
};

/* The next text, borrowed; NULL: an absent one, or the answer is broken. */
const char *answer_get(struct answer *answer);

/* The same as a copy for the caller to free. */
char *answer_get_copy(struct answer *answer);

/* Was all of it read, and nothing missing? Returns 0 or -EBADMSG. */
int answer_end(const struct answer *answer);

void answer_clear(struct answer *answer);
#define cleanup_answer cleanup_(answer_clear)

/* ---- Between two starts: kind and key as in keep.h ---- */

/*
 * Find the answer. Returns 0 and what answer_clear() frees; -ESTALE: one of the paths it was made of has changed since;
 * or as keep_load().
 */
int answer_recall(const struct sysroot *root, const char *folder, const char *kind, const char *key,
		  struct answer *ret_answer);

/* Remember it with what was watched. What cannot be remembered is found again next time. */
void answer_remember(const struct answer_watch *watch, const char *folder, const char *kind, const char *key,
		     const struct text *bytes);

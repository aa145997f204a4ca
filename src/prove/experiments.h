/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The advice that can be tried, a row each: what is done with it and what without, and when there is nothing to try.
 * Pure.
 */
#pragma once

#include "base/text.h"
#include "base/words.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct machine;

/* What rows ask. */
struct prove_facts {
	const struct machine *machine; /* with its host where it could be read */
	bool built_in;                 /* our own workload, not the user's program */
	/* Primitives that oneDNN's cache is to keep: more than the program's working set, and fewer; 0: not known, for
	 * the reason given. */
	unsigned cache_over, cache_under;
	const char *no_cache;
};

enum { PROVE_WORDS_MAX = 6 };

struct prove_experiment {
	const char *advice; /* "allocator=tuned-glibc" */
	const char *family; /* for --only */
	const char *model;  /* which of the workload's shows it */
	/* Options of 'fettle run', NULL-terminated; "{cores}" and the like stand for a fact. Those with it come behind
	 * those without it, which come behind prove_baseline. */
	const char *with[PROVE_WORDS_MAX], *without[PROVE_WORDS_MAX];
	const char *words[PROVE_WORDS_MAX]; /* of the workload, with it; a user's program has no such words */
	const char *about;                  /* what it is said to do, and by whom */
	unsigned rank;        /* with too little time for all: lower first, by how much it has been seen to be worth */
	bool changes_numbers; /* the program\'s results: it is kept only where --only names it */
	bool control;         /* nothing against nothing: only where --only names it */
	/* Nothing can be tried here: true and the reason in `why`. NULL: always possible, as far as this knows. */
	bool (*impossible)(const struct prove_facts *facts, struct text *why);
};

/* What won together; no row of the table, for it is made of them. */
extern const struct prove_experiment prove_together;

extern const struct prove_experiment prove_experiments[];
extern const size_t prove_experiment_count;

/* What every run has, and advice changes: one thread a core, nothing bound, plain glibc. */
extern const char *const prove_baseline[];

/* May `list` ("threads,allocator=tcmalloc": families and advice) be used? -EINVAL names the word that is none. */
int prove_only_check(const char *list, struct err *err);

/* Is the row in the list? NULL: all are but the control. */
bool prove_only_has(const char *list, const struct prove_experiment *experiment);

/* Is some row of this family in it? */
bool prove_only_wants(const char *list, const char *family);

/* Is there nothing to try? Then true, and `why` says so. */
bool prove_impossible(const struct prove_experiment *experiment, const struct prove_facts *facts, struct text *why);

/* The options of a run, baseline first. Returns 0 or -ENOMEM. */
int prove_options(const struct prove_experiment *experiment, bool with, const struct prove_facts *facts,
		  struct words *ret_options);

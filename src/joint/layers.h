/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command line rests on: --for chooses options, over it a profile, over that the command line itself. Each is
 * turned into words of a command line and stands before the next, so that one parser reads them all and the last word
 * counts.
 */
#pragma once

#include "joint/option.h"

struct err;
struct options;
struct plan;
struct workload;

struct layers {
	struct option_texts words; /* of --for, then of the profile */
	size_t purpose_words;      /* how many of them are --for's */
	char *profile;             /* path; NULL: none */
	char **owned;              /* texts made for the words */
	size_t owned_count, owned_capacity;
	struct option_found found; /* of all layers, `at` an index into words and then into the command line */
	const char **of_profile;   /* names of options that the profile decided, NULL-terminated */
	const char **of_purpose;   /* the same of --for */
};

/*
 * As option_parse(), with what --for and --profile choose under it: `found` tells of the command line alone,
 * options->layers (for layers_free()) of what lies under it, NULL when nothing does.
 */
int layers_parse(const struct option_table *const *tables, const char *command, int argc, const char *const *argv,
		 struct options *options, struct option_found *ret_found, struct err *err);

/* Add a word; the text is copied. Returns 0 or -ENOMEM. */
int layers_add(struct layers *layers, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tell the workload which options and wishes are the profile's. It borrows from `options`. */
void layers_tell(const struct options *options, struct workload *workload);

/* Say among the plan's reasons what was chosen by --for and by the profile. Returns 0 or -ENOMEM. */
int layers_explain(const struct options *options, struct plan *plan);

void layers_free(struct layers *layers);

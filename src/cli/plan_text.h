/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan for people: a table to check at a glance, then why, then the
 * settings. And the answer to --why.
 */
#pragma once

#include <stdbool.h>

struct colour;
struct err;
struct machine;
struct plan;
struct setting;
struct settings;
struct text;

/* The machine in one line and the table of instances. */
void plan_text_table(const struct machine *machine, const struct plan *plan, const struct colour *colour,
		     struct text *text);

/* Reasons, settings and warnings. `verbose`: every setting with its reason and risk. */
void plan_text_reasons(const struct plan *plan, const struct settings *settings, bool verbose,
		       const struct colour *colour, struct text *text);

/* Everything about the setting, rule or warning of this name. -EINVAL, listing the names, when there is none. */
int plan_text_why(const struct plan *plan, const struct settings *settings, const char *name, struct text *text,
		  struct err *err);

/* Words as they are, with control characters shown as \xNN. */
void plan_text_shown(struct text *text, const char *words);

extern const char *const origin_words[];

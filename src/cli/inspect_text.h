/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was seen of running processes, as a page for people: who, what is wrong, what is as planned, what is not known.
 */
#pragma once

#include <stdbool.h>

struct colour;
struct observation;
struct report;
struct text;

/* `verbose`: also all threads that ran, and the evidence of what is as planned. */
void inspect_text(const struct observation *observation, const struct report *report, bool verbose,
		  const struct colour *colour, struct text *text);

/* How many findings of each weight, in one line. */
void inspect_text_summary(const struct observation *observation, const struct report *report, struct text *text);

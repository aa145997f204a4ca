/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A doctor's judgements for people: what costs speed first, within 80 columns.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

struct colour;
struct doctor;
struct text;

/* "2 things cost speed, 1 is refused or missing, 3 are not known, 18 are good" */
void doctor_text_summary(const struct doctor *doctor, struct text *text);

/* What costs and what is refused, each with evidence, price and remedy; the rest in a line. `verbose`: all of them. */
void doctor_text(const struct doctor *doctor, bool verbose, const struct colour *colour, struct text *text);

/* What 'fettle prove' found to make a difference here (its document, with the date it was kept); NULL: nothing. */
void doctor_proved_text(const json_t *proved, struct text *text);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What 'fettle prove' found, for people.
 */
#pragma once

struct colour;
struct prove_result;
struct text;

/* One line a row, and the noise. */
void prove_text(const struct prove_result *result, const struct colour *colour, struct text *text);

/* How many of each verdict, in one line. */
void prove_text_short(const struct prove_result *result, struct text *text);

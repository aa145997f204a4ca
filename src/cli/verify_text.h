/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run came to, held against its plan, as a few lines for people: `fettle run --verify`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct colour;
struct report;
struct text;

/*
 * Findings, worst first, each with its remedy, then what was asked, granted and seen where that differs or is not
 * known. One line where all is met, none where `quiet`. `verbose`: all of it, with evidence. `instances`: how many
 * there were.
 */
void verify_text(const struct report *report, size_t instances, bool quiet, bool verbose, const struct colour *colour,
		 struct text *text);

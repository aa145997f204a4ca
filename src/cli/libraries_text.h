/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libraries of a program as text: a section of `fettle machine`.
 */
#pragma once

#include <stdbool.h>

struct colour;
struct libraries;
struct text;

/*
 * One line a library that can be used, within 80 columns: paths lose their beginning. `whole`: all of them, with whole
 * paths, how each was found, and why it cannot be used.
 */
void libraries_text(const struct libraries *libraries, bool whole, const struct colour *colour, struct text *text);

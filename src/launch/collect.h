/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a number out of a line of a program's output. Pure.
 */
#pragma once

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The number that a match of `regex` in the line has in its group. False: there is no match, or what the group
 * holds is no decimal number (1234, -1.5, 1.2e3; the point is '.'). Of several matches in a line the last counts.
 */
bool collect_number(const regex_t *regex, const char *line, size_t length, double *ret_number);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML scalars that every parser reads as the same string, whatever the string is.
 */
#pragma once

#include <stdbool.h>

struct text;

/* Append UTF-8 in double quotes, all but printable ASCII escaped (YAML 1.2, 5.7; 1.1 has the same escapes). A '$' is
 * doubled where the tool behind the parser reads "$NAME" in values. */
void yaml_add(struct text *text, const char *utf8, bool double_dollar);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the hook for PyTorch told of the processes of an instance, as part of a report. Pure.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

struct words;

/*
 * {"processes": [...]}, one for each text (observe/hook_file.h) that is a JSON object. The texts were in the program's
 * hands: members that are not known are left out, and those that are not what they should be are null. NULL when memory
 * ran out.
 */
json_t *hook_to_json(const struct words *texts);

/* The lines for people that a process of it left; an array of strings, borrowed. */
const json_t *hook_lines(const json_t *process);

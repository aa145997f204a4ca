/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has a variable that fettle gave a value another one now?
 */
#pragma once

#include <stdint.h>

struct agent_record;

/* Which of the record's variables does this process's own plan name ("set=")? A bit for each, by position. */
uint64_t variables_watch(const char *plan, const struct agent_record *file);

/* Which of the `watched` ones are missing or have another value in `environ` at this moment? Reads it as getenv() does.
 */
uint64_t variables_changed(const struct agent_record *file, uint64_t watched);

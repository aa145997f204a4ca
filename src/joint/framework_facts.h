/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which framework the program would find, looked for at most once and only where it may be Python.
 */
#pragma once

#include <stdbool.h>

struct decision;
struct err;
struct target;

/*
 * Python, or what stands in front of it: the scripts of pip and pyenv, env, and what names one among its `words`, the
 * program and its arguments.
 */
bool framework_may_be_there(const struct target *target, char *const *words);

/*
 * Look, and put it into the decision and its workload. `words`: the program and its arguments, NULL-terminated. Finds
 * no framework where no program is named or it is surely not Python, and what starts others by its name. Returns 0 or
 * -errno.
 */
int framework_facts_find(char *const *words, struct decision *decision, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where our part inside a Python program is, and whether it can get there: looked for only where PyTorch is beside the
 * program or an option asks for it.
 */
#pragma once

struct decision;
struct err;

/* Put it into the workload. `words`: the program and its arguments, NULL-terminated. Returns 0 or -errno. */
int hook_facts_find(char *const *words, struct decision *decision, struct err *err);

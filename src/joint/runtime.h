/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which OpenMP runtime will be in charge of the program: looked for only where something depends on it, because
 * looking is costly.
 */
#pragma once

struct decision;
struct err;
struct options;

/*
 * Put into the workload whose runtime is in charge, and which one is to be preloaded (--openmp). `words`: the program
 * and its arguments, NULL-terminated. Comes after the plan, which says whether threads are pinned, and before the
 * settings. Returns 0, or -errno with the decision's exit code set where it was the user's wish.
 */
int runtime_decide(const struct options *options, char *const *words, struct decision *decision, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does oneMKL have kernels for this processor that it does not take by itself?
 */
#pragma once

struct decision;
struct err;

/* Put the library that has it take them into the decision and its workload. Returns 0 or -errno. */
int mkl_facts_find(char *const *words, struct decision *decision, struct err *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kernels oneMKL takes on a processor that Intel did not make.
 */
#pragma once

#include <stdbool.h>

struct workload;

/* Is it worth to look at the processor, and then at the program? */
bool mkl_may_be_wanted(const struct workload *workload);
bool mkl_is_wanted(const struct workload *workload);

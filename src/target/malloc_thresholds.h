/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the malloc of a program's glibc takes for a threshold.
 */
#pragma once

#include <stdbool.h>

/*
 * Does the glibc that this dynamic loader belongs to refuse an mmap threshold above 32 MiB? 2.31 does, 2.35 and later
 * do not. A loader that cannot be read counts as a late one.
 */
bool malloc_threshold_is_capped(const char *loader);

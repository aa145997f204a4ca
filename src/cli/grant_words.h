/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel did not grant, in words for one line: what was asked, what was granted, what follows.
 */
#pragma once

#include <stddef.h>

struct launch_child;
struct launch_end;
struct text;

/* Append what was not granted to `count` children (their grants are in `ends`); nothing when all was. */
void grant_words_add(const struct launch_child *children, const struct launch_end *ends, size_t count,
		     struct text *text);

/* Append why the only child was planned again. */
void grant_words_again(const struct launch_child *child, const struct launch_end *end, struct text *text);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program did in oneDNN, for people, within 80 columns; and as folded stacks for the tools that draw flame
 * graphs.
 */
#pragma once

#include <stddef.h>

struct colour;
struct onednn_advice;
struct onednn_profile;
struct text;

/* The whole; at most `shapes` single primitives are named. */
void onednn_text(const struct onednn_profile *profile, const struct onednn_advice *advice, size_t shapes,
		 const struct colour *colour, struct text *text);

/* The recommendation in a line, and each finding in one. */
void onednn_text_short(const struct onednn_profile *profile, const struct onednn_advice *advice, struct text *text);

/* "oneDNN;convolution;jit:avx512_core;mb4_ic8oc16...;exec 1234": one line a primitive, in microseconds. */
void onednn_folded(const struct onednn_profile *profile, struct text *text);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For collecting a stream from a program that is started here: what oneDNN is told, and what this machine says of it.
 */
#pragma once

struct decision;
struct err;
struct options;

/* Have what is started from now on print, unless the user has told oneDNN what to say. Changes our environment.
 * Returns 0 or -ENOMEM. */
int onednn_speak(struct err *err);

/* What environment and options say the cache can hold; 0: they say nothing, or what is no number. */
unsigned onednn_capacity_asked(const struct options *options);

/* What this machine's processor has; NULL: cannot be told. To be asked when the program is at its end. */
const char *onednn_processor_flags(struct decision *decision);

extern const char onednn_nothing_printed[];

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 'fettle onednn' reads a stream, or starts a program and collects one.
 */
#pragma once

#include "cli/command.h"

/* The first option of a plan among `found`, or NULL. */
const struct option *onednn_plan_option(const struct invocation *invocation, const struct option_found *found);

/* 'fettle onednn run -- program'; `words` begins behind "run". */
int onednn_run(struct invocation *invocation, char *const *words, int count);

/* The same under a plan, of one or several instances; `words` are the program's. */
int onednn_run_planned(struct invocation *invocation, char *const *words, int count);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run --plan FILE: a saved plan is taken as it is, and checked against what
 * holds now: the CPUs we may use, and the variables the user has set since.
 */
#pragma once

#include <jansson.h>

struct decision;
struct err;
struct options;

/*
 * Put the plan and settings of options->plan_file into `decision` (machine and workload are there already).
 * A variable the user now sets himself stays his: the row is dropped and a warning says so.
 */
int saved_plan_take(const struct options *options, struct decision *decision, json_t **ret_request, struct err *err);

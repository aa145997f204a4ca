/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of fettle.report/1 that the report of a run and that of an inspection have in common. Each returns a new
 * reference, or NULL when memory ran out. `instance` is the plan's index; negative: all of them, null.
 */
#pragma once

#include "report/findings.h"

struct observed_gap;

json_t *check_to_json(const struct check *check, int instance);
json_t *finding_to_json(const struct finding *finding, int instance);
json_t *gap_to_json(const struct observed_gap *gap);

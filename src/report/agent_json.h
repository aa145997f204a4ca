/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent wrote down, as part of a report. Pure.
 */
#pragma once

#include <jansson.h>

struct observed_agent;

/* What each process and thread of an instance did; what is not known is null. NULL when memory ran out. */
json_t *agent_to_json(const struct observed_agent *agent);

/*
 * What the agent could not write down, appended to the array `unknown` in the form of its other objects. Returns 0, or
 * -1 when memory ran out.
 */
int agent_gaps_to_json(const struct observed_agent *agent, json_t *unknown);

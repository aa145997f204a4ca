/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent wrote down, as part of a report. Pure.
 */
#pragma once

#include <jansson.h>

struct observed_agent;

/* What each process and thread of an instance did; what is not known is null. NULL when memory ran out. */
json_t *agent_to_json(const struct observed_agent *agent);

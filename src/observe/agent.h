/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what the agents of an instance have written, at any time: while they write, and when all have ended.
 */
#pragma once

#include "observe/agent_file.h"
#include "observe/observed_agent.h"

struct observation;
struct observe_request;
struct observed_instance;

/* Returns 0 and what observed_agent_free() frees, or -ENOMEM. */
int agent_read(const struct agent_file *file, struct observed_agent **ret_agent);

/*
 * Give an instance of the running machine what the record says that the FETTLE_PLAN of its processes names; nothing
 * when it names none or has been read already. A refusal leaves a gap. Returns 0 or -ENOMEM.
 */
int agent_look(const struct observe_request *request, struct observation *observation,
	       struct observed_instance *instance);

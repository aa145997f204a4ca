/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Can fettle's agent be loaded into the program? What only the agent can do asks here first.
 */
#pragma once

struct settings_input;

/* Why the agent cannot be loaded into the program, in a few words; NULL: it can. */
const char *agent_refused(const struct settings_input *in);

/* SPDX-License-Identifier: Apache-2.0 */
#include "joint/agent_path.h"

#include "base/installed.h"

#include <unistd.h>

char *agent_path(void)
{
	/* The loader splits LD_PRELOAD at both, with no way to quote them. */
	return installed_find("libfettle-agent.so", "agent", " :", R_OK);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where our own agent lies: beside the running binary's install, where it was
 * configured to be, or in the build folder the binary was built in.
 */
#pragma once

/* The path for LD_PRELOAD; the caller frees it. NULL: there is none, or its path cannot stand in LD_PRELOAD. */
char *agent_path(void);

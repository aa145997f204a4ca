/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `fettle machine --capture FILE`: this machine as an archive that --machine reads.
 */
#pragma once

struct invocation;

/* Write the archive the options name. Returns the exit code. */
int cmd_machine_capture(struct invocation *invocation);

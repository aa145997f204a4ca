/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An environment handed over as a list, so that no room but cli reads the process's own.
 */
#pragma once

/* The value of a variable in a NULL-terminated list of "NAME=VALUE" (may be NULL), or NULL. Borrowed from the list. */
const char *environ_value(const char *const *environment, const char *name);

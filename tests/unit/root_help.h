/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Captured roots made on the spot, for tests.
 */
#pragma once

/* A new folder below /tmp, removed with root_remove(). The caller frees the path. */
char *root_make(void);
void root_remove(char *dir);

/* Write a file below `dir`, with all folders on its way. */
void root_put(const char *dir, const char *path, const char *text);

/* A machine of one package, `nodes` nodes and `cores` cores of two threads (n and n + cores). */
void root_put_machine(const char *dir, unsigned nodes, unsigned cores);
